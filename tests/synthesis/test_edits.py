"""Wrong edits by rule, and the checker that calls them wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.synthesis.edits import OPERATORS, change_symbol, equalities, sound, trimmed

STEP = "3 * 4 = 12, then 12 + 5 = 17."


def outcomes(name: str, text: str) -> set[str | None]:
    return {OPERATORS[name](text, random.Random(seed)) for seed in range(60)}


def test_changing_the_first_symbol_makes_a_true_step_false() -> None:
    edited = "3 + 4 = 12, then 12 + 5 = 17."
    assert edited in outcomes("change_symbol", STEP)
    assert sound(STEP) is True
    assert sound(edited) is False


@pytest.mark.parametrize(
    ("name", "text", "one_of_them"),
    [
        ("change_value", "It costs 7.", "It costs 3."),
        ("change_values", STEP, "3 * 4 = 15, then 15 + 5 = 17."),
        ("wrong_substitution", "4 - 9 = -5", "9 - 9 = -5"),
        ("delete_term", "2 + 3 + 4 = 9", "2 + 4 = 9"),
        ("swap_terms", "8 - 3 = 5", "3 - 8 = 5"),
        ("change_unit", "It takes 3 hours.", "It takes 3 minutes."),
        ("misread_words", "Each box holds more.", "Together box holds more."),
    ],
)
def test_each_operator_makes_the_edit_that_its_name_says(name: str, text: str, one_of_them: str) -> None:
    assert one_of_them in outcomes(name, text)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_a_text_with_nothing_to_edit_is_left(name: str) -> None:
    assert outcomes(name, "Hm?") == {None}
    assert outcomes(name, "") == {None}


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("2+3=5", [True]),
        ("47-82=-35\n-35+36=1", [True, True]),
        ("1/3 + 1/6 = 1/2", [True]),
        ("2 × 3 = 6 and 6 ÷ 4 = 1.5.", [True, True]),
        ("2 * (3 + 4) = 2 * 7 = 14", [True, True]),
        ("2 * (3 + 4) = 2 * 7 = 15", [True, False]),
        ("- 3 * 4 = 12", [True]),
        ("the boxes * 4 = 12; it is -5 + 3 = -2", [True]),
        ("12 = 12 - x", []),
        ("1" * 50_000, []),
        ("1/0 = 2", []),
        ("x = 3", []),
        ("9**9**9 = 1", []),
        ("no numbers", []),
    ],
)
def test_equalities_are_evaluated_exactly(text: str, held: list[bool]) -> None:
    assert equalities(text) == held


@given(text=st.text(alphabet="0123456789+-*/=() .\nax", max_size=80), seed=st.integers(0, 99))
def test_any_text_can_be_checked_and_edited(text: str, seed: int) -> None:
    sound(text)
    for operator in OPERATORS.values():
        assert operator(text, random.Random(seed)) is None or True
    assert change_symbol("", random.Random(seed)) is None


@given(before=st.text(max_size=30), after=st.text(max_size=30))
def test_a_trimmed_edit_turns_the_one_text_into_the_other(before: str, after: str) -> None:
    start, old, new = trimmed(before, after)
    assert before[:start] + new + before[start + len(old) :] == after
    assert before[start : start + len(old)] == old
