"""Methods on the bandit against what they must converge to."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation.method_study import METHODS, MethodStudy
from zermelo.worlds.bandits import GeometryBandit


def distance(log_p: np.ndarray, q: np.ndarray) -> float:
    """Total variation."""
    return float(0.5 * np.abs(np.exp(log_p) - q).sum())


def test_reinforce_with_a_pull_to_the_reference_reaches_the_closed_form() -> None:
    # as many features as actions: every distribution can be said; large batches, small steps
    bandit = GeometryBandit(peak=9, width=4, actions=16, centre=5, spread=5, features=16, bump=1.0)
    study = MethodStudy("reinforce", on_policy=True, steps=1500, batch=400, beta=0.5, lr=0.02)
    found = study.run(bandit, seed=0)
    assert distance(found.log_policy, np.exp(bandit.optimum(0.5))) < 0.02
    assert found.samples == 1500 * 400


def test_fine_tuning_on_winners_becomes_the_law_of_winners() -> None:
    bandit = GeometryBandit(peak=9, width=4, actions=16, centre=5, spread=5, features=16, bump=1.0)
    study = MethodStudy("pref_ft", steps=1500, batch=2000, pool=200_000, lr=0.02)
    found = study.run(bandit, seed=0)
    assert distance(found.log_policy, bandit.winners()) < 0.02


def test_figures_are_exact_under_the_final_policy() -> None:
    bandit = GeometryBandit(peak=45)
    found = MethodStudy("dpo", steps=20).run(bandit, seed=0)
    p = np.exp(found.log_policy)
    assert found.reward[-1] == pytest.approx(p @ bandit.reward)
    assert found.kl[-1] == pytest.approx(p @ (found.log_policy - bandit.reference))
    assert len(found.reward) == 20 and found.samples == 200


def test_on_policy_training_finds_a_peak_that_offline_pairs_never_show() -> None:
    far = GeometryBandit(peak=70)
    offline = MethodStudy("dpo").run(far, seed=1).reward[-1]
    online = MethodStudy("dpo", on_policy=True).run(far, seed=1).reward[-1]
    assert offline < 0.1 < 0.9 < online


def test_a_batch_that_is_reused_costs_fewer_samples() -> None:
    bandit = GeometryBandit()
    once, thrice = (MethodStudy("dpo", on_policy=True, steps=30, reuse=k).run(bandit, seed=0) for k in (1, 3))
    assert (once.samples, thrice.samples) == (600, 200)


@pytest.mark.parametrize("method", METHODS)
def test_runs_follow_from_their_seed(method) -> None:
    study = MethodStudy(method, on_policy=True, steps=5)
    one, two = (study.run(GeometryBandit(), seed=3).log_policy for _ in range(2))
    assert (one == two).all()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="method"):
        MethodStudy("ppoo")
    with pytest.raises(SettingError, match="steps"):
        MethodStudy(steps=0)
