"""Win tables and what can be read off them without a model: rates, spectral ratings, cycles, Borda, Kemeny."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError

__all__ = ["average_win_rate", "borda", "cyclic_triples", "eigenvector", "kemeny", "pagerank", "win_rates"]

Floats = NDArray[np.float64]


def win_rates(wins: Floats, ties: Floats | None = None) -> Floats:
    """(wins_ij + ½ ties_ij)/n_ij, NaN where i and j never met. [P, P]

    Source: "The Method of Paired Comparisons", 1963.
    """
    t = np.zeros_like(wins) if ties is None else ties
    games = wins + wins.T + t
    return np.divide(wins + t / 2, games, out=np.full_like(wins, np.nan, dtype=np.float64), where=games > 0)


def average_win_rate(wins: Floats, ties: Floats | None = None) -> Floats:
    """Mean win rate over opponents, each opponent counting once. [P]"""
    rates = win_rates(wins, ties)
    met = ~np.isnan(rates)
    total = np.where(met, rates, 0.0).sum(1)
    return np.divide(total, met.sum(1), out=np.full(len(wins), np.nan), where=met.any(1))


def eigenvector(
    wins: Floats, ties: Floats | None = None, *, iterations: int = 1000, tolerance: float = 1e-12
) -> Floats:
    """Perron vector of the table with winners as rows (ties half): beating the strong counts more. [P], norm 1

    Source: "The Perron–Frobenius Theorem and the Ranking of Football Teams", 1993.
    """
    table = wins if ties is None else wins + ties / 2
    v = np.full(len(table), 1 / np.sqrt(len(table)))
    for _ in range(iterations):
        new = table @ v + v  # the shift leaves the vector and makes periodic tables converge
        new /= np.linalg.norm(new)
        if np.abs(new - v).max() <= tolerance:
            return np.asarray(new)
        v = new
    return v


def pagerank(
    wins: Floats, ties: Floats | None = None, *, damping: float = 0.85, iterations: int = 1000, tolerance: float = 1e-12
) -> Floats:
    """Stationary share of a walker from losers to winners, anywhere with probability 1 − damping. [P]

    Source: "The PageRank Citation Ranking: Bringing Order to the Web", 1999.
    """
    table = (wins if ties is None else wins + ties / 2).T  # row = loser
    out = table.sum(1, keepdims=True)
    move = np.divide(table, out, out=np.full_like(table, 1 / len(table), dtype=np.float64), where=out > 0)
    v = np.full(len(table), 1 / len(table))
    for _ in range(iterations):
        new = damping * v @ move + (1 - damping) / len(table)
        if np.abs(new - v).sum() <= tolerance:
            return np.asarray(new)
        v = new
    return v


def cyclic_triples(wins: Floats) -> tuple[int, int]:
    """(triples with a majority cycle, triples whose three majorities are all strict)."""
    beats = (wins > wins.T).astype(np.int64)
    decided = beats + beats.T
    cycles = int(np.trace(beats @ beats @ beats)) // 3
    triples = int(np.trace(decided @ decided @ decided)) // 6
    return cycles, triples


def borda(wins: Floats, ties: Floats | None = None) -> Floats:
    """Borda score: the sum of win rates over opponents met. [P]

    Source: "Mémoire sur les élections au scrutin", 1781.
    """
    return np.asarray(np.nansum(win_rates(wins, ties), axis=1))


def kemeny(wins: Floats) -> tuple[int, ...]:
    """The order with the fewest disagreements, best first; exact, by dynamic programming over subsets.

    Args:
        wins: wins[i, j] = how often i is preferred to j; at most 16 items (2¹⁶ subsets).
    Raises:
        SettingError: more than 16 items.
    Source: "Mathematics without Numbers", 1959.
    """
    size = len(wins)
    if size > 16:
        raise SettingError("too-many-items", f"Kemeny's order is exact up to 16 items. Got {size}", hint="use Borda")
    nothing: tuple[float, tuple[int, ...]] = (np.inf, ())
    best = [nothing] * (1 << size)
    best[0] = (0.0, ())
    for subset in range(1, 1 << size):
        members = [i for i in range(size) if subset >> i & 1]
        # the last of the subset disagrees with every preference it gets over the others
        options = []
        for last in members:
            cost, order = best[subset & ~(1 << last)]
            options.append((cost + sum(float(wins[last, i]) for i in members if i != last), (*order, last)))
        best[subset] = min(options)
    return best[-1][1]
