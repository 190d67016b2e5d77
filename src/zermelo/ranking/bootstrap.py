"""Bootstrap of a Bradley–Terry fit, all replicates at once: no refit loop.

Replicates are multinomial counts over outcome cells. Every replicate starts at the fit and takes quasi-Newton steps
with the fit's own inverse Hessian: one matrix product for all replicates a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import Counts
from zermelo.ranking.likelihood import sigmoid
from zermelo.ranking.result import Ratings

__all__ = ["Bootstrap", "bootstrap"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bootstrap:
    """Replicates of the ratings of one fit.

    Args:
        ratings: Logits, centred on 0 in each replicate. [R, P]
        n_failed: Replicates left out because their ratings do not exist (a player lost everything in them).
        seed: Of the replicates.
    """

    ratings: Floats
    n_failed: int
    seed: int

    def interval(self, level: float = 0.95) -> Floats:
        """Percentile intervals. [P, 2]"""
        ends = [50 * (1 - level), 50 * (1 + level)]
        return np.percentile(self.ratings, ends, axis=0).T

    def covariance(self) -> Floats:
        """Of the ratings over replicates. [P, P]"""
        return np.cov(self.ratings, rowvar=False)


def bootstrap(
    counts: Counts,
    fitted: Ratings,
    *,
    seed: int,
    n_resamples: int = 1000,
    tolerance: float = 1e-9,
    max_iterations: int = 60,
    chunk: int = 128,
) -> Bootstrap:
    """Resample comparisons (unit weights, hard outcomes, ties half) and refit.

    Args:
        counts: What was fitted.
        fitted: `BradleyTerry(ties="half").fit(counts)`, every rating finite.
        seed: Of the replicates.
        n_resamples: Replicates.
        tolerance: Largest change of a rating at which a replicate has converged, nat.
        max_iterations: Steps after which a replicate counts as failed.
        chunk: Replicates held in memory together.
    Raises:
        SettingError: weights, probabilities or infinite ratings.
    """
    if counts.soft or not np.allclose(counts.n, counts.n2):
        raise SettingError("bootstrap-cells", "the bootstrap over cells needs unweighted wins, losses and ties")
    if not np.isfinite(fitted.rating).all():
        raise SettingError("bootstrap-cells", "some ratings are not finite", hint="leave those players out, or a prior")
    cells = counts.unordered()
    win, tie = cells.score - cells.tie / 2, cells.tie
    masses = np.concatenate([win, tie, cells.n - win - tie])
    total = round(float(masses.sum()))
    size, n_cells = len(counts.players), len(cells.n)
    step = BradleyTerry(errors="model").fit(cells).covariance  # inverse Hessian, gauge projected out
    incidence = np.zeros((n_cells, size))
    incidence[np.arange(n_cells), cells.first] = 1
    incidence[np.arange(n_cells), cells.second] = -1
    rng = np.random.default_rng(seed)
    found, failed = [], 0
    for begin in range(0, n_resamples, chunk):
        many = min(chunk, n_resamples - begin)
        drawn = rng.multinomial(total, masses / masses.sum(), size=many).astype(np.float64)
        n = drawn.reshape(many, 3, n_cells).sum(1)
        score = drawn[:, :n_cells] + drawn[:, n_cells : 2 * n_cells] / 2
        beta = np.tile(fitted.rating, (many, 1))
        change = np.full(many, np.inf)
        for _ in range(max_iterations):
            p = sigmoid(beta[:, cells.first] - beta[:, cells.second])
            move = ((score - n * p) @ incidence) @ step
            beta += move
            change = np.abs(move).max(1)
            if change.max() <= tolerance:
                break
        good = change <= 1e-4
        failed += int((~good).sum())
        found.append(beta[good])
    ratings = np.concatenate(found)
    return Bootstrap(ratings - ratings.mean(1, keepdims=True), failed, seed)
