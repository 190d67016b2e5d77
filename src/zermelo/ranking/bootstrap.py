"""Bootstrap of a Bradley–Terry fit, many replicates at once: no refit loop.

Replicates are random counts of outcome cells (or of clusters). Every replicate starts at the fit and takes quasi-Newton
steps with the fit's own inverse Hessian: gathers, one exponential and one sparse product for all replicates a step.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import Counts
from zermelo.ranking.result import Ratings

if TYPE_CHECKING:
    from zermelo.ranking.records import Records
    from zermelo.report.svg import Svg

__all__ = ["Bootstrap", "bootstrap", "cluster_bootstrap"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POISSON = 100_000  # battles from which the total of a replicate may vary: Poisson counts are several times faster
CHUNK = 50  # replicates held in memory together


@dataclass(frozen=True)
class Bootstrap:
    """Replicates of the ratings of one fit.

    Args:
        ratings: Logits, centred on 0 in each replicate. [R, P]
        n_failed: Replicates left out because their ratings do not exist (a player lost everything in them).
        seed: Of the replicates.
        players: Names. [P]
    """

    ratings: Floats
    n_failed: int
    seed: int
    players: tuple[str, ...] = ()

    def interval(self, level: float = 0.95) -> Floats:
        """Percentile intervals. [P, 2]"""
        ends = [50 * (1 - level), 50 * (1 + level)]
        return np.percentile(self.ratings, ends, axis=0).T

    def covariance(self) -> Floats:
        """Of the ratings over replicates. [P, P]"""
        return np.cov(self.ratings, rowvar=False)

    def plot(self) -> Svg:
        """How often each player takes each rank over the replicates."""
        from zermelo.ranking.pictures import rank_stability

        names = self.players or tuple(str(i) for i in range(self.ratings.shape[1]))
        return rank_stability(names, self.ratings)


def bootstrap(
    counts: Counts,
    fitted: Ratings,
    *,
    seed: int,
    n_resamples: int = 1000,
    tolerance: float = 1e-7,
    max_iterations: int = 60,
) -> Bootstrap:
    """Resample comparisons (unit weights, hard outcomes, ties half) and refit.

    Counts of a replicate are multinomial, or, from 100,000 battles on, independent Poisson: then the number of battles
    varies by 0.3 % or less, which moves no rating.

    Args:
        counts: What was fitted.
        fitted: `BradleyTerry(ties="half").fit(counts)`, every rating finite.
        seed: Of the replicates.
        n_resamples: Replicates.
        tolerance: Largest change of a rating at which a replicate has converged, nat.
        max_iterations: Steps after which a replicate counts as failed.
    Raises:
        SettingError: weights, probabilities or infinite ratings.
    Source: "Bootstrap Methods: Another Look at the Jackknife", 1979.
    """
    if counts.soft or not np.allclose(counts.n, counts.n2):
        raise SettingError("bootstrap-cells", "the bootstrap over cells needs unweighted wins, losses and ties")
    cells = counts.unordered()
    win, tie = cells.score - cells.tie / 2, cells.tie
    masses = np.concatenate([win, tie, cells.n - win - tie])
    there = np.flatnonzero(masses > 0.5)
    total = round(float(masses.sum()))

    def draw(rng: np.random.Generator, many: int) -> tuple[Floats, Floats]:
        drawn: Floats = np.zeros((3 * len(win), many))
        if total >= POISSON:
            drawn[there] = rng.poisson(masses[there, None], size=(len(there), many))
        else:
            drawn[:] = rng.multinomial(total, masses / masses.sum(), size=many).T
        wins, ties, losses = drawn.reshape(3, len(win), many)
        return wins + ties + losses, wins + ties / 2

    return _replicates(cells, fitted, draw, seed, n_resamples, tolerance, max_iterations)


def cluster_bootstrap(
    records: Records,
    fitted: Ratings,
    *,
    seed: int,
    n_resamples: int = 1000,
    tolerance: float = 1e-7,
    max_iterations: int = 60,
) -> Bootstrap:
    """Resample whole clusters (prompts, people) with replacement and refit; weights and probabilities are fine.

    Args:
        records: Battles with cluster codes.
        fitted: `BradleyTerry(ties="half")` of them, every rating finite.
        seed: Of the replicates.
        n_resamples: Replicates.
        tolerance: Largest change of a rating at which a replicate has converged, nat.
        max_iterations: Steps after which a replicate counts as failed.
    Raises:
        SettingError: no clusters, or infinite ratings.
    """
    from scipy.sparse import coo_matrix

    if records.cluster is None:
        raise SettingError("bootstrap-cells", "the cluster bootstrap needs clusters; read the records with cluster=…")
    size = len(records.players)
    swap = records.first > records.second
    low, high = np.where(swap, records.second, records.first), np.where(swap, records.first, records.second)
    key, cell = np.unique(low * size + high, return_inverse=True)
    score = records.weight * np.where(swap, 1 - records.score, records.score)
    n_clusters = int(records.cluster.max()) + 1
    shape = (len(key), n_clusters)
    n_of = coo_matrix((records.weight, (cell, records.cluster)), shape=shape).tocsr()
    score_of = coo_matrix((score, (cell, records.cluster)), shape=shape).tocsr()
    zero = np.zeros(len(key))
    everything = np.ones(n_clusters)
    cells = Counts(
        players=records.players,
        first=key // size,
        second=key % size,
        n=n_of @ everything,
        score=score_of @ everything,
        tie=zero,
        n2=zero,
        tie2=zero,
        score2=zero,
        square2=zero,
        soft=True,
        battles=len(score),
        distinct=True,
    )

    def draw(rng: np.random.Generator, many: int) -> tuple[Floats, Floats]:
        times = rng.multinomial(n_clusters, everything / n_clusters, size=many).T.astype(np.float64)
        return n_of @ times, score_of @ times

    return _replicates(cells, fitted, draw, seed, n_resamples, tolerance, max_iterations)


def _replicates(
    cells: Counts, fitted: Ratings, draw: Any, seed: int, n_resamples: int, tolerance: float, max_iterations: int
) -> Bootstrap:
    if not np.isfinite(fitted.rating).all():
        raise SettingError("bootstrap-cells", "some ratings are not finite", hint="leave those players out, or a prior")
    step = BradleyTerry(errors="model").fit(cells).covariance  # inverse Hessian, gauge projected out
    one = partial(_chunk, cells, fitted.rating, step, draw, seed, tolerance, max_iterations)
    begins = range(0, n_resamples, CHUNK)
    with ThreadPoolExecutor(2) as pool:  # draws and array passes leave the interpreter's lock
        found = list(pool.map(one, range(len(begins)), [min(CHUNK, n_resamples - begin) for begin in begins]))
    ratings = np.concatenate([part for part, _ in found], axis=1).T
    failed = sum(number for _, number in found)
    return Bootstrap(ratings - ratings.mean(1, keepdims=True), failed, seed, cells.players)


def _chunk(
    cells: Counts,
    rating: Floats,
    step: Floats,
    draw: Any,
    seed: int,
    tolerance: float,
    max_iterations: int,
    number: int,
    many: int,
) -> tuple[Floats, int]:
    """Ratings [P, R] of the replicates of one chunk that exist, and how many do not."""
    n, score = draw(np.random.default_rng([seed, number]), many)  # [C, R] each
    first, second = cells.first, cells.second
    add = _incidence(cells, len(rating))
    gap = rating[first] - rating[second]
    p = 1 / (1 + np.exp(-gap))
    beta = rating[:, None] + step @ (add @ (score - n * p[:, None]))  # [P, R]; at the fit one p serves all
    change, live = np.full(many, np.inf), np.arange(many)
    for _ in range(max_iterations):
        b = beta[:, live] if len(live) < many else beta
        u = b[first]
        u -= b[second]
        np.negative(u, out=u)
        np.clip(u, -700, 700, out=u)
        np.exp(u, out=u)
        u += 1
        whole = len(live) == many
        np.divide(n if whole else n[:, live], u, out=u)  # n p
        np.subtract(score if whole else score[:, live], u, out=u)
        move = step @ (add @ u)
        beta[:, live] += move
        change[live] = np.abs(move).max(axis=0)
        live = live[change[live] > tolerance]
        if not len(live):
            break
    good = change <= 1e-4
    return beta[:, good], int((~good).sum())


def _incidence(cells: Counts, size: int) -> Any:
    """Sparse [P, C]: +1 at the first, −1 at the second of each cell."""
    from scipy.sparse import csr_matrix

    n_cells = len(cells.n)
    index = np.stack([cells.first, cells.second], axis=1).ravel()
    values = np.tile([1.0, -1.0], n_cells)
    return csr_matrix((values, index, np.arange(0, 2 * n_cells + 1, 2)), shape=(n_cells, size)).T.tocsr()
