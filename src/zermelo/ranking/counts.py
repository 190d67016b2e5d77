"""Comparisons, collapsed: millions of battles become a few thousand cells, and every fit works on the cells.

A cell is an ordered pair (first, second). After counting, the work of a fit does not depend on the number of battles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError

__all__ = ["Counts", "count"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Comparisons of P players in C cells; outcomes y are P(first ≻ second): 1, 0, ½ for a tie, or a probability.

    Args:
        players: Names, in the order of the indices. [P]
        first: Index of the player in the first position. [C]
        second: Index of the player in the second position. [C]
        n: Σ w. [C]
        score: Σ w·y, a tie counting ½. [C]
        tie: Σ w over declared ties. [C]
        n2: Σ w², for robust errors. [C]
        tie2: Σ w² over declared ties. [C]
        score2: Σ w²·y. [C]
        square2: Σ w²·y². [C]
        soft: Whether some outcomes are probabilities: neither win, loss nor tie.
        battles: Number of comparisons behind the cells, before weighting.
        left_out: reason → number of comparisons left out (`self`: a player against itself).
    """

    players: tuple[str, ...]
    first: Ints
    second: Ints
    n: Floats
    score: Floats
    tie: Floats
    n2: Floats
    tie2: Floats
    score2: Floats
    square2: Floats
    soft: bool
    battles: int
    left_out: tuple[tuple[str, int], ...] = ()

    def matrices(self) -> tuple[Floats, Floats]:
        """(wins, ties), both [P, P]: wins[i, j] = Σ w of i over j with ties left out; ties is symmetric."""
        size = len(self.players)
        wins, ties = np.zeros((size, size)), np.zeros((size, size))
        np.add.at(wins, (self.first, self.second), self.score - self.tie / 2)
        np.add.at(wins, (self.second, self.first), self.n - self.score - self.tie / 2)
        np.add.at(ties, (self.first, self.second), self.tie)
        return wins, ties + ties.T

    def games(self) -> Floats:
        """Σ w of every player. [P]"""
        size = len(self.players)
        return np.asarray(
            np.bincount(self.first, self.n, size) + np.bincount(self.second, self.n, size), dtype=np.float64
        )

    def win_rate(self) -> Floats:
        """Share of its comparisons that a player won, ties counting ½. [P]"""
        size = len(self.players)
        won = np.bincount(self.first, self.score, size) + np.bincount(self.second, self.n - self.score, size)
        return _ratio(np.asarray(won, dtype=np.float64), self.games())

    def unordered(self) -> Counts:
        """The same with both orders of a pair in one cell (first < second)."""
        swap = self.first > self.second
        low, high = np.where(swap, self.second, self.first), np.where(swap, self.first, self.second)
        size = len(self.players)
        key, place = np.unique(low * size + high, return_inverse=True)

        def total(values: Floats) -> Floats:
            return np.bincount(place, values, len(key)).astype(np.float64)

        return replace(
            self,
            first=key // size,
            second=key % size,
            n=total(self.n),
            score=total(np.where(swap, self.n - self.score, self.score)),
            tie=total(self.tie),
            n2=total(self.n2),
            tie2=total(self.tie2),
            score2=total(np.where(swap, self.n2 - self.score2, self.score2)),
            square2=total(np.where(swap, self.n2 - 2 * self.score2 + self.square2, self.square2)),
        )

    def subset(self, keep: Sequence[int]) -> Counts:
        """Only the players `keep` (in that order) and the comparisons among them."""
        place = np.full(len(self.players), -1)
        place[np.asarray(keep, dtype=np.int64)] = np.arange(len(keep))
        inside = (place[self.first] >= 0) & (place[self.second] >= 0)
        cut = {name: getattr(self, name)[inside] for name in ("n", "score", "tie", "n2", "tie2", "score2", "square2")}
        return replace(
            self,
            players=tuple(self.players[i] for i in keep),
            first=place[self.first[inside]],
            second=place[self.second[inside]],
            **cut,
        )


def count(
    first: Ints,
    second: Ints,
    score: Floats,
    *,
    players: Sequence[str],
    tie: NDArray[np.bool_] | None = None,
    weight: Floats | None = None,
) -> Counts:
    """Collapse comparisons given as index arrays.

    Args:
        first: Index of the player in the first position. [B]
        second: Index of the player in the second position. [B]
        score: P(first ≻ second) in [0, 1]. [B]
        players: Names. [P]
        tie: Declared ties; by default where score is exactly ½. [B]
        weight: Weights ≥ 0, default 1. [B]
    Raises:
        DataError: a score outside [0, 1], a weight that is negative or not a number, no comparison at all.
    """
    size = len(players)
    scores = np.asarray(score, dtype=np.float64)
    weights = np.ones(len(scores)) if weight is None else np.asarray(weight, dtype=np.float64)
    bad = ~((scores >= 0) & (scores <= 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError("off-scale", f"battle {row + 1}: score {scores[row]:g}; expected a probability in [0, 1]")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        row = int(np.argmin(np.isfinite(weights) & (weights >= 0)))
        raise DataError("bad-weight", f"battle {row + 1}: weight {weights[row]:g}; expected a number ≥ 0")
    ties = (scores == 0.5) if tie is None else np.asarray(tie, dtype=bool)
    against_itself = first == second
    n_self = int(against_itself.sum())
    if n_self:
        keep = ~against_itself
        first, second, scores, weights, ties = first[keep], second[keep], scores[keep], weights[keep], ties[keep]
    if len(scores) == 0:
        raise DataError(
            "no-battles",
            "no comparison between two different players",
            hint="`zermelo inspect FILE` shows what is there",
        )
    key, place = np.unique(first.astype(np.int64) * size + second, return_inverse=True)

    def total(values: Floats) -> Floats:
        return np.bincount(place, values, len(key)).astype(np.float64)

    squares = weights * weights
    return Counts(
        players=tuple(players),
        first=key // size,
        second=key % size,
        n=total(weights),
        score=total(weights * scores),
        tie=total(weights * ties),
        n2=total(squares),
        tie2=total(squares * ties),
        score2=total(squares * scores),
        square2=total(squares * scores * scores),
        soft=bool(((scores != 0) & (scores != 1) & ~ties).any()),
        battles=len(scores),
        left_out=(("self", n_self),) if n_self else (),
    )


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full(len(bottom), np.nan), where=bottom > 0)
