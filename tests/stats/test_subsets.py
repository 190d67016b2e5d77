from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.stats import best_of_n_curve, order_weights, pass_at_k


def test_best_of_n_gives_the_curve_computed_by_hand() -> None:
    curve = best_of_n_curve([0.1, 0.4, 0.2, 0.9], [1, 0, 1, 0], [1, 2, 3, 4])
    assert curve[0] == pytest.approx([0.5, 1 / 6, 0, 0], abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-4, 4)), min_size=1, max_size=6))
def test_best_of_n_is_the_mean_over_all_subsets_with_ties_broken_evenly(rows: list[tuple[int, int]]) -> None:
    proxy, gold = np.array(rows, dtype=float).T
    sizes = list(range(1, len(rows) + 1))
    expected = []
    for n in sizes:
        of_subset = []
        for subset in itertools.combinations(range(len(rows)), n):
            chosen = [i for i in subset if proxy[i] == max(proxy[j] for j in subset)]
            of_subset.append(np.mean(gold[chosen]))
        expected.append(np.mean(of_subset))
    # a tie in a subset is a random draw among the tied that are in it, whichever way the mean is taken
    assert best_of_n_curve(proxy, gold, sizes)[0] == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12))
def test_selecting_by_the_gold_itself_never_falls_with_n(gold: list[float]) -> None:
    curve = best_of_n_curve(gold, gold, list(range(1, len(gold) + 1)))[0]
    assert (np.diff(curve) >= -1e-9).all()


def test_weights_of_a_thousand_samples_stay_finite_and_sum_to_one() -> None:
    weights = order_weights(1024, [1, 16, 512, 1024])
    assert np.isfinite(weights).all()
    assert weights.sum(axis=0) == pytest.approx([1, 1, 1, 1], abs=1e-9)


def test_prompts_may_have_different_numbers_of_samples() -> None:
    nan = np.nan
    curve = best_of_n_curve([[1, 2, 3], [2, nan, 1]], [[0, 0, 1], [1, nan, 0]], [1, 2, 3])
    np.testing.assert_allclose(curve, [[1 / 3, 2 / 3, 1], [0.5, 1, nan]])


@pytest.mark.parametrize(("k", "expected"), [(1, 0.3), (2, 0.533333), (5, 0.916667), (8, 1.0), (11, np.nan)])
def test_pass_at_k_gives_the_shares_computed_by_hand(k: int, expected: float) -> None:
    assert pass_at_k(10, 3, k) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 9))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(total: int, right: int, k: int) -> None:
    right, k = min(right, total), min(k, total)
    subsets = list(itertools.combinations([1] * right + [0] * (total - right), k))
    assert pass_at_k(total, right, k) == pytest.approx(np.mean([any(s) for s in subsets]), abs=1e-12)


def test_pass_at_k_is_exact_for_rare_successes_among_many() -> None:
    assert pass_at_k(1_000_000, 1, 1) == pytest.approx(1e-6, rel=1e-6)  # 1 − x in floats would keep ten digits


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(SettingError):
        pass_at_k(3, 4, 1)
    with pytest.raises(SettingError, match="between 1 and the 3"):
        order_weights(3, [4])
