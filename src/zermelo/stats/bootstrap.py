"""The bootstrap: percentile and BCa, over independent units (clusters), vectorised, seeded.

Everything is phrased in *counts*: a resample is how often each unit was drawn, [B, U], so that means and ratios of
millions of rows are one matrix product over the sums of each unit, and no row is ever copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.stats.estimate import Estimate

__all__ = ["Bootstrap", "bootstrap_counts", "bootstrap_mean", "bootstrap_of", "units_of"]

Floats: TypeAlias = NDArray[np.float64]
Method: TypeAlias = Literal["percentile", "bca"]
CHUNK = 4_000_000  # cells of a block of counts: 32 MB


@dataclass(frozen=True)
class Bootstrap:
    """A bootstrapped statistic; S statistics at once share their resamples.

    Args:
        value: On the data. [S]
        low: Lower ends. [S]
        high: Upper ends. [S]
        draws: On each resample. [B, S]
        n_units: Units that were resampled.
        level: Coverage.
        method: `percentile` or `bca`.
        seed: Of the resamples.
    """

    value: Floats
    low: Floats
    high: Floats
    draws: Floats
    n_units: int
    level: float
    method: Method
    seed: int

    def __len__(self) -> int:
        return len(self.value)

    @property
    def standard_error(self) -> Floats:
        """Standard deviation of the draws. [S]"""
        return np.asarray(np.nanstd(self.draws, axis=0, ddof=1))

    def estimate(self, index: int = 0) -> Estimate:
        """One of the statistics with its interval."""
        how = f"bootstrap ({self.method}, {len(self.draws):,} resamples of {self.n_units:,} units)"
        return Estimate(
            float(self.value[index]), float(self.low[index]), float(self.high[index]), self.level, self.n_units, how
        )


def bootstrap_mean(
    values: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    method: Method = "percentile",
    seed: int = 0,
) -> Bootstrap:
    """Bootstrap of a (weighted) mean Σ w x / Σ w; for paired data hand it the differences.

    Args:
        values: Numbers, NaN = missing and left out; columns are statistics that share resamples. [N] or [N, S]
        cluster: Unit of each row, any hashable labels (prompt, annotator): whole units are drawn. Default: each row.
        weight: Of each row, ≥ 0. [N]
        level: Coverage.
        resamples: B.
        method: `bca` corrects bias and skew; it needs 20 units or more to be worth it.
        seed: Of the resamples.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    w = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=np.float64)
    known = ~np.isnan(x)
    w_known = w[:, None] * known
    top, bottom = np.where(known, x, 0.0) * w[:, None], w_known
    if cluster is not None:
        unit, n_units = units_of(cluster)
        top, bottom = _sums(top, unit, n_units), _sums(bottom, unit, n_units)

    def ratio(counts: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((counts @ top) / (counts @ bottom))

    return bootstrap_counts(ratio, len(top), level=level, resamples=resamples, method=method, seed=seed)


def bootstrap_of(
    statistic: Callable[..., float],
    *data: ArrayLike,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    method: Method = "percentile",
    seed: int = 0,
) -> Bootstrap:
    """Bootstrap of any statistic of rows: `statistic(*resampled arrays) -> number`. Slower than counts; use it last.

    Args:
        statistic: Called on rows drawn with replacement.
        data: Arrays with equal first axes, drawn together (paired). [N, …]
        cluster: Unit of each row; whole units are drawn.
        level: Coverage.
        resamples: B.
        method: `percentile` or `bca`.
        seed: Of the resamples.
    """
    arrays = [np.asarray(array) for array in data]
    if len({len(array) for array in arrays}) != 1:
        raise SettingError("bad-shape", f"arrays differ in length: {[len(array) for array in arrays]}")
    unit, n_units = units_of(cluster) if cluster is not None else (np.arange(len(arrays[0])), len(arrays[0]))
    order = np.argsort(unit, kind="stable")
    sizes = np.bincount(unit, minlength=n_units)
    starts = np.concatenate([[0], np.cumsum(sizes)])

    def of_counts(counts: Floats) -> Floats:
        out = np.empty((len(counts), 1))
        for row, count in enumerate(counts):
            picked = np.repeat(np.arange(n_units), count.astype(np.int64))
            rows = (
                order[picked]
                if len(order) == n_units
                else np.concatenate([order[starts[u] : starts[u + 1]] for u in picked] or [order[:0]])
            )
            out[row, 0] = statistic(*(array[rows] for array in arrays))
        return out

    return bootstrap_counts(of_counts, n_units, level=level, resamples=resamples, method=method, seed=seed)


def bootstrap_counts(
    statistic: Callable[[Floats], Floats],
    n_units: int,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    method: Method = "percentile",
    seed: int = 0,
) -> Bootstrap:
    """Bootstrap of a statistic that is a function of how often each unit is drawn.

    Args:
        statistic: counts [B, U] → [B, S]; called with ones for the value on the data.
        n_units: U.
        level: Coverage.
        resamples: B.
        method: `percentile` or `bca` (acceleration from the jackknife: U more evaluations).
        seed: Of the resamples.
    Raises:
        SettingError: no units, or an unknown method.
    """
    if method not in ("percentile", "bca"):
        raise SettingError("bad-setting", f"method must be 'percentile' or 'bca'. Got {method!r}")
    if not 0 < level < 1 or resamples < 1:
        raise SettingError("bad-setting", f"level must be in (0, 1), resamples ≥ 1. Got {level!r}, {resamples!r}")
    if n_units == 0:
        raise SettingError("nothing-to-measure", "bootstrap: there is no unit to resample")
    value = np.atleast_2d(statistic(np.ones((1, n_units))))[0]
    if n_units == 1:
        nothing = np.full_like(value, math.nan)
        return Bootstrap(value, nothing, nothing, value[None, :], 1, level, method, seed)
    draws = np.concatenate([np.asarray(statistic(block)) for block in _blocks(n_units, resamples, seed)])
    tail = (1 - level) / 2
    low_q, high_q = np.full(len(value), tail), np.full(len(value), 1 - tail)
    if method == "bca":
        low_q, high_q = _bca(value, draws, _jackknife(statistic, n_units), tail)
    low = np.array([_quantile(draws[:, s], low_q[s]) for s in range(len(value))])
    high = np.array([_quantile(draws[:, s], high_q[s]) for s in range(len(value))])
    return Bootstrap(value, low, high, draws, n_units, level, method, seed)


def units_of(cluster: ArrayLike) -> tuple[NDArray[np.int64], int]:
    """Labels → unit numbers 0…U−1 and U."""
    labels = np.asarray(cluster)
    _, unit = np.unique(labels, return_inverse=True)
    unit = unit.ravel().astype(np.int64)
    return unit, int(unit.max()) + 1 if len(unit) else 0


def _sums(rows: Floats, unit: NDArray[np.int64], n_units: int) -> Floats:
    out = np.zeros((n_units, rows.shape[1]))
    np.add.at(out, unit, rows)
    return out


def _blocks(n_units: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Counts of each resample, in blocks; a resample's draws do not depend on the size of the block."""
    rng = np.random.default_rng(seed)
    size = max(1, CHUNK // n_units)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(0, n_units, size=(rows, n_units))
        flat = (drawn + np.arange(rows)[:, None] * n_units).ravel()
        yield np.bincount(flat, minlength=rows * n_units).reshape(rows, n_units).astype(np.float64)


def _jackknife(statistic: Callable[[Floats], Floats], n_units: int) -> Floats:
    size = max(1, CHUNK // n_units)
    blocks = []
    for start in range(0, n_units, size):
        left_out = np.arange(start, min(start + size, n_units))
        counts = np.ones((len(left_out), n_units))
        counts[np.arange(len(left_out)), left_out] = 0
        blocks.append(np.asarray(statistic(counts)))
    return np.concatenate(blocks)


def _bca(value: Floats, draws: Floats, jackknife: Floats, tail: float) -> tuple[Floats, Floats]:
    from scipy.special import ndtr, ndtri

    below = np.mean(draws < value, axis=0) + np.mean(draws == value, axis=0) / 2
    bias: Any = ndtri(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
    gap = jackknife.mean(axis=0) - jackknife
    spread = 6 * np.sum(gap**2, axis=0) ** 1.5
    skew = np.where(spread > 0, np.sum(gap**3, axis=0) / np.where(spread > 0, spread, 1), 0.0)

    def adjusted(share: float) -> Floats:
        z = bias + ndtri(share)
        return np.asarray(ndtr(bias + z / (1 - skew * z)))

    return adjusted(tail), adjusted(1 - tail)


def _quantile(draws: Floats, share: float) -> float:
    known = draws[~np.isnan(draws)]
    return float(np.quantile(known, share)) if len(known) else math.nan
