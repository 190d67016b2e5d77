"""Judges made of numbers: probabilities by hand, common luck, leniency that cancels, bad settings."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.worlds import SimulatedJudge, SimulatedRater


def test_every_bias_adds_its_logits() -> None:
    judge = SimulatedJudge(2.0, position=0.3, own_bonus=0.5, cues={"authority": -1.0}, taste=(0.1, -0.2))
    p = judge.probability([0.7], features=[[1.0, 2.0]], shown=[-1], own=[1], pointed={"authority": [-1]})
    logit = 2.0 * 0.7 + (0.1 - 0.4) - 0.3 + 0.5 + 1.0
    assert p[0] == pytest.approx(1 / (1 + np.exp(-logit)))
    assert SimulatedJudge().probability(0.0) == 0.5


def test_exchanging_the_two_answers_gives_the_rest_of_the_probability() -> None:
    judge = SimulatedJudge(1.5, position=0.4, own_bonus=0.8)
    gap = np.random.default_rng(0).normal(size=20)
    np.testing.assert_allclose(
        judge.probability(gap, shown=1.0, own=1.0), 1 - judge.probability(-gap, shown=-1.0, own=-1.0)
    )


def test_the_same_item_meets_the_same_luck_whatever_it_is_shown() -> None:
    judge = SimulatedJudge(seed=5)
    low, high = judge.choose(np.full(5000, 0.3)), judge.choose(np.full(5000, 0.4))
    assert (high >= low).all()
    assert (high - low).mean() == pytest.approx(0.1, abs=0.015)
    assert low.mean() == pytest.approx(0.3, abs=0.02)
    assert (judge.choose(np.full(5000, 0.3), repeat=1) != low).any()
    np.testing.assert_array_equal(SimulatedJudge(seed=5).choose(np.full(5000, 0.3)), low)


def test_leniency_moves_all_answers_to_a_question_alike() -> None:
    rater = SimulatedRater(leniency=3.0, noise=0.0, low=-100, high=100, seed=1)
    grades = rater.grade(np.array([[0.0], [2.0]]) + np.zeros((2, 50)))
    np.testing.assert_array_equal(grades[1] - grades[0], np.full(50, 2.0))
    assert grades[0].std() > 2
    np.testing.assert_array_equal(rater.grade(np.zeros((2, 50)), repeat=3), rater.grade(np.zeros((2, 50))))


def test_grades_are_whole_and_inside_the_scale() -> None:
    grades = SimulatedRater(seed=2).grade(np.random.default_rng(0).normal(0, 5, (3, 200)))
    assert set(np.unique(grades)) == {1, 2, 3, 4, 5}


def test_bad_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="sharpness"):
        SimulatedJudge(sharpness=0)
    with pytest.raises(SettingError, match="knows no cue"):
        SimulatedJudge().probability(0.0, pointed={"authority": 1})
    with pytest.raises(SettingError, match="low < high"):
        SimulatedRater(low=5, high=1)
    with pytest.raises(SettingError, match="systems, questions"):
        SimulatedRater().grade([1.0])
