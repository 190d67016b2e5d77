"""Drifts of stances: the worked trajectory, the closed form of KL-regularised training, noise of the judge."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation.value_drift import ValueDrift, drift_time, unblurred, value_gap
from zermelo.worlds.tabular import Tabular

WALK = np.array([[0.3, 0.5, 0.2], [0.4, 0.45, 0.15], [0.58, 0.32, 0.1], [0.6, 0.3, 0.1], [0.59, 0.31, 0.1]])
STEPS = [0, 100, 200, 300, 400]


def test_the_worked_trajectory() -> None:
    result = ValueDrift().measure(WALK[:, None, :], steps=STEPS)
    assert [d.magnitude.value for d in result.drifts] == pytest.approx([0.29, -0.19, -0.10])
    assert sum(d.magnitude.value for d in result.drifts) == pytest.approx(0)
    assert result.distance["all"] == pytest.approx(0.29)
    # support moves by .30 at most; 95 % of it, .285, is first reached at index 3 of 4
    assert result.drifts[0].time == 0.75


def test_a_policy_that_stands_still_has_no_drift_and_no_time() -> None:
    result = ValueDrift().measure(np.repeat(WALK[:1, None, :], 5, axis=0), steps=STEPS)
    assert all(d.magnitude.value == 0 and np.isnan(d.time) for d in result.drifts)
    assert np.isnan(drift_time([0.5, 0.5], [0, 1], still=0.0))


def test_arrived_is_most_of_the_way_not_the_farthest_point() -> None:
    walk = [0.3, 0.59, 0.6, 0.58]  # .29 of .30 is more than 95 %
    assert drift_time(walk, [0, 1, 2, 4]) == 0.25
    assert drift_time(walk, [0, 1, 2, 4], reached=1.0) == 0.5


def test_renaming_stances_permutes_drifts() -> None:
    one = ValueDrift().measure(WALK[:, None, :], steps=STEPS)
    two = ValueDrift().measure(WALK[:, None, ::-1], steps=STEPS, stances=("oppose", "neutral", "support"))
    by_name = {d.stance: d.magnitude.value for d in two.drifts}
    assert {d.stance: d.magnitude.value for d in one.drifts} == pytest.approx(by_name)


@pytest.mark.parametrize(("beta", "moved"), [(10, 0.0206), (1, 0.2466), (0.3, 0.7023)])
def test_kl_regularised_training_drifts_by_the_closed_form(beta: float, moved: float) -> None:
    reference = np.array([[0.2, 0.6, 0.2]])
    optimum = np.exp(Tabular(np.log(reference), np.array([[1.0, 0.0, -1.0]])).optimum(beta))
    result = ValueDrift().measure(np.stack([reference, optimum]), steps=[0, 1])
    assert result.drifts[0].magnitude.value == pytest.approx(moved, abs=5e-5)


def test_topics_are_apart_and_intervals_are_over_prompts() -> None:
    rng = np.random.default_rng(0)
    start = rng.dirichlet([4, 6, 4], size=60)
    end = start.copy()
    end[:30, 0] += 0.5 * end[:30, 1]
    end[:30, 1] *= 0.5
    result = ValueDrift().measure(np.stack([start, end]), steps=[0, 10], topics=["moves"] * 30 + ["stays"] * 30)
    drift = {(d.topic, d.stance): d.magnitude for d in result.drifts}
    assert drift["moves", "support"].excludes(0) and drift["stays", "support"].value == 0
    assert drift["moves", "support"].n == 30
    assert json.loads(json.dumps(result.to_json()))["distance"]["stays"] == 0
    assert "moves" in result.to_html()


def test_the_gap_of_preference_data_by_hand() -> None:
    found = value_gap([[1, 0, 0], [0.5, 0.5, 0]], [[0, 0, 1], [0.5, 0.5, 0]])
    assert found.gap == pytest.approx((0.5, 0.0, -0.5)) and found.distance == pytest.approx(0.5)
    assert value_gap([[0.2, 0.8]], [[0.2, 0.8]]).distance == 0


def test_a_blurring_judge_is_undone_by_its_confusion() -> None:
    confusion = np.array([[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]])
    judged = WALK @ confusion
    assert unblurred(judged, confusion) == pytest.approx(WALK)
    blurred = ValueDrift().measure(judged[:, None], steps=STEPS).drifts[0].magnitude.value
    clear = ValueDrift().measure(unblurred(judged, confusion)[:, None], steps=STEPS).drifts[0].magnitude.value
    assert abs(blurred) < abs(clear) == pytest.approx(0.29)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shares": WALK, "steps": STEPS},
        {"shares": 2 * WALK[:, None], "steps": STEPS},
        {"shares": WALK[:, None], "steps": [0, 2, 1, 3, 4]},
        {"shares": WALK[:, None], "steps": STEPS, "topics": ["a", "b"]},
    ],
    ids=["shape", "no distribution", "order", "topics"],
)
def test_what_is_no_trajectory_is_refused(wrong) -> None:
    with pytest.raises(SettingError):
        ValueDrift().measure(**wrong)
    with pytest.raises(SettingError):
        unblurred([0.5, 0.5], [[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(SettingError):
        value_gap([[1.0, 0.0]], [[1.0]])
