"""The common finding of a check on single texts: rows in which any text of a kind shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zermelo.doctor.protocol import SEVERITIES, Example, Finding, Passed, Result, Severity, Skipped, severity_of_share
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["at_most", "examples_of", "flagged", "found_rows", "rows_with"]

SHOWN = 10
EXCERPT = 200  # characters


def flagged(
    case: Case,
    audit: str,
    check: str | Sequence[str],
    *,
    title: str,
    passed: str,
    effect: str,
    remedy: str,
    source: str = "",
    fix: str = "",
    most: Severity = "high",
    show: Callable[[str], str] | None = None,
) -> Sequence[Result]:
    """Share of the rows in which a check saw something, with the rows and ten examples.

    Args:
        case: The data.
        audit: Id of the audit.
        check: Name of the check, or of several: any of them.
        title: With `{rows}`, `{of}` and `{share}`.
        passed: What to say where nothing was seen.
        effect: What it does to training.
        remedy: What to do.
        source: Where the effect is shown.
        fix: Name of the fix.
        most: The gravest severity that this may have.
        show: Text → the excerpt that shows it, '' where this text does not; the beginning by default.
    """
    if not len(case.texts.row):
        return [Skipped(audit, "the data holds no texts")]
    names = (check,) if isinstance(check, str) else tuple(check)
    seen = np.logical_or.reduce([case.texts.seen(name) for name in names])
    rows, counts = rows_with(case, seen)
    kinds = {name: float(len(np.unique(case.texts.row[case.texts.seen(name)]))) for name in names}
    return found_rows(
        case, audit, rows, counts, title=title, passed=passed, effect=effect, remedy=remedy, source=source, fix=fix,
        most=most, show=show, details=kinds if len(names) > 1 else {},
    )  # fmt: skip


def found_rows(
    case: Case,
    audit: str,
    rows: NDArray[np.int64],
    scores: NDArray[np.float64],
    *,
    title: str,
    passed: str,
    effect: str,
    remedy: str,
    source: str = "",
    fix: str = "",
    most: Severity = "high",
    show: Callable[[str], str] | None = None,
    details: Mapping[str, float | str] | None = None,
    of: int | None = None,
    examples: Sequence[Example] | None = None,
) -> Sequence[Result]:
    """The finding that some rows of the data are concerned, or that none is.

    Args:
        case: The data.
        audit: Id of the audit.
        rows: Positions, ascending. [R]
        scores: Larger is worse. [R]
        title: With `{rows}`, `{of}` and `{share}`.
        passed: What to say where there are no rows.
        effect: What it does to training.
        remedy: What to do.
        source: Where the effect is shown.
        fix: Name of the fix.
        most: The gravest severity that this may have.
        show: As in `flagged`.
        details: Further figures.
        of: Rows looked at; all of them by default.
        examples: In place of the rows' own texts.
    """
    total = case.n_rows if of is None else of
    share = wilson(len(rows), total)
    if not len(rows):
        return [Passed(audit, passed, share, dict(details or {}))]
    return [
        Finding(
            audit=audit,
            severity=at_most(severity_of_share(share.value), most),
            title=title.format(rows=f"{len(rows):,}", of=f"{total:,}", share=f"{share.value:.1%}"),
            figure=share,
            effect=effect,
            source=source,
            remedy=remedy,
            fix=fix,
            rows=np.asarray(rows, np.int64),
            scores=np.asarray(scores, np.float64),
            examples=examples_of(case, rows[:SHOWN], show) if examples is None else list(examples)[:SHOWN],
            details=dict(details or {}),
        )
    ]


def at_most(severity: Severity, most: Severity) -> Severity:
    """The milder of two severities."""
    return SEVERITIES[max(SEVERITIES.index(severity), SEVERITIES.index(most))]


def rows_with(case: Case, seen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows in which some texts are marked, ascending, and how many texts. [R], [R]"""
    rows, counts = np.unique(case.texts.row[seen], return_counts=True)
    return rows.astype(np.int64), counts.astype(np.float64)


def examples_of(case: Case, rows: NDArray[np.int64], show: Callable[[str], str] | None = None) -> list[Example]:
    """The beginnings of some rows' answers, or what `show` picks out of their texts."""
    from zermelo.feedback.neardup import plain_prompt

    found = case.feedback.at(rows.tolist()) if len(rows) else {}
    made = []
    for row in rows.tolist():
        group = found[row]
        answers = [answer.content for answer in group.responses]
        shown = (
            [] if show is None else [part for text in [*answers, plain_prompt(group.prompt)] if (part := show(text))]
        )
        text = " | ".join(part[:EXCERPT] for part in (shown or answers)[:2])
        made.append(Example(row, text, group.id))
    return made
