"""Multiwinner scores: worked sets, bounds, submodularity."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.ranking.multiwinner import MultiWinner, proportional_bound

RANKINGS = np.array([[0, 1, 2, 3, 4], [1, 0, 3, 2, 4], [3, 2, 4, 0, 1], [2, 4, 3, 1, 0], [0, 3, 1, 2, 4]])
GROUPS = [0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("score", "best", "sets"),
    [
        ("sntv", 3, [(0, 1), (0, 2), (0, 3)]),
        ("bloc", 5, [(0, 1), (0, 2), (0, 3)]),
        ("k_borda", 24, [(0, 3)]),
        ("chamberlin_courant", 18, [(0, 2)]),
        ("approval_cc", 5, [(0, 2)]),
    ],
)
def test_the_best_sets_are_those_found_by_hand(score, best, sets) -> None:
    rule = MultiWinner(score=score, exact=True)
    found = rule.select(RANKINGS, k=2)
    assert (found.score, found.exact) == (best, True)
    assert found.items in sets
    assert max(rule.value(RANKINGS, pair) for pair in itertools.combinations(range(5), 2)) == best


@pytest.mark.parametrize(("score", "best"), [("k_borda", 23), ("chamberlin_courant", 18), ("sntv", 3), ("bloc", 5)])
def test_the_best_sets_under_a_bound_are_those_found_by_hand(score, best) -> None:
    found = MultiWinner(score=score, exact=True).select(RANKINGS, k=2, groups=GROUPS, lower={1: 1})
    assert found.score == best
    assert any(GROUPS[i] == 1 for i in found.items)


def test_greedy_finds_the_optimum_of_the_example() -> None:
    assert MultiWinner(score="chamberlin_courant").select(RANKINGS, k=2).items == (0, 2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["chamberlin_courant", "approval_cc"]))
def test_committee_scores_are_monotone_and_submodular(seed, score) -> None:
    rng = np.random.default_rng(seed)
    rankings = np.array([rng.permutation(6) for _ in range(4)])
    rule = MultiWinner(score=score)
    small = rng.choice(6, 2, replace=False).tolist()
    item, more = (int(x) for x in rng.choice([i for i in range(6) if i not in small], 2, replace=False))
    gain_small = rule.value(rankings, [*small, item], k=3) - rule.value(rankings, small, k=3)
    gain_large = rule.value(rankings, [*small, more, item], k=3) - rule.value(rankings, [*small, more], k=3)
    assert gain_small >= gain_large >= 0


def test_bounds_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(SettingError, match="no set of 2"):
        MultiWinner().select(RANKINGS, k=2, groups=GROUPS, lower={1: 3})
    with pytest.raises(DataError, match="ranking 1 is not a permutation"):
        MultiWinner().select(np.array([[0, 0, 1]]), k=1)
    assert proportional_bound(6, 10, 20) == 3
