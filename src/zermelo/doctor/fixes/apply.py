"""Apply remedies, one after the other; positions of rows stay those of the file throughout."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.fixes.balancing import BalanceLength
from zermelo.doctor.fixes.dropping import DropFlagged, DropNearDuplicates
from zermelo.doctor.fixes.history import noted
from zermelo.doctor.fixes.overlay import Mended
from zermelo.doctor.fixes.protocol import Change, Fix, Plan
from zermelo.doctor.fixes.sayings import DropDrifted, DropIdentical, DropSpammers, DropSuspects, RelabelSuspects
from zermelo.doctor.fixes.templates import StripTemplate
from zermelo.doctor.protocol import Finding
from zermelo.errors import SettingError, nearest

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.doctor.diagnosis import Diagnosis
    from zermelo.feedback import Feedback
    from zermelo.feedback.records import Group

__all__ = ["FIXES", "apply", "dropped_beside", "dropped_rows", "load_fix"]

# name → what makes it, from what stands behind a colon ('' where nothing does)
FIXES: Mapping[str, Callable[[str], Fix]] = {
    "drop-empty": lambda _: DropFlagged("structure.empty", "drop-empty", "empty"),
    "drop-identical": lambda _: DropIdentical(),
    "drop-duplicates": lambda _: DropFlagged("structure.duplicate", "drop-duplicates"),
    "drop-near-duplicates": lambda _: DropNearDuplicates(),
    "drop-truncated": lambda _: DropFlagged("structure.truncated", "drop-truncated"),
    "drop-contaminated": lambda _: DropFlagged("contamination.overlap", "drop-contaminated"),
    "drop-flagged": lambda audit: DropFlagged(_audit(audit)),
    "dedupe-prompts": lambda _: DropFlagged("structure.prompts", "dedupe-prompts"),
    "strip-template": lambda _: StripTemplate(),
    "relabel-suspects": lambda how: RelabelSuspects(how or "soft"),  # type: ignore[arg-type]
    "drop-suspects": lambda _: DropSuspects(),
    "drop-spammers": lambda _: DropSpammers(),
    "drop-drifted": lambda _: DropDrifted(),
    "balance-length": lambda how: BalanceLength(how or "drop"),  # type: ignore[arg-type]
}
CHOICES = ("drop-flagged", "relabel-suspects", "balance-length")


def load_fix(name: str) -> Fix:
    """The fix of that name: `drop-empty`, `relabel-suspects:soft`, `drop-flagged:structure.truncated`.

    Raises:
        SettingError: there is none, or what stands behind the colon is none of its choices.
    """
    head, colon, tail = name.partition(":")
    if head not in FIXES:
        guess = nearest(head, list(FIXES))
        raise SettingError(
            "unknown-fix",
            f"there is no fix {head!r}",
            hint=f"did you mean {guess!r}?" if guess else f"there are: {', '.join(FIXES)}",
        )
    if colon and head not in CHOICES:
        raise SettingError("unknown-fix", f"{head}: takes nothing behind a colon. Got {tail!r}")
    return FIXES[head](tail)


def apply(
    feedback: Feedback,
    findings: Sequence[Finding] | Diagnosis | None,
    names: Sequence[str],
    *,
    seed: int = 0,
    case: Case | None = None,
) -> tuple[Feedback, list[Change]]:
    """Feedback with remedies applied, and what each of them did.

    Nothing is written and nothing copied: rows are set aside by position, others change as they are read. A changed
    group keeps both versions (`fixes.history`).

    Args:
        feedback: The data.
        findings: What the doctor found; audits that a fix needs and that were not run are run now.
        names: Fixes, in the order of application: `("drop-duplicates", "relabel-suspects:soft")`.
        seed: Of what is drawn.
        case: Settings of audits (encoder, benchmarks, …) for those that are run now.
    Raises:
        SettingError: a name is no fix.
        DataError: a finding names no rows where a fix needs them.
    Returns:
        The rows that stay, and a record for each fix.
    """
    from zermelo.doctor.case import Case

    fixes = [load_fix(name) for name in names]
    known = _known(findings)
    now = Case(feedback, seed=seed) if case is None else replace(case, feedback=feedback)
    changes: list[Change] = []
    for fix in fixes:
        for audit in fix.needs:
            if audit not in known:
                known[audit] = _run(audit, now)
        plan = fix.plan(now, known, seed=seed)
        after, change = _applied(now.feedback, fix, plan)
        changes.append(change)
        if len(change.dropped) or len(change.edited):
            now = replace(now, feedback=after)  # a new case: its tables are made anew
    return now.feedback, changes


def dropped_rows(feedback: Feedback, changes: Sequence[Change]) -> Feedback | None:
    """The rows set aside, each with the reason in its history; None where none was.

    Args:
        feedback: What `apply` returned.
        changes: Likewise.
    """
    why = {
        row: (change.fix, reason)
        for change in changes
        for row, reason in zip(change.dropped.tolist(), change.reasons, strict=True)
    }
    if not why:
        return None
    rows = np.array(sorted(why), np.int64)

    def change(row: int, group: Group) -> Group:
        return noted(group, fix=why[row][0], note=why[row][1])

    return replace(feedback, source=Mended(feedback.source, rows, change), rows=rows)


def dropped_beside(path: str | os.PathLike[str]) -> str:
    """Where the rows set aside go that do not stand in `path`: `clean.parquet` → `clean.dropped.parquet`."""
    from zermelo.feedback.files import suffix_of

    name = os.fspath(path)
    suffix = suffix_of(name)
    stem = name[: -len(suffix)] if suffix and name.endswith(suffix) else name
    return f"{stem}.dropped.parquet"


def _applied(feedback: Feedback, fix: Fix, plan: Plan) -> tuple[Feedback, Change]:
    rows = np.arange(len(feedback.source), dtype=np.int64) if feedback.rows is None else feedback.rows
    drop = np.intersect1d(plan.drop, rows).astype(np.int64)
    kept = np.setdiff1d(rows, drop)
    edited = _really_edited(feedback, plan, np.setdiff1d(np.intersect1d(plan.edit, rows), drop))
    source = Mended(feedback.source, edited, plan.change) if len(edited) else feedback.source
    after = replace(feedback, source=source, rows=kept if len(kept) < len(feedback.source) else None)
    reasons = tuple(plan.reason(row) for row in drop.tolist())
    return after, Change(fix.name, len(feedback), drop, reasons, edited, plan.note)


def _really_edited(feedback: Feedback, plan: Plan, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the rows to be changed, those that change: what is right already stays out of the count."""
    changed: list[int] = []
    for start in range(0, len(rows), 2_048):
        found = feedback.at(rows[start : start + 2_048].tolist())
        changed += [row for row, group in found.items() if plan.change(row, group) is not group]
    return np.array(sorted(changed), np.int64)


def _known(findings: Sequence[Finding] | Diagnosis | None) -> dict[str, Sequence[Finding]]:
    from zermelo.doctor.diagnosis import Diagnosis

    known: dict[str, Sequence[Finding]] = {}
    said: Sequence[Finding] = ()
    if isinstance(findings, Diagnosis):
        known = dict.fromkeys(
            [*(item.audit for item in findings.passed), *(item.audit for item in findings.skipped)], ()
        )
        said = findings.findings
    elif findings is not None:
        said = findings
    for item in said:
        known[item.audit] = [*known.get(item.audit, ()), item]
    return known


def _run(audit: str, case: Case) -> Sequence[Finding]:
    from zermelo.doctor.registry import load_audit

    return [result for result in load_audit(_audit(audit)).run(case) if isinstance(result, Finding)]


def _audit(name: str) -> str:
    from zermelo.doctor.registry import audits

    if "." not in name or not audits((name,)):
        raise SettingError("unknown-fix", f"drop-flagged: expected the id of an audit behind the colon. Got {name!r}")
    return name
