"""Choosing k items from several rankings: multiwinner score functions, with bounds on how many come from a group."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, one_of

__all__ = ["MultiWinner", "ScoreName", "Selection", "proportional_bound"]

Ints = NDArray[np.int64]
ScoreName: TypeAlias = Literal["sntv", "bloc", "k_borda", "chamberlin_courant", "approval_cc"]


@dataclass(frozen=True)
class Selection:
    """A chosen subset, sorted, and its score; `exact` tells whether it is the optimum."""

    items: tuple[int, ...]
    score: float
    exact: bool


@dataclass(frozen=True)
class MultiWinner:
    """Choose k of m items from n rankings.

        sntv                 Σ_i #{v: i is first}                 bloc     Σ_i #{v: i is among the first k}
        k_borda              Σ_i Σ_v (m − 1 − pos_v(i))
        chamberlin_courant   Σ_v max_{i∈S} (m − 1 − pos_v(i))     approval_cc   #{v: S meets v's first k}

    The first three are sums over items: the best set under bounds is found exactly. The last two are monotone and
    submodular: greedy (½ of the optimum under bounds, 1 − 1/e without), or `exact` by going through all sets.

    Args:
        score: One of the five.
        exact: Go through all sets (submodular scores; at most 2·10⁵ sets).
    Source: "Subset Selection Based On Multiple Rankings in the Presence of Bias: Effectiveness of Fairness Constraints
        for Multiwinner Voting Score Functions", 2023, arXiv 2306.09835.
    """

    score: ScoreName = "k_borda"
    exact: bool = False

    def __post_init__(self) -> None:
        one_of(self, "score", get_args(ScoreName))

    @property
    def separable(self) -> bool:
        """Whether the score is a sum over items."""
        return self.score in ("sntv", "bloc", "k_borda")

    def value(self, rankings: Ints, items: Sequence[int], *, k: int | None = None) -> float:
        """Score of a set. rankings [n, m], best first."""
        position = _positions(rankings)
        size = len(items) if k is None else k
        chosen = position[:, list(items)]
        m = rankings.shape[1]
        if self.score == "sntv":
            return float((chosen == 0).sum())
        if self.score == "bloc":
            return float((chosen < size).sum())
        if self.score == "k_borda":
            return float((m - 1 - chosen).sum())
        best = chosen.min(axis=1) if len(items) else np.full(len(rankings), m - 1)
        return float((m - 1 - best).sum()) if self.score == "chamberlin_courant" else float((best < size).sum())

    def select(
        self,
        rankings: Ints,
        *,
        k: int,
        groups: Sequence[int] | None = None,
        lower: Mapping[int, int] | None = None,
        upper: Mapping[int, int] | None = None,
        seed: int | None = None,
    ) -> Selection:
        """Choose k items.

        Args:
            rankings: Item indices, best first, every item in every ranking. [n, m]
            k: Size of the set.
            groups: Group of each item. [m]
            lower: Least number of items from a group.
            upper: Greatest number of items from a group.
            seed: Breaks ties at random; without it by the lower index.
        Raises:
            DataError: a ranking is no permutation.
            SettingError: the bounds cannot be met.
        """
        table = np.asarray(rankings)
        m = table.shape[1]
        if not (np.sort(table, axis=1) == np.arange(m)).all():
            row = int(np.argmax((np.sort(table, axis=1) != np.arange(m)).any(axis=1)))
            raise DataError("bad-ranking", f"ranking {row + 1} is not a permutation of 0…{m - 1}")
        bounds = _Bounds.of(k, m, groups, lower, upper)
        order = np.arange(m) if seed is None else np.random.default_rng(seed).permutation(m)
        if self.exact and not self.separable:
            if math.comb(m, k) > 200_000:
                raise SettingError(
                    "too-many-items", f"{math.comb(m, k)} sets are too many to go through", hint="exact=False"
                )
            sets = (s for s in itertools.combinations(order.tolist(), k) if bounds.met(s))
            best = max(sets, key=lambda s: self.value(table, s, k=k))
            return Selection(tuple(sorted(best)), self.value(table, best, k=k), True)
        chosen: list[int] = []
        while len(chosen) < k:
            allowed = [int(i) for i in order if i not in chosen and bounds.possible([*chosen, int(i)])]
            chosen.append(max(allowed, key=lambda i: self.value(table, [*chosen, i], k=k)))
        return Selection(tuple(sorted(chosen)), self.value(table, chosen, k=k), self.separable)


def proportional_bound(k: int, group: int, m: int) -> int:
    """⌈k·|G|/m⌉: the least number of items of a group that a proportional choice of k has."""
    return math.ceil(k * group / m)


@dataclass(frozen=True)
class _Bounds:
    k: int
    groups: tuple[int, ...]
    lower: Mapping[int, int]
    upper: Mapping[int, int]

    @classmethod
    def of(
        cls,
        k: int,
        m: int,
        groups: Sequence[int] | None,
        lower: Mapping[int, int] | None,
        upper: Mapping[int, int] | None,
    ) -> _Bounds:
        kinds = tuple(groups) if groups is not None else (0,) * m
        found = cls(k, kinds, dict(lower or {}), dict(upper or {}))
        sizes = {g: kinds.count(g) for g in set(kinds)}
        room = sum(min(size, found.upper.get(g, k)) for g, size in sizes.items())
        short = [g for g, least in found.lower.items() if least > min(sizes.get(g, 0), found.upper.get(g, k))]
        if not 1 <= k <= m or room < k or sum(found.lower.values()) > k or short:
            raise SettingError(
                "bad-setting", f"no set of {k} of {m} items meets the bounds {found.lower}, {found.upper}"
            )
        return found

    def possible(self, items: Sequence[int]) -> bool:
        """Whether the set can be completed to one of size k that meets the bounds."""
        have = dict.fromkeys(set(self.groups), 0)
        for item in items:
            have[self.groups[item]] += 1
        if any(number > self.upper.get(g, self.k) for g, number in have.items()):
            return False
        return sum(max(0, least - have.get(g, 0)) for g, least in self.lower.items()) <= self.k - len(items)

    def met(self, items: Sequence[int]) -> bool:
        """Whether a full set meets the bounds."""
        return self.possible(items)


def _positions(rankings: Ints) -> Ints:
    position = np.empty_like(rankings)
    np.put_along_axis(position, rankings, np.arange(rankings.shape[1])[None, :].repeat(len(rankings), 0), axis=1)
    return position
