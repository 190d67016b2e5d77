"""The lapse rate: planted flips are counted, a weak classifier is not taken for noise."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.stats.lapse import label_wrong, lapse_rate


def votes(seed: int, *, sharp: float, flips: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, log-probabilities on a wrong scale, and which labels were flipped."""
    rng = np.random.default_rng(seed)
    logit = sharp * rng.normal(size=n)
    true = rng.random(n) < 1 / (1 + np.exp(-logit))
    wrong = rng.random(n) < flips
    return (true ^ wrong).astype(int), np.stack([0 * logit, 0.3 * logit], axis=1), wrong


@pytest.mark.parametrize("flips", [0.05, 0.1, 0.2])
def test_planted_flips_are_counted(flips: float) -> None:
    inside = 0
    for seed in range(10):
        y, x, _ = votes(seed, sharp=4, flips=flips)
        found = lapse_rate(y, x)
        assert found.rate.value == pytest.approx(flips, abs=0.05)
        inside += found.rate.low <= flips <= found.rate.high
    assert inside >= 7  # P(fewer of 10 at 95 %) = 0.001


def test_a_weak_classifier_on_clean_labels_is_not_taken_for_noise() -> None:
    found = [lapse_rate(*votes(seed, sharp=1, flips=0)[:2]) for seed in range(10)]
    assert np.median([item.rate.value for item in found]) < 0.05
    assert sum(item.gain > 3.32 for item in found) <= 1  # χ²(1) at 0.01
    argmax_errors = np.mean([np.mean(item.belief[:, 0] > 0.5) for item in found])
    assert argmax_errors > 0.4  # the classifier itself errs in a third of the items


def test_a_classifier_without_skill_says_nothing() -> None:
    y, x, _ = votes(0, sharp=0, flips=0.1)
    x = x + np.random.default_rng(1).normal(size=x.shape)
    found = lapse_rate(y, x)
    assert not found.has_skill and not found.found and np.isnan(found.rate.value) and np.isnan(found.wrong).all()


def test_the_scale_of_the_scores_does_not_matter() -> None:
    y, x, _ = votes(3, sharp=3, flips=0.1)
    one, other = lapse_rate(y, x), lapse_rate(y, 1000 * x + 7)
    assert one.rate.value == pytest.approx(other.rate.value, abs=1e-4)
    assert one.scale == pytest.approx(1000 * other.scale, rel=1e-3)
    assert one.wrong == pytest.approx(other.wrong, abs=1e-3)


def test_suspects_are_the_flipped_ones() -> None:
    y, x, wrong = votes(4, sharp=6, flips=0.1)
    found = lapse_rate(y, x).wrong > 0.5
    assert wrong[found].mean() > 0.8
    assert found.sum() > 0.5 * wrong.sum()


def test_the_chances_of_being_wrong_add_up_to_the_rate() -> None:
    y, x, _ = votes(5, sharp=4, flips=0.15, n=20_000)
    found = lapse_rate(y, x)
    assert found.wrong.mean() == pytest.approx(found.rate.value, abs=0.003)  # the score equation of ε


def test_several_classes_share_the_noise() -> None:
    rng = np.random.default_rng(6)
    true = rng.integers(4, size=5000)
    y = np.where(rng.random(5000) < 0.12, (true + rng.integers(1, 4, size=5000)) % 4, true)
    x = 3 * np.eye(4)[true] + rng.gumbel(size=(5000, 4)) * 0.5
    assert lapse_rate(y, x).rate.value == pytest.approx(0.12, abs=0.02)


def test_bayes_by_hand() -> None:
    # ε = 0.1, belief in the label 0.2: 0.1 · 0.8 / (0.9 · 0.2 + 0.1 · 0.8)
    assert label_wrong([0], [[0.2, 0.8]], 0.1) == pytest.approx([0.08 / 0.26])
    assert label_wrong([1, 0], [[0.2, 0.8], [1.0, 0.0]], 0.0).tolist() == [0, 0]


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(DataError):
        lapse_rate([0, 1], [[0.0, 1.0], [1.0, 0.0]])


def test_an_offset_serves_unbalanced_classes() -> None:
    rng = np.random.default_rng(7)
    logit = 4 * rng.normal(size=6000) - 5
    true = rng.random(6000) < 1 / (1 + np.exp(-logit))
    wrong = rng.random(6000) < 0.1
    x = np.stack([0 * logit, logit + 5], axis=1)  # a score whose zero means nothing
    found = lapse_rate((true ^ wrong).astype(int), x, offset=True)
    assert found.rate.low <= 0.1 <= found.rate.high and found.rate.value == pytest.approx(0.1, abs=0.02)
    clean = lapse_rate(true.astype(int), x, offset=True)
    assert clean.rate.value < 0.01 and clean.belief[:, 1].mean() == pytest.approx(true.mean(), abs=0.01)
    plain = lapse_rate((true ^ wrong).astype(int), np.stack([0 * logit, logit], axis=1))
    assert plain.rate.value == pytest.approx(found.rate.value, abs=0.01)
