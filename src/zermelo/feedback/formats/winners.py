"""Who won: the words that data sets use, as outcomes."""

from __future__ import annotations

from typing import Any

from zermelo.feedback.protocol import Row, describe
from zermelo.feedback.records import Judgement, Outcome

__all__ = ["VALUES", "outcome_judgement", "outcome_of"]

SIDES = ("model_{}", "response_{}", "response{}", "output_{}", "answer_{}", "assistant_{}")
WORDS: dict[str, Outcome] = {
    **dict.fromkeys(("a", "(a)", "[[a]]", "1", "first", "left"), "first"),
    **dict.fromkeys(("b", "(b)", "[[b]]", "2", "second", "right"), "second"),
    **dict.fromkeys((side.format(mark) for side in SIDES for mark in "a1"), "first"),
    **dict.fromkeys((side.format(mark) for side in SIDES for mark in "b2"), "second"),
    **dict.fromkeys(("tie", "equal", "same", "alike", "draw", "0", "[[c]]", "a=b", "tie (both good)"), "tie"),
    **dict.fromkeys(("both_bad", "both bad", "bothbad", "tie (bothbad)", "tie(bothbad)", "neither"), "both_bad"),
}
VALUES: dict[Outcome, float] = {"first": 1.0, "second": 0.0, "tie": 0.5, "both_bad": 0.5}


def outcome_of(found: Any, name: str, row: Row, **sides: str | None) -> Outcome:
    """The outcome that a word or number means.

    Args:
        found: The value of the winner's column: a word of the table, 1, 2 or 0 (tie), or a side's own name.
        name: The column, for messages.
        row: The row, for messages.
        sides: `first` and `second`: names that stand for the sides (their columns or models).
    """
    word = str(int(found)) if isinstance(found, float) and found.is_integer() else str(found).strip()
    for side, known in sides.items():
        if known is not None and word == known:
            return "first" if side.startswith("first") else "second"
    if isinstance(found, bool) or word.lower() not in WORDS:
        raise row.bad(
            "unknown-winner", f"{name}: {describe(found)}; expected a side (a, b, 1, 2, model_a, …), tie or both_bad"
        )
    return WORDS[word.lower()]


def outcome_judgement(outcome: Outcome, **known: Any) -> Judgement:
    """A declared outcome between the first two responses."""
    return Judgement("comparison", on=(0, 1), value=VALUES[outcome], outcome=outcome, **known)
