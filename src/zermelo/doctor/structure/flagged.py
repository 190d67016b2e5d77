"""The common finding of a check on single texts: rows in which any text of a kind shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["examples_of", "flagged", "rows_with"]

SHOWN = 10
EXCERPT = 200  # characters


def flagged(
    case: Case,
    audit: str,
    check: str,
    *,
    title: str,
    passed: str,
    effect: str,
    remedy: str,
    source: str = "",
    fix: str = "",
) -> Sequence[Result]:
    """Share of the rows in which a check saw something, with the rows and ten examples.

    Args:
        case: The data.
        audit: Id of the audit.
        check: Name of the check.
        title: With `{rows}`, `{of}` and `{share}`.
        passed: What to say where nothing was seen.
        effect: What it does to training.
        remedy: What to do.
        source: Where the effect is shown.
        fix: Name of the fix.
    """
    if not len(case.texts.row):
        return [Skipped(audit, "the data holds no texts")]
    rows, counts = rows_with(case, case.texts.seen(check))
    share = wilson(len(rows), case.n_rows)
    if not len(rows):
        return [Passed(audit, passed, share)]
    return [
        Finding(
            audit=audit,
            severity=severity_of_share(share.value),
            title=title.format(rows=f"{len(rows):,}", of=f"{case.n_rows:,}", share=f"{share.value:.1%}"),
            figure=share,
            effect=effect,
            source=source,
            remedy=remedy,
            fix=fix,
            rows=rows,
            scores=counts,
            examples=examples_of(case, rows[:SHOWN]),
        )
    ]


def rows_with(case: Case, seen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows in which some texts are marked, ascending, and how many texts. [R], [R]"""
    rows, counts = np.unique(case.texts.row[seen], return_counts=True)
    return rows.astype(np.int64), counts.astype(np.float64)


def examples_of(case: Case, rows: NDArray[np.int64]) -> list[Example]:
    """The beginnings of some rows' answers."""
    found = case.feedback.at(rows.tolist()) if len(rows) else {}
    return [
        Example(
            int(row),
            " | ".join(answer.content[:EXCERPT] for answer in found[int(row)].responses[:2]),
            found[int(row)].id,
        )
        for row in rows
    ]
