"""A bandit of known geometry: its reference, its optimum, the law of winners."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from zermelo.errors import SettingError
from zermelo.worlds.bandits import GeometryBandit


def test_the_reward_peaks_where_it_should_and_the_reference_elsewhere() -> None:
    bandit = GeometryBandit(peak=70)
    assert bandit.reward.argmax() == 70 and bandit.reward[80] == pytest.approx(np.exp(-1))
    assert abs(int(bandit.reference.argmax()) - 20) <= 1
    assert logsumexp(bandit.reference) == pytest.approx(0, abs=1e-12)


def test_the_optimum_beats_every_neighbour_in_its_own_objective() -> None:
    bandit, rng, beta = GeometryBandit(), np.random.default_rng(0), 0.1

    def objective(log_p: np.ndarray) -> float:
        p = np.exp(log_p)
        return float(p @ bandit.reward - beta * p @ (log_p - bandit.reference))

    best = bandit.optimum(beta)
    assert objective(best) == pytest.approx(beta * logsumexp(bandit.reference + bandit.reward / beta))
    for _ in range(20):
        other = best + rng.normal(0, 0.1, bandit.actions)
        assert objective(other - logsumexp(other)) < objective(best)


def test_winners_of_pairs_follow_their_law() -> None:
    bandit, rng = GeometryBandit(peak=30, actions=60), np.random.default_rng(1)
    pairs = rng.choice(60, size=(200_000, 2), p=np.exp(bandit.reference))
    r = bandit.reward[pairs]
    kept = r[:, 0] != r[:, 1]
    won = np.where(r[:, 0] > r[:, 1], pairs[:, 0], pairs[:, 1])[kept]
    found = np.bincount(won, minlength=60) / kept.sum()
    assert 0.5 * np.abs(found - bandit.winners()).sum() < 0.02


@pytest.mark.parametrize("wrong", [{"peak": 100}, {"width": 0}, {"features": -1}], ids=str)
def test_impossible_bandits_are_refused(wrong) -> None:
    with pytest.raises(SettingError):
        GeometryBandit(**wrong)
    with pytest.raises(SettingError, match="beta"):
        GeometryBandit().optimum(0)
