"""Nearest neighbours of many rows, and what they say: duplicates, outliers, whether the order of the rows matters.

Up to a few thousand rows every pair is compared; beyond that, rows are put into cells (k-means) and compared with the
rows of the nearest cells only, which finds nearly all neighbours at a small share of the work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = ["Neighbours", "OrderTest", "cells", "nearest_neighbours", "order_dependence", "outlier_scores"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

EXACT = 4_000  # rows that are compared with all others
ROUNDS = 6  # of k-means; cells need not be good ones
AT_ONCE = 1 << 24  # distances held at once


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other rows of each row, nearest first.

    Args:
        index: Their places. [N, k]
        distance: Cosine distance 1 − cos, in [0, 2]. [N, k]
        cell: k-means cell of each row, from 0; all 0 where every pair was compared. [N]
    """

    index: Ints
    distance: Floats
    cell: Ints


@dataclass(frozen=True)
class OrderTest:
    """Are neighbours in content neighbours in the file?

    Args:
        closeness: Share of neighbours that stand closer together than a random pair would at the median; ½ by chance.
        p: Of a permutation test.
    """

    closeness: float
    p: float


def nearest_neighbours(features: ArrayLike, *, k: int = 10, n_cells: int | None = None, seed: int = 0) -> Neighbours:
    """The k nearest rows by cosine distance.

    Args:
        features: [N, D]; rows of zeros are at distance 1 from all.
        k: How many, fewer than rows.
        n_cells: How many cells; √N by default, one for few rows.
        seed: Of the first centres.
    Raises:
        SettingError: k is not in [1, N), or features are not finite numbers in a table.
    """
    x = np.asarray(features, dtype=np.float32)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise SettingError("bad-shape", f"features must be a table [N, D] of finite numbers. Got {x.shape}")
    if not 1 <= k < len(x):
        raise SettingError("bad-setting", f"k must be in [1, {len(x)}), the number of rows. Got {k}")
    length = np.sqrt(np.einsum("nd,nd->n", x, x))
    x = (x / np.where(length > 0, length, 1)[:, None]).astype(np.float32)
    wanted = (1 if len(x) <= EXACT else round(len(x) ** 0.5)) if n_cells is None else n_cells
    cell, centres = _cells(x, wanted, seed)
    order = np.argsort(cell, kind="stable")
    bounds = np.searchsorted(cell[order], np.arange(len(centres) + 1))
    near = np.argsort(-(centres @ centres.T), axis=1, kind="stable")
    index, distance = np.zeros((len(x), k), np.int64), np.zeros((len(x), k), np.float32)
    for number in range(len(centres)):
        own = order[bounds[number] : bounds[number + 1]]
        others = _candidates(near[number], order, bounds, least=max(4 * k, 8 * len(x) // len(centres)))
        for start in range(0, len(own), max(1, AT_ONCE // max(len(others), 1))):
            rows = own[start : start + max(1, AT_ONCE // max(len(others), 1))]
            index[rows], distance[rows] = _nearest(x, rows, others, k)
    return Neighbours(index, distance, cell)


def cells(features: ArrayLike, n_cells: int, *, seed: int = 0) -> Ints:
    """Rows in about `n_cells` kinds, by k-means on the sphere. [N], from 0; empty kinds are left out.

    Args:
        features: [N, D]
        n_cells: At most N.
        seed: Of the first centres.
    """
    x = np.asarray(features, dtype=np.float32)
    length = np.sqrt(np.einsum("nd,nd->n", x, x))
    x = (x / np.where(length > 0, length, 1)[:, None]).astype(np.float32)
    return _cells(x, min(n_cells, len(x)), seed)[0]


def outlier_scores(neighbours: Neighbours) -> NDArray[np.float64]:
    """How far from everything: mean distance to the neighbours, in interquartile ranges above the third quartile. [N]

    Above 3 a row is far out (Tukey's outer fence).
    """
    mean = neighbours.distance.astype(np.float64).mean(axis=1)
    low, high = np.quantile(mean, [0.25, 0.75])
    return np.asarray((mean - high) / max(high - low, 1e-6))


def order_dependence(neighbours: Neighbours, *, permutations: int = 199, seed: int = 0) -> OrderTest:
    """Do rows that say similar things stand near each other in the file?

    |i − j| of neighbours is compared with the median gap of random pairs, (1 − 1/√2) N; under a random order half of
    the neighbours are closer. p is the share of random orders that give at least such a share.

    Args:
        neighbours: Of the rows, in order of the file.
        permutations: Random orders.
        seed: Of them.
    """
    rng = np.random.default_rng(seed)
    n, k = neighbours.index.shape
    pick = np.arange(n) if n * k <= 200_000 else np.sort(rng.choice(n, 200_000 // k, replace=False))
    middle = (1 - 0.5**0.5) * n

    def closer(place: Ints) -> float:
        return float((np.abs(place[neighbours.index[pick]] - place[pick][:, None]) < middle).mean())

    seen = closer(np.arange(n))
    drawn = [closer(rng.permutation(n)) for _ in range(permutations)]
    return OrderTest(seen, (1 + sum(value >= seen for value in drawn)) / (1 + permutations))


def _cells(x: Floats, n_cells: int, seed: int) -> tuple[Ints, Floats]:
    """A few rounds of k-means on the sphere: cell of each row [N], centres [C, D]; empty cells are dropped."""
    if n_cells <= 1:
        return np.zeros(len(x), np.int64), x.mean(axis=0, keepdims=True)
    rng = np.random.default_rng(seed)
    centres = x[rng.choice(len(x), n_cells, replace=False)]
    learn = x if len(x) <= 64 * n_cells else x[np.sort(rng.choice(len(x), 64 * n_cells, replace=False))]
    for _ in range(ROUNDS):
        cell = _closest(learn, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, cell, learn)
        length = np.sqrt(np.einsum("cd,cd->c", sums, sums))
        if not (length > 0).any():  # rows without direction are of one kind
            return np.zeros(len(x), np.int64), centres[:1]
        centres = (sums / np.where(length > 0, length, 1)[:, None])[length > 0]
    cell = _closest(x, centres)
    used, cell = np.unique(cell, return_inverse=True)
    return cell.astype(np.int64), centres[used]


def _closest(x: Floats, centres: Floats) -> Ints:
    step = max(1, AT_ONCE // len(centres))
    return np.concatenate([np.argmax(x[i : i + step] @ centres.T, axis=1) for i in range(0, len(x), step)])


def _candidates(near: Ints, order: Ints, bounds: Ints, *, least: int) -> Ints:
    """Rows of the nearest cells, as many cells as hold `least` rows."""
    sizes = bounds[near + 1] - bounds[near]
    enough = int(np.searchsorted(np.cumsum(sizes), least)) + 1
    return np.concatenate([order[bounds[c] : bounds[c + 1]] for c in near[:enough]])


def _nearest(x: Floats, rows: Ints, others: Ints, k: int) -> tuple[Ints, Floats]:
    closeness = x[rows] @ x[others].T
    closeness[rows[:, None] == others[None, :]] = -np.inf
    best = np.argpartition(-closeness, min(k, closeness.shape[1] - 1), axis=1)[:, :k]
    value = np.take_along_axis(closeness, best, axis=1)
    by = np.argsort(-value, axis=1, kind="stable")
    return others[np.take_along_axis(best, by, axis=1)], 1 - np.take_along_axis(value, by, axis=1)
