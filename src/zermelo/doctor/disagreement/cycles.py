"""`disagreement.cycles`: annotators who contradict themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case, Comparisons

__all__ = ["Cycles", "Triples", "chance_of_contradiction", "triples_of"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
LEAST = 20
SHOWN = 20


@dataclass(frozen=True)
class Triples:
    """Three responses of which one annotator compared every two (on one criterion). [N]

    Args:
        row: Group.
        by: Annotator, −1 unknown.
        ab: 1 first of the pair better, −1 second, 0 tie; a, b, c ascending.
        bc: Likewise.
        ac: Likewise.
    """

    row: Ints
    by: Ints
    ab: Ints
    bc: Ints
    ac: Ints

    def __len__(self) -> int:
        return len(self.row)

    @property
    def cyclic(self) -> NDArray[np.bool_]:
        """a ≻ b ≻ c ≻ a, or the other way round. [N]"""
        return (self.ab == self.bc) & (self.ac == -self.ab) & (self.ab != 0)

    @property
    def contradictory(self) -> NDArray[np.bool_]:
        """No ranks, equal ones allowed, say what was said. [N]"""
        return np.asarray(_NO_ORDER[self.ab + 1, self.bc + 1, self.ac + 1])


@dataclass(frozen=True)
class Cycles:
    """Triples that no order explains, ties counted as equality, against what random answers would give.

    A complete set of comparisons of one annotator is a weak order if and only if none of its triples is contradictory.
    """

    id: ClassVar[str] = "disagreement.cycles"
    asks: ClassVar[str] = "do annotators contradict themselves?"

    def run(self, case: Case) -> Sequence[Result]:
        found = triples_of(case.comparisons)
        if not len(found):
            return [Skipped(self.id, "nobody compared three responses of a row two by two")]
        bad = found.contradictory
        share = wilson(float(bad.sum()), len(found))
        by = _by_annotator(found, case.comparisons)
        worst = [item for item in by if item[1] >= LEAST and item[2] > item[3] / 2]
        rows, count = np.unique(found.row[bad], return_counts=True)
        n_rows = len(np.unique(found.row))
        details: dict[str, float | str] = {
            "triples": float(len(found)),
            "cyclic": float(found.cyclic.sum()),
            "rows_without_an_order": float(len(rows)),
            "rows": float(n_rows),
            "chance": chance_of_contradiction(*_shares(found)),
        }
        title = (
            f"{share.value:.1%} of {len(found):,} triples compared by one annotator fit no order "
            f"({int(found.cyclic.sum()):,} are cycles); answers at random would give {details['chance']:.0%}"
        )
        if not bad.any() or share.value < 0.01:
            return [Passed(self.id, title, share, details)]
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(share.value),
                title=title + (f"; {len(worst)} annotators are nearer to chance than to order" if worst else ""),
                figure=share,
                effect="No reward explains a cycle: each such triple is at least one wrong label, and puts a floor "
                "under the loss of a Bradley–Terry model.",
                remedy="judge the rows again, or keep their ranking by wins with soft labels",
                rows=rows.astype(np.int64),
                scores=count.astype(np.float64),
                examples=[
                    Example(int(row), f"{n} contradictory triples") for row, n in zip(rows[:10], count, strict=False)
                ],
                table={
                    "annotator": [item[0] for item in by[:SHOWN]],
                    "triples": [item[1] for item in by[:SHOWN]],
                    "share": [item[2] for item in by[:SHOWN]],
                    "chance": [item[3] for item in by[:SHOWN]],
                },
                details=details,
            )
        ]


def triples_of(said: Comparisons) -> Triples:
    """All triples; of several votes of one annotator on the same two responses the last counts."""
    known = np.flatnonzero(~np.isnan(said.prob) & (said.first != said.second))
    low = np.minimum(said.first, said.second)[known]
    high = np.maximum(said.first, said.second)[known]
    turned = np.where(said.first[known] > said.second[known], -1, 1)
    say = (np.sign(said.prob[known] - 0.5) * turned).astype(np.int64)
    judge = said.by[known].astype(np.int64) * (len(said.criteria) + 1) + said.criterion[known] + 1
    unit = said.row[known] * (int(judge.max(initial=0)) - int(judge.min(initial=0)) + 1) + judge
    order = np.lexsort((np.arange(len(known)), high, low, unit))
    unit, low, high, say = unit[order], low[order], high[order], say[order]
    row, by = said.row[known][order], said.by[known][order].astype(np.int64)
    last = np.ones(len(unit), bool)
    last[:-1] = (np.diff(unit) != 0) | (np.diff(low) != 0) | (np.diff(high) != 0)
    unit, low, high, say, row, by = (column[last] for column in (unit, low, high, say, row, by))
    width = int(high.max(initial=0)) + 1
    number = np.cumsum(np.r_[True, np.diff(unit) != 0]) - 1 if len(unit) else unit
    key = (number * width + low) * width + high
    parts: list[tuple[Ints, ...]] = []
    for gap in range(1, width):  # two edges of one node, `gap` places apart: the third closes the triangle
        one, two = np.arange(len(key) - gap), np.arange(gap, len(key))
        same = (number[one] == number[two]) & (low[one] == low[two]) if len(one) > 0 else np.zeros(0, bool)
        one, two = one[same], two[same]
        if not len(one):
            break
        third = (number[one] * width + high[one]) * width + high[two]
        at = np.minimum(np.searchsorted(key, third), len(key) - 1)
        hit = key[at] == third
        parts.append((row[one][hit], by[one][hit], say[one][hit], say[at][hit], say[two][hit]))
    if not parts:
        return Triples(*(np.zeros(0, np.int64) for _ in range(5)))
    return Triples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def chance_of_contradiction(first: float, second: float, tie: float) -> float:
    """P(contradictory) where the three answers of a triple are drawn independently."""
    p = {1: first, -1: second, 0: tie}
    return sum(
        p[ab] * p[bc] * p[ac] for ab, bc, ac in product((-1, 0, 1), repeat=3) if _NO_ORDER[ab + 1, bc + 1, ac + 1]
    )


def _no_order() -> NDArray[np.bool_]:
    """Which answers (ab, bc, ac) fit no ranks of a, b, c."""
    found = np.ones((3, 3, 3), bool)
    for a, b, c in product(range(3), repeat=3):  # lower rank is better
        found[np.sign(b - a) + 1, np.sign(c - b) + 1, np.sign(c - a) + 1] = False
    return found


_NO_ORDER = _no_order()


def _shares(found: Triples) -> tuple[float, float, float]:
    said = np.concatenate([found.ab, found.bc, found.ac])
    return float((said == 1).mean()), float((said == -1).mean()), float((said == 0).mean())


def _by_annotator(found: Triples, said: Comparisons) -> list[tuple[str, int, float, float]]:
    """(name, triples, share contradictory, chance) of each annotator, the worst first."""
    rows = []
    bad = found.contradictory
    for k in np.unique(found.by).tolist():
        mine = found.by == k
        part = Triples(found.row[mine], found.by[mine], found.ab[mine], found.bc[mine], found.ac[mine])
        name = said.annotators[k] if k >= 0 else "unknown"
        rows.append((name, int(mine.sum()), float(bad[mine].mean()), chance_of_contradiction(*_shares(part))))
    return sorted(rows, key=lambda item: -item[2])
