"""Make the length of an answer say nothing about whether it is preferred."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.fixes.history import changed
from zermelo.doctor.fixes.protocol import Findings, Plan
from zermelo.doctor.fixes.sayings import without
from zermelo.errors import one_of
from zermelo.feedback.records import Group

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["BalanceLength", "surplus"]

# |Δ log characters|; the last stratum is open. Fixed, so that a second application finds its strata balanced
EDGES = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, 2.4])


@dataclass(frozen=True)
class BalanceLength:
    """As many pairs whose longer answer is preferred as pairs whose shorter one is, at every difference of lengths.

        d = log(chars_win / chars_lose);     in each stratum of |d|:  #(d > 0) = #(d < 0)

    Within a stratum, then, length predicts the label no better than a coin. Pairs of equal length stay.

    Args:
        how: `drop` sets the surplus aside, drawn at random; `weight` keeps every row and writes `meta["weight"]`, which
            training reads: (n₊ + n₋) / 2n of its side and stratum. Rows whose pairs differ in weight get their mean.
    """

    how: Literal["drop", "weight"] = "drop"

    def __post_init__(self) -> None:
        one_of(self, "how", ("drop", "weight"))

    @property
    def name(self) -> str:
        return "balance-length" if self.how == "drop" else "balance-length:weight"

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        rows, win, lose = (case.pairs[name].to_numpy().astype(np.int64) for name in ("row", "win", "lose"))
        a, b = case.texts.place(rows, win), case.texts.place(rows, lose)
        known = np.flatnonzero((a >= 0) & (b >= 0))
        chars = np.maximum(case.texts.chars.astype(np.float64), 1)
        d = np.zeros(len(rows))
        d[known] = np.log(chars[a[known]] / chars[b[known]])
        if self.how == "weight":
            return self._weighed(rows, d)
        gone = surplus(d, rng=np.random.default_rng((seed, len(d))))
        if not len(case.comparisons):  # derived pairs: a row goes where all its pairs would
            left = np.unique(rows[~gone])
            return Plan(drop=np.setdiff1d(np.unique(rows[gone]), left), why="surplus of its length")
        said = case.comparisons
        stated = np.zeros(len(said), bool)
        stated[np.flatnonzero(~(said.tie | np.isnan(said.prob)))[gone]] = True
        return without(case, stated, fix=self.name, why="surplus of its length")

    def _weighed(self, rows: NDArray[np.int64], d: NDArray[np.float64]) -> Plan:
        stratum, weight = _strata(d), np.ones(len(d))
        for number in np.unique(stratum):
            longer, shorter = (stratum == number) & (d > 0), (stratum == number) & (d < 0)
            half = (longer.sum() + shorter.sum()) / 2
            for side in (longer, shorter):
                weight[side] = half / max(int(side.sum()), 1)
        at, inverse = np.unique(rows, return_inverse=True)
        mean = np.bincount(inverse, weight) / np.bincount(inverse) if len(at) else np.zeros(0)
        found = dict(zip(at.tolist(), mean.tolist(), strict=True))

        def change(row: int, group: Group) -> Group:
            meta = {**group.meta, "weight": round(found[row], 6)}
            return changed(group, replace(group, meta=meta), fix=self.name, note="weight by length")

        return Plan(edit=at[np.abs(mean - 1) > 1e-6], change=change)


def surplus(d: NDArray[np.float64], *, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which pairs to take out so that both signs of `d` are as frequent in every stratum of its size. [M]"""
    stratum, gone = _strata(d), np.zeros(len(d), bool)
    for number in np.unique(stratum):
        longer, shorter = (np.flatnonzero((stratum == number) & side) for side in (d > 0, d < 0))
        many, few = (longer, shorter) if len(longer) > len(shorter) else (shorter, longer)
        gone[rng.choice(many, len(many) - len(few), replace=False)] = True
    return gone


def _strata(d: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.searchsorted(EDGES, np.abs(d), side="right")
