"""Fixes that take single comparisons out, or change what they say: suspects, spammers, identical answers.

A comparison is named by its row and its place among the row's comparisons, as `case.comparisons` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.fixes.dropping import flagged_rows
from zermelo.doctor.fixes.history import DOCTOR, changed
from zermelo.doctor.fixes.protocol import Findings, Plan
from zermelo.errors import one_of
from zermelo.feedback.records import Group, Judgement

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = [
    "DropIdentical",
    "DropSpammers",
    "DropSuspects",
    "RelabelSuspects",
    "merged",
    "place_in_row",
    "suspects",
    "without",
]


def place_in_row(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each comparison among those of its row; `row` ascends. [J]"""
    begins = np.searchsorted(row, row, side="left")
    return np.arange(len(row)) - begins


def without(case: Case, gone: NDArray[np.bool_], *, fix: str, why: str) -> Plan:
    """Take some comparisons out; a row that has nothing left to say goes as a whole.

    Args:
        case: The data.
        gone: Which of `case.comparisons`. [J]
        fix: Name of the fix.
        why: Reason, for the history.
    """
    said = case.comparisons
    rows, inverse = np.unique(said.row, return_inverse=True)
    left = np.bincount(inverse, minlength=len(rows)) - np.bincount(inverse[gone], minlength=len(rows))
    touched = np.unique(said.row[gone])
    empty = rows[left == 0]
    drop = np.setdiff1d(np.intersect1d(touched, empty), _judged_otherwise(case))
    doomed = _by_row(said.row[gone], place_in_row(said.row)[gone])

    def change(row: int, group: Group) -> Group:
        mine = doomed[row]
        return said_anew(group, dict.fromkeys(mine), fix=fix, note=why)

    return Plan(drop=drop, why=why, edit=np.setdiff1d(touched, drop), change=change)


def said_anew(group: Group, instead: Mapping[int, Judgement | None], *, fix: str, note: str) -> Group:
    """The group with some comparisons replaced, or taken out where there is None instead; both versions kept."""
    judgements: list[Judgement] = []
    place = 0
    for judgement in group.judgements:
        new: Judgement | None = judgement
        if judgement.kind == "comparison":
            new = instead.get(place, judgement) if place in instead else judgement
            place += 1
        if new is not None:
            judgements.append(new)
    return changed(group, replace(group, judgements=tuple(judgements)), fix=fix, note=note)


@dataclass(frozen=True)
class DropIdentical:
    """Equal answers of a row become one: what is said of the second is said of the first, their comparison goes.

    A row that has no two different answers goes as a whole.
    """

    audit: str = "structure.identical"
    name: str = "drop-identical"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        rows, table = flagged_rows(findings, self.audit), case.texts
        mine = np.isin(table.row, rows) & ~table.is_prompt
        different = np.unique(np.stack([table.row[mine], table.digest[mine].view(np.int64)], 1), axis=0)[:, 0]
        places, counts = np.unique(different, return_counts=True)
        single = places[counts < 2]

        def change(row: int, group: Group) -> Group:
            return changed(group, merged(group), fix=self.name, note="equal answers")

        return Plan(drop=single, why="equal answers", edit=np.setdiff1d(rows, single), change=change)


def merged(group: Group) -> Group:
    """The group with every answer once; judgements of a repeated one move to its first occurrence."""
    first: dict[str, int] = {}
    to = {
        at: at if not (text := response.content) else first.setdefault(text, at)
        for at, response in enumerate(group.responses)
    }
    said = []
    for item in group.judgements:
        on = tuple(to[at] for at in item.on)
        if item.kind == "comparison" and on[0] == on[1] and item.on[0] != item.on[1]:
            continue
        if item.kind == "ranking" and item.values is not None and len(set(on)) < len(on):
            best: dict[int, float] = {}
            for at, rank in zip(on, item.values, strict=True):
                best[at] = min(rank, best.get(at, rank))
            item = replace(item, values=tuple(best.values()))
            on = tuple(best)
        shown = None if item.shown is None else tuple(dict.fromkeys(to[at] for at in item.shown))
        said.append(replace(item, on=on, shown=shown))
    kept = [at for at in range(len(group.responses)) if to[at] == at]
    return replace(group, judgements=tuple(said)).keep_responses(kept)


@dataclass(frozen=True)
class DropSuspects:
    """Comparisons whose label is probably wrong.

    Args:
        audit: Who suspects them.
    """

    audit: str = "noise.labels"
    name: str = "drop-suspects"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        place, _ = suspects(case, findings, self.audit)
        if not len(case.comparisons):
            return Plan(drop=flagged_rows(findings, self.audit), why=self.audit)
        gone = np.zeros(len(case.comparisons), bool)
        gone[place] = True
        return without(case, gone, fix=self.name, why=self.audit)


