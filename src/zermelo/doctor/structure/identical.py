"""Pairs of equal answers, and groups in which an answer stands twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Result, Skipped
from zermelo.doctor.structure.flagged import found_rows

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Identical"]


@dataclass(frozen=True)
class Identical:
    """Rows in which the preferred and the other answer are the same text, or an answer stands twice."""

    id: ClassVar[str] = "structure.identical"
    asks: ClassVar[str] = "is an answer compared with itself?"

    def run(self, case: Case) -> Sequence[Result]:
        table, said = case.texts, case.comparisons
        answers = np.flatnonzero(~table.is_prompt & (table.chars > 0))
        if not len(answers):
            return [Skipped(self.id, "the data holds no answers, only their sources")]
        order = answers[np.lexsort((table.digest[answers], table.row[answers]))]
        twice = (table.row[order][1:] == table.row[order][:-1]) & (table.digest[order][1:] == table.digest[order][:-1])
        rows, counts = np.unique(table.row[order][1:][twice], return_counts=True)
        one, other = table.place(said.row, said.first), table.place(said.row, said.second)
        known = (one >= 0) & (other >= 0)
        same = known.copy()
        same[known] = (table.digest[one[known]] == table.digest[other[known]]) & (table.chars[one[known]] > 0)
        return found_rows(
            case,
            self.id,
            rows,
            counts.astype(np.float64),
            title="{rows} of {of} rows ({share}) hold the same answer twice",
            passed="no row holds an answer twice",
            effect="A pair of equal answers has no right order: its gradient is noise, and it counts as a pair.",
            remedy="drop the comparisons of equal answers",
            fix="drop-identical",
            details={"pairs": float(same.sum()), "of_pairs": float(known.sum())},
        )
