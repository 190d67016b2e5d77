"""Reliability by EM, preference strength, destabilisation: hand cases and planted truth."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.stats.crowd import OneCoin
from zermelo.stats.destabilisation import Destabilisation, crossing, human_check, turning_share
from zermelo.stats.preference_strength import Treatment, preference_strength


def crowd(eta: list[float], n: int = 800, each: int = 3, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Items judged by some of a crowd of known reliabilities."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.5
    who = np.concatenate([rng.choice(len(eta), size=each, replace=False) for _ in range(n)])
    item = np.repeat(np.arange(n), each)
    vote = truth[item] ^ (rng.random(n * each) > np.array(eta)[who])
    return item, who, vote, truth


def test_planted_reliabilities_are_found() -> None:
    eta = [0.95, 0.9, 0.85, 0.8, 0.6, 0.5]
    item, who, vote, truth = crowd(eta, n=3000)
    found = OneCoin().fit(item, who, vote)
    assert found.eta == pytest.approx(eta, abs=0.04)
    assert (np.abs(found.eta - eta) < 3 * found.error + 0.01).all()
    assert ((found.belief > 0.5) == truth).mean() > 0.85
    assert found.wrong.mean() == pytest.approx(1 - np.mean(eta), abs=0.02)


def test_a_prior_measures_annotators_who_are_alone() -> None:
    rng = np.random.default_rng(1)
    logit = 4 * rng.normal(size=4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-logit))
    who = np.arange(4000) % 2
    vote = truth ^ (rng.random(4000) < np.array([0.05, 0.3])[who])
    found = OneCoin().fit(np.arange(4000), who, vote, prior=logit)
    assert 1 - found.eta == pytest.approx([0.05, 0.3], abs=0.03)
    alone = OneCoin(right=2, wrong=1).fit(np.arange(4000), who, vote)  # no prior, no company: nothing is learnt
    assert alone.checked.sum() == 0


def test_the_fit_is_a_maximum_of_the_likelihood_computed_by_enumeration() -> None:
    item, who, vote, _ = crowd([0.9, 0.8, 0.7], n=60, each=3, seed=3)
    found = OneCoin(right=1e-9, wrong=1e-9).fit(item, who, vote)

    def likelihood(eta: np.ndarray) -> float:
        total = 0.0
        for i in range(60):
            mine = item == i
            total += np.log(
                sum(0.5 * np.prod(np.where(vote[mine] == z, eta[who[mine]], 1 - eta[who[mine]])) for z in (True, False))
            )
        return float(total)

    best = likelihood(found.eta)
    assert best == pytest.approx(found.log_likelihood, abs=1e-6)
    for move in product([-0.02, 0, 0.02], repeat=3):
        assert likelihood(np.clip(found.eta + np.array(move), 0.01, 0.99)) <= best + 1e-6


def test_a_crowd_of_nobody_is_refused() -> None:
    with pytest.raises(DataError):
        OneCoin().fit([], [], [])
    with pytest.raises(SettingError):
        OneCoin(start=0.5)


def test_strength_of_ten_margins_by_hand() -> None:
    margins = [[1.2, 0.8, -0.3, 2, 0.1, 0.9, 1.1, 0.4, 0.6, 1.4]]
    found = preference_strength(margins)
    assert found.mean[0] == pytest.approx(0.82) and found.doubt[0] == pytest.approx(0.628967, abs=1e-6)
    assert preference_strength(margins, ddof=1).doubt[0] == pytest.approx(0.662990, abs=1e-6)
    assert found.band.tolist() == [2]


def test_members_that_saw_a_pair_do_not_count() -> None:
    found = preference_strength([[5.0, -1.0, -3.0], [1.0, 2.0, 3.0]], saw=[[1, 0, 0], [1, 1, 1]])
    assert found.mean[0] == -2 and found.members.tolist() == [2, 0]
    assert np.isnan(found.mean[1]) and found.band.tolist() == [0, -1]
    assert found.shares() == {"wrong": 1.0, "ambiguous": 0.0, "correct": 0.0}


def test_treatments_follow_the_rank_and_never_flip_what_the_ensemble_agrees_with() -> None:
    strength = preference_strength([[-2.0], [-1.0], [0.5], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [9.0]])
    labels = Treatment(flip=0.3, soften=0.2, smoothing=0.4, top=0.1).labels(strength)
    assert labels.tolist() == [0, 0, 1, 0.6, 0.6, 1, 1, 1, 1, 0.9]
    assert np.isnan(Treatment(flip=0.1, weakest="drop").labels(strength)[0])
    with pytest.raises(SettingError):
        Treatment(flip=0.6, soften=0.6)


def test_two_models_cross_where_the_closed_form_says() -> None:
    assert crossing(0.90, 0.88, 0.40, 0.60) == pytest.approx(1 / 11)
    assert np.isnan(crossing(0.9, 0.8, 0.5, 0.4)) and np.isnan(crossing(0.9, 0.8, 0.5, 0.5))
    rng = np.random.default_rng(0)
    wrong = rng.random(20_000) < 0.05
    correct = np.where(wrong[:, None], rng.random((20_000, 2)) < [0.4, 0.6], rng.random((20_000, 2)) < [0.90, 0.88])
    found = Destabilisation.of(correct, wrong)
    n = found.crossings()[0, 1]
    assert found.accuracy(n)[0] == pytest.approx(found.accuracy(n)[1])
    # the same by throwing right items away
    keep = np.flatnonzero(~wrong)[: round(wrong.sum() * (1 - n) / n)]
    kept = np.r_[keep, np.flatnonzero(wrong)]
    assert correct[kept, 0].mean() == pytest.approx(correct[kept, 1].mean(), abs=0.02)


def test_the_least_wrong_labels_that_turn_an_order_by_brute_force() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b = (rng.random(9) < 0.7).astype(float), (rng.random(9) < 0.4).astype(float)
        if a.sum() <= b.sum():
            continue
        fewest = min(
            sum(mask)
            for mask in product([0, 1], repeat=9)
            if np.abs(a - np.array(mask)).sum() <= np.abs(b - np.array(mask)).sum()
        )
        assert turning_share(a, b) == pytest.approx(fewest / 9)


def test_published_errors_among_the_suspects_of_four_test_sets(shared_data: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(shared_data / "label_errors" / "human_votes.parquet")
    published = {"mnist": (15, 100), "cifar10": (54, 275), "cifar100": (585, 2235), "caltech256": (458, 2360)}
    for name, (errors, of) in published.items():
        votes = frame[frame["dataset"] == name]
        checked = [
            human_check(int(g), int(u), 0 if np.isnan(b) else int(b), int(n))
            for g, u, b, n in zip(
                votes["votes_given"], votes["votes_guessed"], votes["votes_both"], votes["votes_neither"], strict=True
            )
        ]
        assert (sum(error for error, _ in checked), len(checked)) == (errors, of)
        if name == "cifar10":
            kinds = [kind for _, kind in checked]
            counted = [kinds.count(kind) for kind in ("given", "guessed", "both", "neither", "none")]
            assert counted == [221, 18, 0, 4, 32]
