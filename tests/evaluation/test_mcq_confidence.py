"""Reasoning and confidence: Jensen's example, sums by hand, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.mcq_confidence import ReasoningConfidence

FEW = ReasoningConfidence(resamples=50)


def test_the_example_of_two_reasonings_gives_sixty_two_and_eighty_six_percent() -> None:
    # five reasonings: three say (.9, .1), two (.2, .8); the direct answer is their mixture
    reasonings = np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 2)
    found = FEW.measure([reasonings.mean(axis=0)] * 2, [reasonings] * 2, [0, 1])
    assert found.figures["confidence_direct"].value == pytest.approx(0.62)
    assert found.figures["confidence_reasoned"].value == pytest.approx(0.86)
    assert found.figures["rise_wrong"].value == found.figures["rise_right"].value == pytest.approx(0.24)
    assert found.figures["accuracy_reasoned"].value == 0.5
    assert found.figures["over_reasoned"].value == pytest.approx(0.36)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_mixture_is_never_surer_than_its_parts(seed) -> None:
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet(np.full(4, 0.5), size=(6, 8))
    found = FEW.measure(parts.mean(axis=1), parts, rng.integers(0, 4, 6))
    assert found.figures["rise"].value >= -1e-12


def test_parts_that_agree_on_the_answer_gain_nothing() -> None:
    parts = np.array([[[0.9, 0.1], [0.7, 0.3]]])
    found = FEW.measure(parts.mean(axis=1).repeat(2, 0), parts.repeat(2, 0), [0, 0])
    assert found.figures["rise"].value == pytest.approx(0)


def test_every_pattern_of_switching_is_counted_by_hand() -> None:
    direct = [[0.5, 0.3, 0.2]] * 5
    reasoned = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.0, 0.0, 1.0]]
    found = FEW.measure(direct, reasoned, [0, 0, 1, 1, 1])
    assert found.switches["right→right"] == (1, pytest.approx(0.3))
    assert found.switches["right→wrong"] == (1, pytest.approx(0.3))
    assert found.switches["wrong→right"] == (1, pytest.approx(0.3))
    assert found.switches["wrong→wrong"] == (1, pytest.approx(0.1))
    assert found.switches["wrong→other wrong"] == (1, pytest.approx(0.5))
    assert found.figures["accuracy_direct"].value == found.figures["accuracy_reasoned"].value == pytest.approx(0.4)
    assert found.figures["rise_right"].value == pytest.approx(0.3)
    assert found.figures["rise_wrong"].value == pytest.approx((0.3 + 0.1 + 0.5) / 3)
    assert found.to_json()["switches"]["wrong→wrong"] == {"n": 1, "rise": pytest.approx(0.1)}
    assert len(found.table()) == 11
    assert "Confidence in wrong answers" in found.to_html()


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="expected"):
        FEW.measure([[0.5, 0.5]], [[0.3, 0.3, 0.4]], [0])
    with pytest.raises(DataError, match="sum to 1"):
        FEW.measure([[0.5, 0.4]], [[0.5, 0.5]], [0])
    with pytest.raises(DataError, match="index"):
        FEW.measure([[0.5, 0.5]], [[0.5, 0.5]], [2])
    with pytest.raises(SettingError, match="no question"):
        FEW.measure(np.zeros((0, 2)), np.zeros((0, 2)), [])
