"""Variance of benchmarks: worked numbers."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.evaluation.variance import item_analysis, monotonicity, paired_decision, seed_report


def test_monotonicity_is_kendalls_tau() -> None:
    assert monotonicity(np.array([0.25, 0.27, 0.26, 0.30, 0.33, 0.32, 0.36])) == pytest.approx(0.809524, abs=1e-6)


def test_seed_noise_is_that_worked_out_by_hand() -> None:
    found = seed_report(np.array([0.42, 0.44, 0.40, 0.43, 0.41]), n_items=500)
    assert (found.mean, found.sd, found.snr) == (
        pytest.approx(0.42), pytest.approx(0.015811, abs=1e-6), pytest.approx(26.563, abs=1e-3),
    )  # fmt: skip
    assert found.half_width == pytest.approx(0.043263, abs=1e-6)
    with pytest.raises(DataError, match="two seeds"):
        seed_report(np.array([0.4]))


def test_checkpoints_are_averaged_over_seeds() -> None:
    found = seed_report(np.array([[0.1, 0.2, 0.3], [0.1, 0.3, 0.2]]), chance=0.25)
    assert found.monotonicity == pytest.approx((1 + 1 / 3) / 2)
    assert found.mean == pytest.approx(0.25)
    assert found.snr_over_chance == pytest.approx(0, abs=1e-9)


def test_items_are_analysed_as_by_hand() -> None:
    y = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0]])
    found = item_analysis(y)
    np.testing.assert_allclose(found.difficulty, [0.8, 0.8, 0.4, 0.2])
    np.testing.assert_allclose(found.discrimination, [0.514496, 0.514496, 0.910182, 0.771744], atol=1e-6)
    np.testing.assert_allclose(found.discrimination_rest, [0.196116, 0.196116, 0.763763, 0.559017], atol=1e-6)


def test_seed_noise_widens_a_decision() -> None:
    a, b = np.array([1.0, 1, 1, 0, 1, 1, 1, 1]), np.array([0.0, 1, 0, 0, 1, 0, 1, 0])
    assert paired_decision(a, b).significant
    assert not paired_decision(a, b, seed_sd=0.2).significant
