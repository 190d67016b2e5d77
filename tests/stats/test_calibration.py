from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.stats import (
    brier_decomposition,
    brier_score,
    calibration_error,
    crps,
    log_loss,
    ranked_probability_score,
    reliability_curve,
    spherical_score,
)

Q, Y = [0.9, 0.8, 0.3, 0.6, 0.4], [1, 0, 0, 1, 1]


def test_gives_the_scores_computed_by_hand() -> None:
    assert brier_score(Q, Y).mean() == pytest.approx(0.252)
    assert calibration_error(Q, Y, bins=10).value == pytest.approx(0.44)
    assert calibration_error(Q, Y, bins=5).value == pytest.approx(0.40)


@pytest.mark.parametrize(("a", "brier", "accuracy"), [(0.5, 0.125, 0.818), (1, 1 / 6, 0.75), (2, 0.2, 0.6875)])
def test_calibrated_forecasts_reach_the_closed_form(a: float, brier: float, accuracy: float) -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(a, a, size=200_000)
    y = (rng.random(len(p)) < p).astype(float)
    assert brier_score(p, y).mean() == pytest.approx(brier, abs=2e-3)
    assert np.mean((p >= 0.5) == y) == pytest.approx(accuracy, abs=4e-3)
    assert calibration_error(p, y, resamples=0).value < 0.006


def test_overconfidence_of_a_tenth_has_the_known_error() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(200_000)
    y = (rng.random(len(p)) < p).astype(float)
    q = np.clip(p + 0.1 * (p - 0.5), 0, 1)
    assert calibration_error(q, y, bins=20, binning="mass", resamples=0).value == pytest.approx(0.0227, abs=0.003)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=40), st.sampled_from(["width", "mass"])
)
def test_the_parts_of_the_brier_score_add_up(rows: list[tuple[float, int]], binning: str) -> None:
    p, y = np.array(rows).T
    parts = brier_decomposition(p, y, bins=5, binning=binning)  # type: ignore[arg-type]
    assert parts.reliability - parts.resolution + parts.uncertainty + parts.rest == pytest.approx(parts.brier)
    assert parts.brier == pytest.approx(brier_score(p, y).mean())


def test_the_parts_leave_no_rest_where_each_bin_holds_one_probability() -> None:
    p = np.repeat([0.15, 0.55, 0.95], 20)
    y = np.random.default_rng(0).integers(0, 2, 60)
    assert brier_decomposition(p, y).rest == pytest.approx(0, abs=1e-12)


def test_bins_of_equal_mass_hold_equal_counts_and_never_part_equal_probabilities() -> None:
    p = np.random.default_rng(0).random(1000) ** 3
    assert set(reliability_curve(p, p > 0.5, binning="mass").count) == {100}
    assert len(reliability_curve(np.full(50, 0.3), np.zeros(50), binning="mass").count) == 1


def test_the_curve_keeps_every_item_also_at_zero_and_one() -> None:
    curve = reliability_curve([0.0, 1.0, 0.5, np.nan], [0, 1, 1, 1])
    assert curve.count.sum() == 3
    assert curve.worst == pytest.approx(0.5)
    assert ((curve.low <= curve.observed) & (curve.observed <= curve.high)).all()


def test_the_interval_of_the_calibration_error_widens_with_clusters() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(300)
    y = (rng.random(300) < p**2).astype(float)
    once = calibration_error(p, y, seed=1)
    copies = calibration_error(np.repeat(p, 5), np.repeat(y, 5), cluster=np.repeat(np.arange(300), 5), seed=1)
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high))
    assert once.low <= once.value <= once.high and once.n == 300


def test_proper_scores_have_their_textbook_values() -> None:
    assert log_loss([0.5, 1.0, 0.0], [1, 1, 0]) == pytest.approx([np.log(2), 0, 0], abs=1e-14)
    assert log_loss([0.7], [0.7]) == pytest.approx([0.610864], abs=1e-6)
    assert brier_score([[0.2, 0.8]], [1]) == pytest.approx([0.08])
    assert spherical_score([0.6], [1]) == pytest.approx([-0.6 / np.hypot(0.6, 0.4)])
    assert ranked_probability_score([[0.5, 0.3, 0.2]], [0]) == pytest.approx([(0.25 + 0.04) / 2])
    assert crps([[0.0, 2.0]], [1.0]) == pytest.approx([1 - 0.5])
    assert crps([[3.0]], [1.0]) == pytest.approx([2.0])  # one draw: the absolute error


@pytest.mark.parametrize("score", [log_loss, brier_score, spherical_score])
def test_saying_what_one_believes_is_optimal(score) -> None:  # type: ignore[no-untyped-def]
    truth, grid = 0.3, np.linspace(0.01, 0.99, 99)
    expected = truth * score(grid, np.ones(99, dtype=int)) + (1 - truth) * score(grid, np.zeros(99, dtype=int))
    assert grid[np.argmin(expected)] == pytest.approx(0.3)


def test_bad_probabilities_are_refused() -> None:
    with pytest.raises(SettingError, match=r"\[0, 1\]"):
        reliability_curve([1.2], [1])
    with pytest.raises(SettingError, match="no probability"):
        calibration_error([np.nan], [1])
    with pytest.raises(SettingError, match="same"):
        log_loss([0.5], [1, 0])
