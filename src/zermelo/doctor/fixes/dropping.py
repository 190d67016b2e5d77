"""Fixes that set whole rows aside: flagged by an audit, nearly repeated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.fixes.history import changed
from zermelo.doctor.fixes.protocol import Findings, Plan
from zermelo.errors import DataError

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.feedback.records import Group

__all__ = ["DropFlagged", "DropNearDuplicates", "flagged_rows"]

ROUNDS = 5


def flagged_rows(findings: Findings, audit: str) -> NDArray[np.int64]:
    """Every row that the findings of an audit concern, ascending."""
    found = [np.asarray(item.rows, np.int64) for item in findings.get(audit, ())]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))


@dataclass(frozen=True)
class DropFlagged:
    """Rows that an audit names; where it looks at single answers, only those go from a row that has others.

    Args:
        audit: Id of the audit.
        called: Name of the fix.
        check: Name of the audit's check of single texts, '' where it is none.
    Raises:
        DataError: the audit found something but names no rows.
    """

    audit: str
    called: str = ""
    check: str = ""

    @property
    def name(self) -> str:
        return self.called or f"drop-flagged:{self.audit}"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        rows = flagged_rows(findings, self.audit)
        if not len(rows):
            if findings.get(self.audit):
                raise DataError(
                    "no-rows-to-drop", f"{self.name}: {self.audit} speaks about the whole data, not about rows"
                )
            return Plan()
        if not self.check:
            return Plan(drop=rows, why=self.audit)
        seen = case.texts.seen(self.check) & ~case.texts.is_prompt
        bad: dict[int, list[int]] = {}
        for row, response in zip(case.texts.row[seen].tolist(), case.texts.response[seen].tolist(), strict=True):
            bad.setdefault(row, []).append(response)
        some = np.isin(case.texts.row, rows) & ~case.texts.is_prompt
        answers = dict(
            zip(*(item.tolist() for item in np.unique(case.texts.row[some], return_counts=True)), strict=True)
        )
        few = np.array([row for row in rows.tolist() if answers.get(row, 0) - len(bad.get(row, ())) < 2], np.int64)

        def change(row: int, group: Group) -> Group:
            kept = [index for index in range(len(group.responses)) if index not in bad.get(row, ())]
            note = f"{len(group.responses) - len(kept)} of {len(group.responses)} answers"
            return changed(group, group.keep_responses(kept), fix=self.name, note=note)

        return Plan(drop=few, why=self.audit, edit=np.setdiff1d(rows, few), change=change)


@dataclass(frozen=True)
class DropNearDuplicates:
    """Of rows that are nearly equal, prompt and answers together, all but the first.

    Args:
        similarity: Jaccard similarity of word triples from which two rows are one.
        audit: Whose rows are compared.
    """

    similarity: float = 0.8
    audit: str = "structure.near_duplicate"
    name: str = "drop-near-duplicates"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        why: dict[int, str] = {}
        now, found = case, flagged_rows(findings, self.audit)
        for _ in range(ROUNDS):  # a candidate that a crowd hid shows itself when the crowd is gone
            gone = self._later(now, found)
            why |= gone
            if not gone:
                break
            every = np.arange(len(case.feedback.source)) if case.feedback.rows is None else case.feedback.rows
            kept = np.setdiff1d(every, np.array(sorted(why), np.int64))
            now = replace(case, feedback=replace(case.feedback, rows=kept))
            found = _found(self.audit, now)
        return Plan(drop=np.array(sorted(why), np.int64), why=why)

    def _later(self, case: Case, flagged: NDArray[np.int64]) -> dict[int, str]:
        """Of the flagged rows those that are nearly an earlier one, with the reason."""
        from zermelo.doctor.structure.sketches import near_clusters, sketches_of

        rows = np.intersect1d(flagged, case.texts.row)
        if not len(rows):
            return {}
        row, _, sketches = sketches_of(case, rows)
        order = np.argsort(row, kind="stable")
        places, starts = np.unique(row[order], return_index=True)
        cluster = near_clusters(np.minimum.reduceat(sketches[order], starts, axis=0), similar=self.similarity)
        first: dict[int, int] = {}
        why: dict[int, str] = {}
        for place, number in zip(places.tolist(), cluster.tolist(), strict=True):
            if first.setdefault(number, place) != place:
                why[place] = f"nearly row {first[number]}"
        return why


def _found(audit: str, case: Case) -> NDArray[np.int64]:
    from zermelo.doctor.protocol import Finding
    from zermelo.doctor.registry import load_audit

    told = [item for item in load_audit(audit).run(case) if isinstance(item, Finding)]
    return flagged_rows({audit: told}, audit)
