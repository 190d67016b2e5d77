"""Means over seeds × items against statsmodels-free oracles: variance components by hand, coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as peer

from zermelo.errors import SettingError
from zermelo.stats import crossed_mean, holm


def test_one_seed_is_the_t_interval_over_items() -> None:
    y = np.random.default_rng(0).normal(0.3, 1, (1, 25))
    found, other = crossed_mean(y), peer.ttest_1samp(y[0], 0)
    low, high = other.confidence_interval()
    assert (found.estimate.low, found.estimate.high) == (pytest.approx(low), pytest.approx(high))
    assert found.p_value == pytest.approx(other.pvalue)


def test_mean_squares_computed_by_hand() -> None:
    # rows 1 2 / 3 8: means 1.5, 5.5 and 2, 5; grand 3.5; residuals ±1
    found = crossed_mean([[1.0, 2.0], [3.0, 8.0]])
    assert found.noise_variance == pytest.approx(4.0)  # 4 · 1² / 1
    assert found.seed_variance == pytest.approx((16.0 - 4.0) / 2)
    assert found.item_variance == pytest.approx((9.0 - 4.0) / 2)
    assert found.estimate.value == 3.5
    df = 21.0**2 / (16.0**2 + 9.0**2 + 4.0**2)
    half = peer.t.ppf(0.975, df) * np.sqrt(21.0 / 4)
    assert found.estimate.high == pytest.approx(3.5 + half)


def test_seeds_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=(3, 200))
    moved = y + np.array([[-0.5], [0.0], [0.5]])
    narrow, wide = crossed_mean(y).estimate, crossed_mean(moved).estimate
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_the_interval_covers_the_truth_when_seeds_and_items_both_vary() -> None:
    rng = np.random.default_rng(2)
    covered, pooled = 0, 0
    for _ in range(600):
        y = rng.normal(0, 0.3, (4, 1)) + rng.normal(0, 1, (1, 60)) + rng.normal(0, 1, (4, 60))
        found = crossed_mean(y).estimate
        covered += not found.excludes(0)
        half = 1.96 * y.std(ddof=1) / np.sqrt(y.size)
        pooled += abs(y.mean()) <= half
    assert covered / 600 > 0.93  # nominal 0.95; Satterthwaite errs on the long side
    assert pooled / 600 < 0.75  # what taking 240 entries for independent would have given


def test_holm_computed_by_hand_and_against_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert np.isnan(holm([0.02, np.nan])[1]) and holm([0.02, np.nan])[0] == 0.02
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((2, 1)), np.array([[0.0, np.nan]])], ids=str)
def test_tables_that_are_none_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(SettingError):
        crossed_mean(wrong)
    with pytest.raises(SettingError, match="p-values"):
        holm([1.2])
