from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.stats import (
    Estimate,
    clopper_pearson,
    mean_interval,
    newcombe_difference,
    newcombe_paired,
    normal_interval,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_limits(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)  # table I of Newcombe 1998, "Two-sided confidence intervals for the single proportion"
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_clopper_pearson_gives_the_published_limits(successes: int, n: int, low: float, high: float) -> None:
    found = clopper_pearson(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_newcombe_gives_the_published_limits_of_a_difference() -> None:
    found = newcombe_difference(56, 70, 48, 80)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_newcombe_gives_the_published_limits_of_a_paired_difference() -> None:
    found = newcombe_paired(36, 12, 2, 0)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


def test_newcombe_corrects_a_positive_correlation_of_the_pairs_for_continuity() -> None:
    first, second = wilson(30, 50), wilson(24, 50)
    phi = (20 * 16 - 10 * 4 - 50 / 2) / math.sqrt(30 * 20 * 24 * 26)
    down, up = first.value - first.low, second.high - second.value
    expected = 0.12 - math.sqrt(down**2 - 2 * phi * down * up + up**2)
    assert newcombe_paired(20, 10, 4, 16).low == pytest.approx(expected)


def test_the_t_interval_of_three_numbers_is_the_textbook_one() -> None:
    found = mean_interval([1.0, 2.0, 3.0, math.nan])
    assert (found.value, found.low, found.high) == pytest.approx(
        (2.0, 2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3))
    )
    assert found.n == 3


def test_the_normal_interval_is_1_96_standard_errors_wide() -> None:
    assert normal_interval(1.0, 0.5).high == pytest.approx(1 + 0.5 * 1.959964)


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_every_interval_of_a_proportion_holds_its_estimate_and_mirrors(a: int, b: int, level: float) -> None:
    s, n = min(a, b), b
    for interval in (wilson, clopper_pearson):
        found, mirror = interval(s, n, level=level), interval(n - s, n, level=level)
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert (found.low, found.high) == pytest.approx((1 - mirror.high, 1 - mirror.low), abs=1e-12)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_swapping_the_systems_mirrors_the_paired_interval(both: int, first: int, second: int, neither: int) -> None:
    found, swapped = newcombe_paired(both, first, second, neither), newcombe_paired(both, second, first, neither)
    assert (found.low, found.high) == pytest.approx((-swapped.high, -swapped.low), abs=1e-12)


def test_wilson_covers_at_least_nine_in_ten_of_all_true_shares() -> None:
    n = 40
    limits = [wilson(s, n) for s in range(n + 1)]
    covered = []
    for p in np.linspace(0.02, 0.98, 97):
        pmf = np.array([math.comb(n, s) * p**s * (1 - p) ** (n - s) for s in range(n + 1)])
        covered.append(sum(pmf[s] for s in range(n + 1) if limits[s].low <= p <= limits[s].high))
    assert min(covered) > 0.9
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


def test_counts_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError, match="Got 5 of 4"):
        wilson(5, 4)
    with pytest.raises(SettingError, match="level"):
        wilson(1, 4, level=95)


def test_an_estimate_reads_well_and_knows_what_it_excludes() -> None:
    found = Estimate(0.613, 0.572, 0.653)
    assert found.format(percent=True) == "61.3 % [57.2, 65.3]"
    assert Estimate(-0.1, -0.2, 0.05).format(signed=True) == "−0.100 [−0.200, +0.050]"
    assert str(Estimate(math.nan)) == "–"
    assert found.excludes(0.5) and not found.excludes(0.6)
    assert found.scaled(-1).low == -0.653
    assert Estimate(math.nan).to_json()["ci_low"] is None
