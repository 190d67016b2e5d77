"""Fixes that set whole rows aside: flagged by an audit, repeated, of one prompt."""

from __future__ import annotations

from collections.abc import Sequence
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

__all__ = ["DropDuplicates", "DropFlagged", "DropNearDuplicates", "DropPrompts", "flagged_rows"]

CHUNK = 2_048


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
class DropDuplicates:
    """Rows that say what an earlier row says: equal prompt, answers and judgements, whatever their id."""

    name: str = "drop-duplicates"
    needs: tuple[str, ...] = ()

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        from zermelo.feedback.suspicions import content_digest

        rows, signatures = _signatures(case)
        _, inverse, counts = np.unique(signatures, return_inverse=True, return_counts=True)
        candidates = rows[counts[inverse] > 1]
        first: dict[int, int] = {}
        why: dict[int, str] = {}
        for start in range(0, len(candidates), CHUNK):
            for row, group in sorted(case.feedback.at(candidates[start : start + CHUNK].tolist()).items()):
                digest = content_digest(replace(group, id="", meta={}))
                if digest is None:
                    continue
                if digest in first:
                    why[row] = f"as row {first[digest]}"
                else:
                    first[digest] = row
        return Plan(drop=np.array(sorted(why), np.int64), why=why)


@dataclass(frozen=True)
class DropPrompts:
    """All but the first row of each prompt; white space at the ends does not count."""

    name: str = "dedupe-prompts"
    needs: tuple[str, ...] = ()

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        asked = case.texts.is_prompt
        rows, digests = case.texts.row[asked], case.texts.digest[asked]
        first: dict[int, int] = {}
        why: dict[int, str] = {}
        for row, digest in zip(rows.tolist(), digests.tolist(), strict=True):
            if first.setdefault(digest, row) != row:
                why[row] = f"prompt of row {first[digest]}"
        return Plan(drop=np.array(sorted(why), np.int64), why=why)


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
        from zermelo.feedback.neardup import clusters

        rows = flagged_rows(findings, self.audit)
        texts = _row_texts(case, rows)
        first: dict[int, int] = {}
        why: dict[int, str] = {}
        for row, cluster in zip(rows.tolist(), clusters(texts, similarity=self.similarity).tolist(), strict=True):
            if first.setdefault(cluster, row) != row:
                why[row] = f"nearly row {first[cluster]}"
        return Plan(drop=np.array(sorted(why), np.int64), why=why)


def _row_texts(case: Case, rows: NDArray[np.int64]) -> Sequence[str]:
    from zermelo.feedback.neardup import plain_prompt

    texts: list[str] = []
    for start in range(0, len(rows), CHUNK):
        found = case.feedback.at(rows[start : start + CHUNK].tolist())
        for row in rows[start : start + CHUNK].tolist():
            group = found[row]
            texts.append("\n".join([plain_prompt(group.prompt), *(item.content for item in group.responses)]))
    return texts


def _signatures(case: Case) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Rows that have texts, and 64 bits of the texts of each, in order. [R], [R]"""
    table = case.texts
    place = table.response.astype(np.int64) + 2
    weight = (place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)
    rows, starts = np.unique(table.row, return_index=True)
    answered = np.isin(rows, table.row[~table.is_prompt])
    if not len(rows):
        return rows.astype(np.int64), np.zeros(0, np.uint64)
    sums = np.add.reduceat(table.digest * weight, starts)
    return rows[answered].astype(np.int64), sums[answered]
