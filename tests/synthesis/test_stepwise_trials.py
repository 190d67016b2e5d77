"""ReCUT: rewards, the path, pools and pairs with a scripted sampler."""

from __future__ import annotations

import random

import pytest

from zermelo.errors import SettingError
from zermelo.synthesis.stepwise_trials import accuracy_pair, boxed, length_pair, stepwise_trials, trial_reward


def test_rewards_computed_by_hand() -> None:
    assert trial_reward("x" * 200, True) == pytest.approx(0.005)
    assert trial_reward("x" * 100, True) == pytest.approx(0.01)
    assert trial_reward("x" * 100, False) == pytest.approx(-0.01)
    assert trial_reward("x" * 400, False) == pytest.approx(-0.0025)  # of two wrong ones the longer wins
    assert trial_reward("", False) == float("-inf")


def test_braces_of_the_answer_are_matched() -> None:
    assert boxed(r"so \boxed{1} or rather \boxed{\frac{1}{2}} .") == r"\frac{1}{2}"
    assert boxed("no answer") is None
    assert boxed(r"\boxed{unclosed") is None


SCRIPT = {
    ("", "long"): "[STEP 1] Think of two. [STEP 2] Then add three. [STEP 3] \\boxed{6}",
    ("", "short"): "[STEP 1] 2+3. [STEP 2] \\boxed{5}",
    ("[STEP 1] 2+3. ", "long"): "[STEP 2] Adding two and three gives five. [STEP 3] \\boxed{5}",
    ("[STEP 1] 2+3. ", "short"): "[STEP 2] \\boxed{5}",
}


def trials():
    return stepwise_trials(lambda prefix, mode: SCRIPT[prefix, mode], lambda text: boxed(text) == "5")


def test_keeps_the_first_step_of_the_better_trial() -> None:
    found = trials()
    assert found.path.text == "[STEP 1] 2+3. [STEP 2] \\boxed{5}"
    assert found.path.right
    assert found.modes == ("short", "short")
    assert [solution.right for solution in found.solutions] == [True, False, True, True]
    assert found == trials()


def test_pairs_for_length_and_for_accuracy() -> None:
    found = trials()
    shortest, longer = length_pair(found, random.Random(0))
    assert len(shortest) < len(longer)
    best, wrong = accuracy_pair(found, random.Random(0))
    assert (best, boxed(wrong)) == (found.path.text, "6")


def test_a_problem_without_a_right_solution_gives_no_pairs() -> None:
    found = stepwise_trials(lambda prefix, mode: SCRIPT[prefix, mode], lambda text: False, max_steps=1)
    assert not found.best.right
    assert length_pair(found, random.Random(0)) is None
    assert accuracy_pair(found, random.Random(0)) is None
    with pytest.raises(SettingError, match="max_steps"):
        stepwise_trials(lambda prefix, mode: "", lambda text: False, max_steps=0)
