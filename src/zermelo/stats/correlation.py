"""Correlation of two columns, with bootstrap intervals over rows or clusters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.stats.bootstrap import bootstrap_counts, bootstrap_of, units_of
from zermelo.stats.estimate import Estimate

__all__ = ["kendall_tau", "pearson", "spearman"]

Floats: TypeAlias = NDArray[np.float64]
DENSE = 1500  # rows up to which Kendall's sign matrix is built; above, each resample is sorted


def pearson(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Pearson's r.

    Args:
        x: Numbers; rows where either is NaN are left out. [N]
        y: Numbers. [N]
        cluster: Independent unit of each row. [N]
        level: Coverage.
        resamples: Of the bootstrap; 0 gives no interval.
        seed: Of the resamples.
    """
    a, b, unit, n_units = _rows(x, y, cluster)
    columns = np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=1)
    return _moments(columns, unit, n_units, level, resamples, seed)


def spearman(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Spearman's ρ: Pearson's r of the ranks, ties sharing their average rank. Resamples are ranked anew.

    Args:
        x: Numbers; rows where either is NaN are left out. [N]
        y: Numbers. [N]
        cluster: Independent unit of each row. [N]
        level: Coverage.
        resamples: Of the bootstrap; 0 gives no interval.
        seed: Of the resamples.
    Source: Spearman, "The proof and measurement of association between two things", 1904.
    """
    a, b, unit, n_units = _rows(x, y, cluster)
    of_a, of_b = _weighted_ranks(a), _weighted_ranks(b)

    def rho(counts: Floats) -> Floats:
        weight = counts[:, unit]
        return _weighted_pearson(of_a(weight), of_b(weight), weight)[:, None]

    return _bootstrapped(rho, n_units, level, resamples, seed)


def kendall_tau(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Kendall's τ-b: (concordant − discordant) / √((pairs untied in x)(pairs untied in y)).

    Args:
        x: Numbers; rows where either is NaN are left out. [N]
        y: Numbers. [N]
        cluster: Independent unit of each row. [N]
        level: Coverage.
        resamples: Of the bootstrap; 0 gives no interval.
        seed: Of the resamples.
    Source: Kendall, "The treatment of ties in ranking problems", Biometrika 1945.
    """
    a, b, unit, n_units = _rows(x, y, cluster)
    if len(a) > DENSE:
        return _kendall_sorted(a, b, unit, level, resamples, seed)
    sign_a, sign_b = np.sign(a[:, None] - a[None, :]), np.sign(b[:, None] - b[None, :])
    products = (sign_a * sign_b, np.abs(sign_a), np.abs(sign_b))

    def tau(counts: Floats) -> Floats:
        weight = counts[:, unit]
        both, untied_a, untied_b = (np.einsum("bn,bn->b", weight @ table, weight) for table in products)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(both / np.sqrt(untied_a * untied_b))[:, None]

    return _bootstrapped(tau, n_units, level, resamples, seed)


def _kendall_sorted(a: Floats, b: Floats, unit: NDArray[np.int64], level: float, resamples: int, seed: int) -> Estimate:
    from scipy.stats import kendalltau

    def tau(left: Floats, right: Floats) -> float:
        return float(kendalltau(left, right).statistic)

    if not resamples:
        return Estimate(tau(a, b), level=level, n=len(a))
    return bootstrap_of(tau, a, b, cluster=unit, level=level, resamples=resamples, seed=seed).estimate()


def _moments(
    columns: Floats, unit: NDArray[np.int64], n_units: int, level: float, resamples: int, seed: int
) -> Estimate:
    centre = columns[:, 1:3].mean(axis=0)  # centred first: x² of large x would eat the digits
    a, b = columns[:, 1] - centre[0], columns[:, 2] - centre[1]
    sums = np.zeros((n_units, 6))
    np.add.at(sums, unit, np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=1))

    def r(counts: Floats) -> Floats:
        n, sa, sb, saa, sbb, sab = (counts @ sums).T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((sab - sa * sb / n) / np.sqrt((saa - sa * sa / n) * (sbb - sb * sb / n)))[:, None]

    return _bootstrapped(r, n_units, level, resamples, seed)


def _weighted_ranks(values: Floats) -> Callable[[Floats], Floats]:
    """counts of each row [B, N] → average rank of each row in the resample [B, N]."""
    levels, which = np.unique(values, return_inverse=True)

    def ranks(weight: Floats) -> Floats:
        mass = np.zeros((len(weight), len(levels)))
        for row, counts in enumerate(weight):
            mass[row] = np.bincount(which, weights=counts, minlength=len(levels))
        return np.asarray((np.cumsum(mass, axis=1) - mass / 2 + 0.5)[:, which])

    return ranks


def _weighted_pearson(a: Floats, b: Floats, weight: Floats) -> Floats:
    total = weight.sum(axis=1, keepdims=True)
    a, b = a - (weight * a).sum(axis=1, keepdims=True) / total, b - (weight * b).sum(axis=1, keepdims=True) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            (weight * a * b).sum(axis=1) / np.sqrt((weight * a * a).sum(axis=1) * (weight * b * b).sum(axis=1))
        )


def _bootstrapped(
    statistic: Callable[[Floats], Floats], n_units: int, level: float, resamples: int, seed: int
) -> Estimate:
    if not resamples:
        return Estimate(float(statistic(np.ones((1, n_units)))[0, 0]), level=level, n=n_units)
    return bootstrap_counts(statistic, n_units, level=level, resamples=resamples, seed=seed).estimate()


def _rows(x: ArrayLike, y: ArrayLike, cluster: ArrayLike | None) -> tuple[Floats, Floats, NDArray[np.int64], int]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise SettingError("bad-shape", f"x is {a.shape}, y is {b.shape}; expected the same [N]")
    known = ~np.isnan(a) & ~np.isnan(b)
    if not known.any():
        raise SettingError("nothing-to-measure", "correlation: there is no row with both numbers")
    unit, n_units = (
        units_of(np.asarray(cluster)[known]) if cluster is not None else (np.arange(known.sum()), int(known.sum()))
    )
    if n_units and math.isinf(float(np.abs(a[known]).max())):
        raise SettingError("bad-setting", "correlation: infinite values have no place; replace or drop them")
    return a[known], b[known], unit, n_units