@dataclass(frozen=True)
class RelabelSuspects:
    """A new judgement in place of each comparison whose label is probably wrong.

        hard: P'(i ≻ j) = 1 − P(i ≻ j)
        soft: P'(i ≻ j) = (1 − w) P(i ≻ j) + w (1 − P(i ≻ j)),     w = P(the label is wrong)

    What the doctor said before is not judged again.

    Args:
        how: `hard` turns the label round, `soft` states what is believed after the doubt.
        audit: Who suspects them.
    """

    how: Literal["hard", "soft"] = "soft"
    audit: str = "noise.labels"

    def __post_init__(self) -> None:
        one_of(self, "how", ("hard", "soft"))

    @property
    def name(self) -> str:
        return f"relabel-suspects:{self.how}"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        said = case.comparisons
        place, wrong = suspects(case, findings, self.audit)
        mine = np.array([name == DOCTOR for name in said.annotators], bool)
        kept = ~mine[said.by[place]] if mine.any() else np.ones(len(place), bool)
        place, wrong = place[kept], wrong[kept]
        where = place_in_row(said.row)[place]
        doubt: dict[int, dict[int, float]] = {}
        for row, number, w in zip(said.row[place].tolist(), where.tolist(), wrong.tolist(), strict=True):
            doubt.setdefault(row, {})[number] = w

        def change(row: int, group: Group) -> Group:
            stated = [judgement for judgement in group.judgements if judgement.kind == "comparison"]
            instead = {number: _relabelled(stated[number], w, self.how, self.name) for number, w in doubt[row].items()}
            worst = max(doubt[row].values())
            return said_anew(group, instead, fix=self.name, note=f"P(wrong) = {worst:.3f}")

        return Plan(edit=np.array(sorted(doubt), np.int64), change=change)


@dataclass(frozen=True)
class DropSpammers:
    """Everything that annotators said who answer without looking.

    Args:
        audit: Who names them.
    """

    audit: str = "disagreement.spam"
    name: str = "drop-spammers"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        said = case.comparisons
        named = {str(name) for finding in findings.get(self.audit, ()) for name in finding.table.get("annotator", ())}
        bad = np.array([name in named for name in said.annotators] + [False], bool)  # −1: nobody knows who
        plan = without(case, bad[said.by], fix=self.name, why=f"{self.audit}: {len(named)} annotators")
        return replace(plan, note=", ".join(sorted(named)))


@dataclass(frozen=True)
class DropDrifted:
    """What annotators said after they changed: their votes in the rows that the finding names.

    Args:
        audit: Who names them.
    """

    audit: str = "disagreement.drift"
    name: str = "drop-drifted"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        said = case.comparisons
        gone = np.zeros(len(said), bool)
        for finding in findings.get(self.audit, ()):
            named = {str(name) for name in finding.table.get("annotator", ())}
            theirs = np.array([name in named for name in said.annotators] + [False], bool)[said.by]
            gone |= theirs & np.isin(said.row, finding.rows)
        return without(case, gone, fix=self.name, why=f"{self.audit}: after the turn")


def suspects(case: Case, findings: Findings, audit: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places in `case.comparisons` whose label is in doubt, ascending, and P(wrong) of each. [S], [S]

    A finding names rows. In a row with one decided comparison that is the one; in a row with several the probe is asked
    which of them it means, and where it cannot say, they all are.
    """
    said = case.comparisons
    decided = np.flatnonzero(~said.tie & ~np.isnan(said.prob))
    doubt = np.zeros(len(said))
    for finding in findings.get(audit, ()):
        scores = np.clip(np.nan_to_num(np.asarray(finding.scores, np.float64), nan=0.5), 0, 1)
        order = np.argsort(finding.rows, kind="stable")
        rows, scores = np.asarray(finding.rows, np.int64)[order], scores[order]
        if len(rows):
            at = np.minimum(np.searchsorted(rows, said.row), len(rows) - 1)
            doubt = np.maximum(doubt, np.where(rows[at] == said.row, scores[at], 0.0))
    place = decided[doubt[decided] > 0]
    _, inverse, several = np.unique(said.row[decided], return_inverse=True, return_counts=True)
    if audit == "noise.labels" and (several[inverse][doubt[decided] > 0] > 1).any():
        doubt = _of_each(case, decided, doubt, several[inverse] > 1)
        place = decided[doubt[decided] > 0]
    return place, doubt[place]


def _of_each(
    case: Case, decided: NDArray[np.int64], doubt: NDArray[np.float64], several: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The doubt of rows with several comparisons, one by one as the probe sees it. [J]"""
    from zermelo.doctor.noise.suspects import Suspects, label_suspects

    found = label_suspects(case)
    if not isinstance(found, Suspects):
        return doubt
    own = np.zeros(len(doubt))
    order = found.order
    own[decided[found.probe.pairs.index[order]]] = found.wrong[order]
    new = doubt.copy()
    new[decided[several]] = np.where(doubt[decided[several]] > 0, own[decided[several]], 0.0)
    return new


def _relabelled(old: Judgement, wrong: float, how: str, name: str) -> Judgement:
    stated = old.value if old.value is not None else {"first": 1.0, "second": 0.0}.get(old.outcome or "", 0.5)
    prob = 1 - stated if how == "hard" else (1 - wrong) * stated + wrong * (1 - stated)
    outcome = old.outcome
    if how == "hard" and outcome in ("first", "second"):
        outcome = "second" if outcome == "first" else "first"
    return Judgement(
        "comparison",
        on=old.on,
        by=DOCTOR,
        value=prob,
        outcome=outcome if how == "hard" else None,
        criterion=old.criterion,
        note=f"{name}; was {stated:g} by {old.by or 'unknown'}",
    )


def _judged_otherwise(case: Case) -> NDArray[np.int64]:
    """Rows with ratings, rankings or labels."""
    views = (case.feedback.ratings(), case.feedback.rankings(), case.feedback.labels())
    return np.concatenate([view.select("row").arrow().column("row").to_numpy() for view in views])


def _by_row(rows: NDArray[np.int64], places: NDArray[np.int64]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        found.setdefault(row, []).append(place)
    return found
