"""Strategies for calibration sets: the catalogue's numbers, and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from zermelo.errors import DataError, SettingError
from zermelo.synthesis.subsets import Candidates, ContrastSelector, SubsetSelector, set_statistics

METRIC = np.array([5.0, 4, 2, 1, 0])
FULL = Candidates(
    METRIC,
    loglik=np.array([-3.0, -1, -2, -5, -4]),
    length=np.array([10.0, 50, 20, 40, 30]),
    texts=("a b c d e", "a b c d f", "u v w x y", "a b c d e", "m n o p q"),
    density=np.array([0.1, 0.9, 0.5, 0.7, 0.3]),
)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("max_margin", [{0, 4}]),
        ("min_margin", [{1, 2}]),
        ("max_gap", [{0, 4}]),
        ("min_gap", [{0, 1}, {2, 3}, {3, 4}]),
        ("max_metric", [{0, 1}]),
        ("min_metric", [{3, 4}]),
        ("top_beam", [{1, 2}]),
        ("bottom_beam", [{3, 4}]),
        ("wide_beam", [{1, 3}]),
        ("max_length", [{1, 3}]),
        ("min_length", [{0, 2}]),
        ("min_diversity", [{0, 3}]),
    ],
)
def test_subsets_computed_by_hand(strategy: str, expected: list[set[int]]) -> None:
    chosen = SubsetSelector(strategy, k=2).select(FULL)  # type: ignore[arg-type]
    assert set(chosen) in expected
    assert list(chosen) == sorted(chosen, key=lambda at: -METRIC[at])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=7), st.integers(2, 4))
def test_surprise_is_the_least_or_greatest_correlation_of_all_subsets(rows: list[tuple[int, int]], k: int) -> None:
    metric, loglik = np.array(rows, np.float64).T
    every = []
    for subset in itertools.combinations(range(len(rows)), k):
        x, y = metric[list(subset)], loglik[list(subset)]
        every.append(0.0 if x.std() == 0 or y.std() == 0 else float(spearmanr(x, y)[0]))
    found = Candidates(metric, loglik=loglik)
    for strategy, best in (("max_surprise", min(every)), ("min_surprise", max(every))):
        chosen = SubsetSelector(strategy, k=k).select(found)  # type: ignore[arg-type]
        assert set_statistics(found, chosen).surprise == pytest.approx(-best, abs=1e-9)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("max_margin", ((0,), (4,))),
        ("min_margin", ((1,), (2,))),
        ("hard", ((0,), (2,))),
        ("easy", ((1,), (3,))),
        ("max_extractive_gap", ((1,), (4,))),
        ("min_extractive_gap", ((0,), (3,))),
        ("average", ((0,), (3,))),
    ],
)
def test_contrasts_computed_by_hand(strategy: str, expected: tuple[tuple[int], tuple[int]]) -> None:
    chosen = ContrastSelector(strategy, k=2).select(FULL, [True, True, False, False, False])  # type: ignore[arg-type]
    assert chosen == expected


def test_statistics_computed_by_hand() -> None:
    found = set_statistics(FULL, (0, 1, 4))
    assert (found.metric, found.margin, found.length) == (3.0, 2.5, 30.0)
    assert found.surprise == pytest.approx(-0.5)
    assert found.likelihood_gap == pytest.approx(1.0)
    assert set_statistics(FULL, (0, 3)).diversity == pytest.approx(0.0)


def test_small_pools_give_all_and_random_ones_depend_on_the_seed_alone() -> None:
    assert SubsetSelector("max_margin", k=9).select(FULL) == (0, 1, 2, 3, 4)
    one = SubsetSelector("random", k=3, seed=4).select(FULL)
    assert one == SubsetSelector("random", k=3, seed=4).select(FULL) and len(one) == 3


def test_what_is_missing_or_wrong_is_refused() -> None:
    bare = Candidates(METRIC)
    for strategy in ("top_beam", "max_length", "max_diversity", "max_surprise"):
        with pytest.raises(SettingError):
            SubsetSelector(strategy, k=2).select(bare)  # type: ignore[arg-type]
    with pytest.raises(SettingError):
        SubsetSelector("best")  # type: ignore[arg-type]
    with pytest.raises(DataError):
        Candidates(METRIC, loglik=np.zeros(2))
    with pytest.raises(DataError):
        ContrastSelector().select(FULL, [True] * 5)
