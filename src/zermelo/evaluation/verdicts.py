"""A judge's comparisons in both orders, from the view `battles` of judged groups: what the audits of judges read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError
from zermelo.feedback.view import View

__all__ = ["Verdicts", "verdicts_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Verdicts:
    """Comparisons of two systems on a question by one annotator, both orders side by side.

    Args:
        question: Id of the group. [M]
        a: The system whose name comes first in the alphabet. [M]
        b: The other. [M]
        by: Annotator. [M]
        when_first: P(a ≻ b) when a was shown first, mean of repeats; NaN = not asked. [M]
        when_second: P(a ≻ b) when b was shown first. [M]
        left_out: Comparisons whose order is not known, or without a value.
    """

    question: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    by: tuple[str, ...]
    when_first: Floats
    when_second: Floats
    left_out: int

    def preference_for(self, system: str) -> Floats:
        """P(the system's answer ≻ the other's), both orders averaged; NaN where it does not take part. [M]"""
        mean = (self.when_first + self.when_second) / 2
        sides = np.where(np.array(self.a) == system, mean, np.where(np.array(self.b) == system, 1 - mean, np.nan))
        return np.asarray(sides, dtype=np.float64)


def verdicts_of(battles: View, *, by: str | None = None) -> Verdicts:
    """Pair up the comparisons of a view.

    Args:
        battles: `feedback.battles()`. The order is that of a judgement's `shown`; where it is not recorded the
            comparison is left out and counted.
        by: Only this annotator.
    Raises:
        DataError: no comparison with a known order.
    """
    table = battles.select("id", "source_a", "source_b", "by", "prob", "a_first").arrow().to_pylist()
    wanted = [row for row in table if by is None or row["by"] == by]
    cells: dict[tuple[str, str, str, str], tuple[list[float], list[float]]] = {}
    left_out = 0
    for row in wanted:
        a, b, p, first = row["source_a"], row["source_b"], row["prob"], row["a_first"]
        if first is None or p is None or a is None or b is None or a == b:
            left_out += 1
            continue
        if a > b:
            a, b, p, first = b, a, 1 - p, not first
        cells.setdefault((str(row["id"]), a, b, row["by"] or ""), ([], []))[0 if first else 1].append(float(p))
    if not cells:
        raise DataError("nothing-to-measure", "there is no comparison whose order is known (`shown`)")
    question, one, two, who = zip(*cells, strict=True)
    means = [[float(np.mean(side)) if side else float("nan") for side in both] for both in cells.values()]
    first_shown, second_shown = np.array(means).T
    return Verdicts(question, one, two, who, first_shown, second_shown, left_out)
