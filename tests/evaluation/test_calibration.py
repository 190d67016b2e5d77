from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation import Calibration, RewardModelAccuracy

Q, Y = np.array([0.9, 0.8, 0.3, 0.6, 0.4]), np.array([1, 0, 0, 1, 1])


def test_gives_the_figures_computed_by_hand() -> None:
    found = Calibration(resamples=50).measure(Q, Y)
    assert found.error.value == pytest.approx(0.44) and found.brier.value == pytest.approx(0.252)
    assert found.accuracy.value == pytest.approx(0.6) and found.confidence == pytest.approx(0.72)
    assert found.to_json()["ece"]["value"] == pytest.approx(0.44)
    assert "Reliability" in found.to_html()


def test_the_order_of_pairs_does_not_matter_when_pairs_count_both_ways() -> None:
    settings = Calibration(resamples=50)
    there = settings.measure(Q, Y, symmetric=True)
    flipped = np.array([True, False, True, True, False])
    back = settings.measure(np.where(flipped, 1 - Q, Q), np.where(flipped, 1 - Y, Y), symmetric=True)
    for name in ("error", "brier", "log_loss", "accuracy"):
        assert getattr(there, name).value == pytest.approx(getattr(back, name).value)
    assert there.error.n == 5  # a pair is one unit, however often it counts


def test_a_reward_model_with_the_true_scores_is_calibrated_and_a_loud_one_is_not() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 4000)
    prob = (rng.random(4000) < 1 / (1 + np.exp(-margin))).astype(float)
    true, loud = (
        RewardModelAccuracy(resamples=100).measure(margin, prob),
        RewardModelAccuracy(resamples=100).measure(4 * margin, prob),
    )
    assert true.accuracy.value == loud.accuracy.value == pytest.approx(0.77, abs=0.02)
    assert true.calibration.error.value < 0.03 < 0.1 < loud.calibration.error.value
    assert true.calibration.log_loss.value < loud.calibration.log_loss.value
    cooled = RewardModelAccuracy(temperature=4.0, resamples=100).measure(4 * margin, prob)
    assert cooled.calibration.log_loss.value == pytest.approx(true.calibration.log_loss.value)


def test_equal_scores_count_one_half_and_tied_pairs_are_not_decided() -> None:
    found = RewardModelAccuracy(resamples=50).measure([1, 0, -1, 2], [1, 1, 1, 0.5])
    assert found.accuracy.value == pytest.approx(0.5)
    assert (found.n_pairs, found.n_tied_pairs) == (3, 1)
    assert RewardModelAccuracy(resamples=50).measure([1, -2], [1, 0.2]).margins.tolist() == [1, 2]


def test_length_alone_stands_beside_the_scorer() -> None:
    found = RewardModelAccuracy(resamples=50).measure([1, 1, 1, -1], length_margin=[5, -5, 5, 5])
    assert found.accuracy.value == found.length_accuracy.value == 0.75  # type: ignore[union-attr]
    assert found.beyond_length is not None and found.beyond_length.value == 0
    assert found.to_json()["reward_accuracy"] == 0.75 and "length alone" in found.to_html()


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(SettingError, match="no decided pair"):
        RewardModelAccuracy().measure([1.0], [0.5])
    with pytest.raises(SettingError, match="differ in number"):
        RewardModelAccuracy().measure([1.0, 2.0], [1.0])
