"""Do two boards agree? Rank correlations, weighted towards the top, and shared top k, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError
from zermelo.ranking.result import Ratings
from zermelo.stats.estimate import Estimate

__all__ = ["BoardAgreement", "board_agreement"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BoardAgreement:
    """Agreement of two boards on their common players.

    Args:
        kendall: τ over pairs of players.
        spearman: ρ of ranks.
        weighted: Weighted τ: a pair counts 1/rank_i + 1/rank_j (mean rank of both boards), so that the top counts most.
        top: Share of the first k of one board that are among the first k of the other.
        k: Of `top`.
        players: Common players with finite ratings.
    """

    kendall: Estimate
    spearman: Estimate
    weighted: Estimate
    top: Estimate
    k: int
    players: int

    def table(self) -> list[dict[str, object]]:
        """One row per measure."""
        named = {"Kendall": self.kendall, "Spearman": self.spearman, "weighted Kendall": self.weighted}
        return [{"measure": name, "value": value} for name, value in {**named, f"top {self.k}": self.top}.items()]


def board_agreement(
    one: Ratings, two: Ratings, *, k: int = 10, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> BoardAgreement:
    """Compare two boards of partly the same players.

    Intervals are percentiles over draws of both boards' ratings from their normal approximations: they say how the
    measure would vary with new votes, and are centred lower than the value, because noise only ever lowers agreement.

    Args:
        one: A board.
        two: Another, from other voters, judges or benchmarks.
        k: Of the shared top.
        level: Of the intervals.
        draws: Of the ratings.
        seed: Of the draws.
    Raises:
        DataError: fewer than three common players with finite ratings.
        SettingError: k < 1.
    Source: weighted τ: "A Weighted Correlation Index for Rankings with Ties", 2015, arXiv 1404.3325.
    """
    if k < 1:
        raise SettingError("bad-setting", f"board_agreement.k must be ≥ 1. Got {k}")
    place = [{name: i for i, name in enumerate(board.players)} for board in (one, two)]
    common = [
        name
        for name in one.players
        if name in place[1] and np.isfinite(one.rating[place[0][name]]) and np.isfinite(two.rating[place[1][name]])
    ]
    if len(common) < 3:
        raise DataError("no-battles", f"{len(common)} common players with finite ratings; expected three or more")
    index = [np.array([where[name] for name in common]) for where in place]
    rng = np.random.default_rng(seed)
    centre = [board.rating[own] for board, own in zip((one, two), index, strict=True)]
    drawn = [_draws(board, own, draws, rng) for board, own in zip((one, two), index, strict=True)]
    k = min(k, len(common))
    values = _measures(centre[0][None], centre[1][None], k)[0]
    found = _measures(drawn[0], drawn[1], k)
    low, high = np.percentile(found, [50 * (1 - level), 50 * (1 + level)], axis=0)
    kendall, spearman, weighted, top = (
        Estimate(float(v), float(min(a, v)), float(max(b, v)), level) for v, a, b in zip(values, low, high, strict=True)
    )
    return BoardAgreement(kendall, spearman, weighted, top, k, len(common))


def _draws(board: Ratings, index: NDArray[np.int64], n: int, rng: np.random.Generator) -> Floats:
    """[n, P]"""
    centre = board.rating[index]
    if board.covariance.ndim == 1:
        return np.asarray(centre + rng.normal(size=(n, len(index))) * np.sqrt(board.covariance[index]))
    values, vectors = np.linalg.eigh(board.covariance[np.ix_(index, index)])
    return np.asarray(centre + (rng.normal(size=(n, len(index))) * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _measures(x: Floats, y: Floats, k: int) -> Floats:
    """Kendall, Spearman, weighted Kendall, top-k overlap of every draw. [n, P] twice → [n, 4]"""
    n, size = x.shape
    ranks = [(-v).argsort(axis=1).argsort(axis=1) + 1.0 for v in (x, y)]
    i, j = np.triu_indices(size, 1)
    out = np.empty((n, 4))
    for row in range(n):
        concord = np.sign(x[row, i] - x[row, j]) * np.sign(y[row, i] - y[row, j])
        mean = (ranks[0][row] + ranks[1][row]) / 2
        weight = 1 / mean[i] + 1 / mean[j]
        a, b = ranks[0][row], ranks[1][row]
        out[row] = (
            concord.mean(),
            np.corrcoef(a, b)[0, 1],
            (weight * concord).sum() / weight.sum(),
            ((a <= k) & (b <= k)).sum() / k,
        )
    return out
