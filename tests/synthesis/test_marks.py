"""Stretches in which two texts differ."""

from __future__ import annotations

import pytest

from zermelo.errors import SettingError
from zermelo.synthesis.marks import fault_marks, id_marks, phrase_marks, token_marks

RIGHT = "def f(n):\n    for i in range(n):\n        print(i)\n"
FAULTY = "def f(n):\n    for i in range(n-1):\n        print(i)\n"


def texts(marks, text: str) -> list[str]:
    return [text[a:b] for a, b in marks]


def test_an_insertion_on_the_faulty_side_marks_what_follows() -> None:
    marks = fault_marks(RIGHT, FAULTY)
    assert texts(marks.one, RIGHT) == [")"]
    assert texts(marks.two, FAULTY) == ["-1"]


def test_exactly_one_line_differs() -> None:
    marks = fault_marks(RIGHT, FAULTY, focus="line")
    assert texts(marks.one, RIGHT) == ["for i in range(n):"]
    assert texts(marks.two, FAULTY) == ["for i in range(n-1):"]
    assert texts(fault_marks(RIGHT, FAULTY, focus="both").one, RIGHT) == ["for i in range(n):"]


@pytest.mark.parametrize("focus", ["line", "token", "both"])
def test_equal_programs_have_no_marks_nor_do_others_that_differ_in_white_space(focus) -> None:
    for other in (RIGHT, RIGHT.replace("range(n)", "range( n )")):
        assert fault_marks(RIGHT, other, focus=focus).one == ()


def test_phrases_are_paired_in_order() -> None:
    a, b = "The red fox sleeps at home today.", "The old grey fox sleeps today, alone."
    marks = phrase_marks(a, b)
    assert len(marks.one) == len(marks.two)
    assert texts(marks.one, a)[0] == "red"
    assert texts(marks.two, b)[0] == "old grey"


def test_marks_of_tokens_follow_their_characters() -> None:
    offsets = [(0, 3), (3, 7), (7, 8), (8, 12)]
    assert token_marks([(4, 8)], offsets) == [0, 1, 1, 0]
    assert token_marks([(0, 1), (9, 9), (10, 11)], offsets, numbered=True) == [1, 0, 0, 3]


def test_an_unknown_focus_is_refused() -> None:
    with pytest.raises(SettingError, match="focus"):
        fault_marks("a", "b", focus="file")


def test_marks_of_ids_number_the_stretches_and_fill_what_is_missing() -> None:
    # equal 0–6, insertion on the faulty side, equal 6–8
    right, faulty = [1, 2, 3, 4, 5, 6, 9, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert id_marks(right, faulty) == ([0] * 8, [0, 0, 0, 0, 0, 0, 1, 1, 0, 0])
    assert id_marks(right, faulty, fill=True)[0] == [0, 0, 0, 0, 0, 0, 1, 0]
    assert id_marks([1, 5, 2, 6], [1, 7, 2, 8, 8]) == ([0, 1, 0, 2], [0, 1, 0, 2, 2])
    assert id_marks([1], [1, 2], fill=True) == ([0], [0, 1])
    assert id_marks(right, right) == ([0] * 8, [0] * 8)
