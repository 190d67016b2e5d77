"""Problems, their solutions and the verifier."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.worlds.chains import Problem, Step, check, draw, equations, final_answer, problem, solve, split_of

GOLDEN = [
    ("47-82+36=?", Problem(47, (("-", 82), ("+", 36))), "47-82=-35\n-35+36=1\nA: 1"),
    ("6*7-2=?", Problem(6, (("*", 7), ("-", 2))), "6*7=42\n42-2=40\nA: 40"),
    (
        "Ada buys 3 boxes of 12 shells. 7 are lost. How many shells are there now?",
        Problem(3, (("*", 12), ("-", 7))),
        "3*12=36\n36-7=29\nA: 29",
    ),
]


@pytest.mark.parametrize(("prompt", "task", "solution"), GOLDEN)
def test_reads_and_works_problems_as_by_hand(prompt: str, task: Problem, solution: str) -> None:
    assert problem(prompt) == task
    assert solve(task) == solution


@given(seed=st.integers(0, 10**6), difficulty=st.sampled_from([None, 1, 2, 3, 4, 5, 6]), story=st.booleans())
def test_every_problem_drawn_is_read_back_and_its_own_solution_is_right(
    seed: int, difficulty: int | None, story: bool
) -> None:
    prompt = draw(random.Random(seed), difficulty=difficulty, kind="story" if story else "expression")
    task = problem(prompt)
    found = check(task, solve(task))
    assert found.right and found.complete and found.first_slip is None
    assert len(task.terms) == difficulty or (difficulty is None and len(task.terms) in (2, 3))
    if story:
        assert all(value >= 0 for value in task.values)
    else:
        assert task.answer == eval(prompt.removesuffix("=?"))  # an independent reading: Python's own


def test_a_slip_is_marked_and_what_is_worked_from_it_follows() -> None:
    found = check(problem("47+38-20-1=?"), "47+38=75\n75-20=55\n55-1=54\nA: 54")
    assert found.verdicts == ("slip", "follows", "follows")
    assert found.labels == (0.0, 0.0, 0.0)
    assert found.first_slip == 0 and not found.right


def test_a_slip_that_leaves_later_steps_alone_makes_the_next_a_slip_too() -> None:
    found = check(problem("47+38-20-1=?"), "47+38=75\n85-20=65\n65-1=64\nA: 64")
    assert found.verdicts == ("slip", "slip", "right")
    assert found.right and not found.complete


def test_a_true_equation_that_was_not_asked_for_is_a_slip() -> None:
    assert check(problem("2+3+4=?"), "2+3=5\n5*4=20\nA: 20").verdicts == ("right", "slip")
    assert check(problem("2+3+4=?"), "2+3=5\n5+4=9\n9+1=10\nA: 9").verdicts == ("right", "right", "slip")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("A: -8", -8),
        ("The answer is 12.", 12),
        ("Answer: 5\nno, Answer: 6", 6),
        ("so it is 40", 40),
        ("", None),
        ("none", None),
        ("9" * 30, None),
    ],
)
def test_finds_the_final_answer_as_a_reader_would(text: str, answer: int | None) -> None:
    assert final_answer(text) == answer


def test_finds_equations_in_prose_with_other_signs() -> None:
    found = equations("First 3 × 4 = 12, then 12 ÷ 5 = 2; 7/0=1 and 1.5+2=3 are noise, 6 - -2 = 8.")
    assert [str(step) for step in found] == ["3*4=12", "12/5=2", "7/0=1", "6--2=8"]
    assert [step.true for step in found] == [True, False, False, True]
    assert isinstance(found[0], Step)


@given(text=st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    found = check(problem("2+3+4=?"), text)
    assert len(found.labels) == len(found.steps)


@pytest.mark.parametrize("prompt", ["", "=?", "2+3", "2+3*4=?", "How many shells are there now?", "2/0=?"])
def test_a_prompt_of_another_world_is_bad_data(prompt: str) -> None:
    with pytest.raises(DataError, match="no arithmetic problem"):
        problem(prompt)


def test_a_difficulty_out_of_range_is_refused() -> None:
    with pytest.raises(SettingError, match="1 to 6"):
        draw(random.Random(0), difficulty=7)


def test_one_prompt_of_eight_is_held_out_whatever_the_white_space() -> None:
    drawn = {draw(random.Random(seed)) for seed in range(4000)}
    share = sum(split_of(prompt) == "test" for prompt in drawn) / len(drawn)
    assert 0.10 < share < 0.15
    assert all(split_of(prompt) == split_of(f" {prompt}\n") for prompt in drawn)
