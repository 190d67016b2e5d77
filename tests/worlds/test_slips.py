"""The error catalogue of the arithmetic world."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.worlds.chains import check, draw, problem, solve
from zermelo.worlds.slips import ERRORS, inject_slip, slip_step

KINDS = [error.name for error in ERRORS]

GOLDEN = [
    ("lost_carry", True, "5+7=2\n2-9=-7\nA: -7"),
    ("lost_carry", False, "5+7=2\n12-9=3\nA: 3"),
    ("swapped_operands", True, "5+7=12\n9-12=-3\nA: -3"),
    ("skipped_step", False, "12-9=3\nA: 3"),
]


@pytest.mark.parametrize(("kind", "follows", "text"), GOLDEN)
def test_gives_the_slip_worked_by_hand(kind: str, follows: bool, text: str) -> None:
    task = problem("5+7-9=?")
    # both steps of 5+7-9 have a carry or borrow: look until the first is the one that was chosen
    found = [inject_slip(solve(task), task, random.Random(seed), kind=kind, follows=follows) for seed in range(20)]
    assert text in {edited.text for edited in found if edited}


@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    follows=st.booleans(),
    story=st.booleans(),
    difficulty=st.integers(1, 6),
)
def test_every_slip_is_wrong_and_differs_at_its_place_alone(
    seed: int, kind: str, follows: bool, story: bool, difficulty: int
) -> None:
    rng = random.Random(seed)
    task = problem(draw(rng, difficulty=difficulty, kind="story" if story else "expression"))
    text = solve(task)
    edited = inject_slip(text, task, rng, kind=kind, follows=follows)
    if edited is None:
        return
    found = check(task, edited.text)
    end = edited.start + len(edited.before)
    assert text[edited.start : end] == edited.before
    assert edited.text.startswith(text[: edited.start] + edited.after)
    assert edited.before != edited.after and not found.complete
    if follows:
        assert not found.right
        assert set(found.verdicts[(edited.step or 0) + (kind != "skipped_step") :]) <= {"follows", "slip"}
    else:
        assert found.first_slip == edited.step
        assert edited.text == text[: edited.start] + edited.after + text[end:]


def test_prose_around_the_equations_stays_as_it_is() -> None:
    task = problem("20-50+7=?")
    text = "First, 20 - 50 = -30. Next we add: -30 + 7 = -23. The answer is -23, of course."
    edited = inject_slip(text, task, random.Random(0), kind="dropped_sign")
    assert edited is not None
    assert edited.text in {
        "First, 20-50=30. Next we add: 30+7=37. The answer is 37, of course.",
        "First, 20 - 50 = -30. Next we add: -30+7=23. The answer is 23, of course.",
    }


def test_a_wrong_or_incomplete_solution_is_left_alone() -> None:
    task = problem("5+7-9=?")
    for text in ("A: 3", "5+7=13\n13-9=4\nA: 4", "", "5+7=12\n12-9=3\nA: 4"):
        assert inject_slip(text, task, random.Random(0), kind="wrong_digit") is None


def test_an_unknown_kind_is_refused_with_a_suggestion() -> None:
    with pytest.raises(SettingError) as error:
        inject_slip("A: 3", problem("1+2=?"), random.Random(0), kind="lost_cary")
    assert error.value.hint == "did you mean `lost_carry`?"


def test_one_equation_can_slip_on_its_own() -> None:
    assert slip_step("5 - 9 = -4\n", random.Random(0), kind="dropped_sign") == "5-9=4\n"
    assert slip_step("5+4=9", random.Random(0), kind="lost_carry") is None
    assert slip_step("no equation", random.Random(0), kind="wrong_digit") is None
