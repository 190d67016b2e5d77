from __future__ import annotations

import numpy as np
import pytest

from zermelo.search import majority_curve, selector_pass_at_k


def test_six_samples_of_which_four_are_right_give_the_hypergeometric_share() -> None:
    answers, correct = ["7", "7", "7", "7", "9", "9"], [1, 1, 1, 1, 0, 0]
    assert majority_curve(answers, correct, [1, 3], subsets=1)[1] == pytest.approx(0.8)
    assert majority_curve(answers, correct, [1, 3])[0] == pytest.approx(4 / 6)


def test_enumerated_subsets_give_the_same_as_the_closed_form() -> None:
    answers, correct = ["7", "7", "7", "7", "9", "9", "7"], [1, 1, 1, 1, 0, 0, 1]
    closed = majority_curve(answers, correct, [3, 5])
    listed = majority_curve(answers, correct, [3, 5], scores=[0.5] * 7)  # a weighted vote of equal weights
    assert listed == pytest.approx(closed)


@pytest.mark.parametrize(("n", "expected"), [(1, 0.6), (3, 0.648), (5, 0.68256), (11, 0.753498)])
def test_many_samples_of_a_two_answer_world_give_the_binomial(n: int, expected: float) -> None:
    correct = np.repeat([1, 0], [60_000, 40_000])
    answers = np.where(correct, "right", "wrong").tolist()
    assert majority_curve(answers, correct, [n])[0] == pytest.approx(expected, abs=2e-4)  # without replacement


def test_random_subsets_come_near_the_exact_value_and_repeat() -> None:
    rng = np.random.default_rng(0)
    answers = [str(a) for a in rng.choice(3, size=14, p=[0.5, 0.3, 0.2])]
    correct = [a == "0" for a in answers]
    exact = majority_curve(answers, correct, [4], subsets=10_000)
    drawn = majority_curve(answers, correct, [4], subsets=600, seed=1)
    assert drawn == pytest.approx(exact, abs=0.06)  # 3 standard errors of 600 draws
    assert drawn == majority_curve(answers, correct, [4], subsets=600, seed=1)


def test_samples_without_answers_are_wrong_and_sizes_beyond_the_samples_unknown() -> None:
    assert majority_curve([None, None], [0, 0], [1, 2, 3]) == pytest.approx([0, 0, np.nan], nan_ok=True)


def test_scores_turn_the_vote() -> None:
    answers, correct = ["a", "a", "b"], [0, 0, 1]
    assert majority_curve(answers, correct, [3])[0] == 0
    assert majority_curve(answers, correct, [3], scores=[0.1, 0.2, 0.9])[0] == 1


def test_pass_at_k_of_a_selector_looks_at_the_samples_it_returned() -> None:
    assert selector_pass_at_k([[0, 2], [1]], [[0, 1, 1], [1, 0]]).tolist() == [1, 0]
