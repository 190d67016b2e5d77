from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.scorers.answers import final_answer, parse_number, same_answer

EQUAL = [
    ("1/2", r"\frac{1}{2}"),
    ("0.5", r"\dfrac12"),
    ("50%", "0.5"),
    (r"50\%", "50"),
    ("50 %", "50%"),
    ("1,000", "1000"),
    (r"1{,}000", r"1\,000"),
    (r"11,\! 111,\! 100", "11111100"),
    ("1 1/2", r"1\frac{1}{2}"),
    ("1½", "3/2"),
    ("$5", "5 dollars"),
    (r"\$18.90", "18.9"),
    ("5 cm", "5"),
    ("5 cm", "5 cm."),
    (r"10\text{ meters}", "10 meter"),
    (r"90^\circ", "90"),
    (r"2\sqrt{3}", r"\sqrt{12}"),
    (r"\frac{3\pi}{4}", "0.75π"),
    ("x = 5", "5"),
    ("−3", "-3.0"),
    (r"2 \times 10^3", "2000"),
    ("1e3", "1000"),
    (r"3^{-2}", "1/9"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\pi/2)"),
    ("1, -2", "-2,1"),
    (r"x \in [-2,7]", "[-2, 7]"),
    (r"\text{(C)}", "C"),
    (r"\text{Evelyn}", "evelyn"),
    ("4210_{5}", "4210_5"),
    (r"(2,12) \cup (12,102)", r"(2, 12) \cup (12, 102)"),
    (r"\boxed{7}", "7"),
    ("$7$", r"\(7\)"),
]
UNEQUAL = [
    ("1/2", "1/3"),
    ("50%", "5"),
    ("5 cm", "5 m"),
    ("(1, 2)", "(2, 1)"),
    ("(1, 2)", "[1, 2]"),
    ("1, 2", "1, 2, 3"),
    ("3x", "3"),
    ("", ""),
    ("1,000", "1"),
    ("0.333", "1/3"),
    ("12,34", "1234"),
]


@pytest.mark.parametrize(("given_answer", "gold"), EQUAL)
def test_equal_answers_are_equal_both_ways(given_answer: str, gold: str) -> None:
    assert same_answer(given_answer, gold)
    assert same_answer(gold, given_answer)


@pytest.mark.parametrize(("given_answer", "gold"), UNEQUAL)
def test_different_answers_are_different(given_answer: str, gold: str) -> None:
    assert not same_answer(given_answer, gold)
    assert not same_answer(gold, given_answer)


@given(st.fractions(max_denominator=1000, min_value=-(10**6), max_value=10**6))
def test_every_way_of_writing_a_fraction_is_read_exactly(value: Fraction) -> None:
    n, d = value.numerator, value.denominator
    for text in (f"{n}/{d}", rf"\frac{{{n}}}{{{d}}}", f"{'-' if n < 0 else ''}{abs(n):,}/{d}"):
        found = parse_number(text)
        assert found is not None and found.value == value, text


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    found = final_answer(text)
    assert found is None or isinstance(found, str)
    assert same_answer(text, "1") in (True, False, None)
    number = parse_number(text)
    assert number is None or number.value == number.value


@pytest.mark.parametrize(
    "text", ["9^9^9^9", "(" * 190, r"\frac{1}{0}", "2^99999", r"\sqrt{-1}", "1/0", "\\boxed{" * 20]
)
def test_what_has_no_value_has_none(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"so \boxed{1} or rather \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("He has 3.\n#### 1,234", "1,234"),
        ("5 + 5 = 10\nA: 10", "10"),
        ("The answer is 42 apples. Bye 7.", "42"),
        ("Therefore the final answer is: -3.5", "-3.5"),
        ("First 3, then 4, so 12.", "12"),
        ("It costs $1,200.50 in total.", "$1,200.50"),
        ("about 25%", "25%"),
        ("range 3-4", "4"),
        ("nothing here", None),
    ],
)
def test_the_final_answer_is_found(text: str, found: str | None) -> None:
    assert final_answer(text) == found


def test_agrees_with_the_flags_of_four_published_models(shared_data: Path) -> None:
    import pandas as pd

    gold = pd.read_parquet(shared_data / "gsm8k/test.parquet").set_index("id").answer
    solutions = pd.read_parquet(shared_data / "gsm8k/model_solutions.parquet")
    ours = [
        same_answer(final_answer(text) or "", final_answer(gold[item]) or "")
        for item, text in zip(solutions.id, solutions.solution, strict=True)
    ]
    assert (solutions.is_correct == ours).all()
    assert len(ours) == 4148


def test_agrees_with_another_checker_on_competition_mathematics(shared_data: Path) -> None:
    """The other checker compares texts: 16 of our 17 differences are equal values written differently (0.09, 9/100)."""
    import pandas as pd

    gold = pd.read_parquet(shared_data / "rl_checkpoints/math500.parquet").set_index("item").answer
    rows = pd.read_parquet(shared_data / "rl_checkpoints/responses.parquet")
    ours = [
        same_answer(final_answer(text) or "", gold[item]) for item, text in zip(rows.item, rows.response, strict=True)
    ]
    differ = rows.correct != ours
    assert differ.sum() == 17
    assert (differ & rows.correct).sum() == 1  # 3 − 13x against −13x + 3: we do no algebra
