"""Comparisons, collapsed: millions of battles become a few thousand cells, and every fit works on the cells.

A cell is an ordered pair (first, second). After counting, the work of a fit does not depend on the number of battles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError

if TYPE_CHECKING:
    from zermelo.report.svg import Svg

__all__ = ["Counts", "collapse", "count", "of_outcomes"]

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
        distinct: Whether every unordered pair has at most one cell, its first player the smaller index.
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
    distinct: bool = False

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

    def plot(self) -> Svg:
        """Win rates of pairs, the best by share of points first."""
        from zermelo.ranking.pictures import win_matrix

        return win_matrix(self)

    def unordered(self) -> Counts:
        """The same with both orders of a pair in one cell (first < second)."""
        swap = self.first > self.second
        if not swap.any() and self.distinct:
            return self
        low, high = np.where(swap, self.second, self.first), np.where(swap, self.first, self.second)
        sums = {
            "n": self.n,
            "score": np.where(swap, self.n - self.score, self.score),
            "tie": self.tie,
            "n2": self.n2,
            "tie2": self.tie2,
            "score2": np.where(swap, self.n2 - self.score2, self.score2),
            "square2": np.where(swap, self.n2 - 2 * self.score2 + self.square2, self.square2),
        }
        return replace(self, distinct=True, **collapse(low, high, len(self.players), sums))

    def subset(self, keep: Sequence[int]) -> Counts:
        """Only the players `keep` (in that order) and the comparisons among them."""
        place = np.full(len(self.players), -1)
        place[np.asarray(keep, dtype=np.int64)] = np.arange(len(keep))
        inside = (place[self.first] >= 0) & (place[self.second] >= 0)
        cut = {name: getattr(self, name)[inside] for name in ("n", "score", "tie", "n2", "tie2", "score2", "square2")}
        return replace(
            self,
            distinct=self.distinct and bool((np.diff(np.asarray(keep)) > 0).all()),
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
    soft = bool(((scores != 0) & (scores != 1) & ~ties).any())
    hard = not soft and bool((ties == (scores == 0.5)).all())
    if weight is None and hard:  # three integers per cell say it all
        sums = _of_outcomes(first, second, scores, size)
    else:
        squares = weights * weights
        sums = collapse(
            first,
            second,
            size,
            {
                "n": weights,
                "score": weights * scores,
                "tie": weights * ties,
                "n2": squares,
                "tie2": squares * ties,
                "score2": squares * scores,
                "square2": squares * scores * scores,
            },
        )
    return Counts(
        players=tuple(players),
        soft=soft,
        battles=len(scores),
        left_out=(("self", n_self),) if n_self else (),
        **sums,
    )


def of_outcomes(
    first: Ints, second: Ints, win: Floats, tie: Floats, loss: Floats, *, players: Sequence[str], left_out: int = 0
) -> Counts:
    """Counts of unweighted wins, ties and losses of the first; equal (first, second) may repeat. Each [C]

    Args:
        left_out: Comparisons of a player with itself that were left out.
    """
    size = len(players)
    sums = collapse(first, second, size, {"n": win + tie + loss, "score": win + tie / 2, "tie": tie})
    return Counts(
        players=tuple(players),
        soft=False,
        battles=round(float(sums["n"].sum())),
        left_out=(("self", left_out),) if left_out else (),
        **_squares(sums),
    )


def collapse(first: Ints, second: Ints, size: int, sums: Mapping[str, Floats]) -> dict[str, Any]:
    """`first` and `second` of the distinct ordered pairs, and the sums of columns over each."""
    key = first.astype(np.int64) * size + second
    if size * size <= max(DENSE, 4 * len(key)):  # a table of all pairs is cheaper than sorting the keys
        there = np.flatnonzero(np.bincount(key, minlength=size * size))
        found = {name: np.bincount(key, values, size * size)[there] for name, values in sums.items()}
    else:
        there, place = np.unique(key, return_inverse=True)
        found = {name: np.bincount(place, values, len(there)) for name, values in sums.items()}
    return {"first": there // size, "second": there % size, **found}


DENSE = 250_000


def _of_outcomes(first: Ints, second: Ints, scores: Floats, size: int) -> dict[str, Any]:
    """Cells of unweighted wins, ties and losses: integers are counted, not floats summed."""
    if size * size > max(DENSE, 4 * len(first)):
        one = np.ones(len(scores))
        return _squares(collapse(first, second, size, {"n": one, "score": scores, "tie": (scores == 0.5) * one}))
    key = (first.astype(np.int64) * size + second) * 3 + (2 * scores).astype(np.int64)
    table = np.bincount(key, minlength=3 * size * size).reshape(-1, 3).astype(np.float64)
    n = table.sum(axis=1)
    there = np.flatnonzero(n)
    loss, tie, win = table[there].T
    del loss
    return _squares({"first": there // size, "second": there % size, "n": n[there], "score": win + tie / 2, "tie": tie})


def _squares(sums: dict[str, Any]) -> dict[str, Any]:
    """With unit weights Σ w² = Σ w, and a tie's y² is ¼."""
    squares = {
        "n2": sums["n"],
        "tie2": sums["tie"],
        "score2": sums["score"],
        "square2": sums["score"] - sums["tie"] / 4,
    }
    return {**sums, **squares}


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full(len(bottom), np.nan), where=bottom > 0)
