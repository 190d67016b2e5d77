"""Minorise–maximise and Newman's iteration for Bradley–Terry: slower than Newton, and independent of it (a check)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["minorise_maximise", "newman"]

Floats = NDArray[np.float64]


def minorise_maximise(wins: Floats, *, iterations: int = 10_000, tolerance: float = 1e-12) -> Floats:
    """Worths p of a win table by p_i ← w_i / Σ_j n_ij/(p_i + p_j), normalised to sum 1. [P, P] → [P]

    Args:
        wins: wins[i, j] = wins of i over j (ties as half a win for each).
        iterations: At most so many sweeps.
        tolerance: Stop where no worth changes by more.
    Source: "MM Algorithms for Generalized Bradley-Terry Models", 2004.
    """
    size = len(wins)
    games, won = wins + wins.T, wins.sum(1)
    p = np.full(size, 1 / size)
    for _ in range(iterations):
        new = won / (games / (p[:, None] + p[None, :])).sum(1)
        new /= new.sum()
        if np.abs(new - p).max() <= tolerance:
            return new
        p = new
    return p


def newman(wins: Floats, *, iterations: int = 10_000, tolerance: float = 1e-12) -> Floats:
    """Worths p by p_i ← [Σ_j w_ij p_j/(p_i + p_j)] / [Σ_j w_ji/(p_i + p_j)], one player after the other. [P, P] → [P]

    Args:
        wins: wins[i, j] = wins of i over j (ties as half a win for each).
        iterations: At most so many sweeps.
        tolerance: Stop where no worth changes by more.
    Source: "Efficient Computation of Rankings from Pairwise Comparisons", 2023, arXiv 2207.00076.
    """
    size = len(wins)
    p = np.ones(size)
    for _ in range(iterations):
        before = p.copy()
        for i in range(size):
            both = p[i] + p
            p[i] = (wins[i] * p / both).sum() / (wins[:, i] / both).sum()
        p /= p.sum() if _ else 1.0  # the first sweep starts from ones, as published
        if np.abs(p - before).max() <= tolerance:
            break
    return np.asarray(p / p.sum())
