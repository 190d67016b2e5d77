"""How well do some features of a pair, and nothing else, predict which answer is preferred?

    ŵ = argmin Σ_m log(1 + exp(−w·d_m)) + λ/2 |w|²,      d_m = φ(chosen) − φ(rejected),
    accuracy = share of pairs with w·d > 0, w fitted on folds that hold no pair of the same prompt

It is logistic regression on differences with every pair taken both ways round, so there is no intercept, and a tie of
the probe counts one half. The interval of the accuracy is clustered by prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson

__all__ = ["LEAST_PAIRS", "Probed", "clustered_share", "folds_of", "logistic", "pair_auc", "probed", "prompt_groups"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
LEAST_PAIRS = 40
FOLDS = 5


@dataclass(frozen=True)
class Probed:
    """What a probe achieved out of fold.

    Args:
        accuracy: With an interval clustered by prompt.
        auc: P(margin of a pair > −margin of another): how well margins rank, 0.5 by chance.
        margin: w·d out of fold, > 0 where the probe sides with the label; logits. [M]
        weights: Fitted on all pairs, per unit of each feature. [D]
    """

    accuracy: Estimate
    auc: float
    margin: Floats
    weights: Floats


def probed(delta: Any, group: Ints, *, seed: int = 0, l2: float = 1.0, n_folds: int = FOLDS) -> Probed:
    """Cross-validated accuracy of a linear probe on differences of features.

    Args:
        delta: φ(chosen) − φ(rejected), dense or SciPy CSR. [M, D]
        group: Pairs of one group (a prompt) share a fold. [M]
        seed: Of the folds and of the way round.
        l2: λ, on features divided by their root mean square (dense ones only).
        n_folds: At most; no more than there are groups.
    Raises:
        SettingError: shapes differ, or there are fewer than two groups.
    """
    m = delta.shape[0]
    if len(group) != m:
        raise SettingError("bad-shape", f"probe: delta has {m} rows, group {len(group)}")
    names, of = np.unique(group, return_inverse=True)
    if len(names) < 2:
        raise SettingError("bad-shape", f"probe: {len(names)} groups of pairs; cross-validation needs two or more")
    x, scale = _scaled(delta)
    fold = folds_of(of, min(n_folds, len(names)), seed)
    margin = np.zeros(m)
    for k in range(fold.max() + 1):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        margin[outside] = np.asarray(x[outside] @ logistic(x[inside], l2=l2)).ravel()
    right = (margin > 0) + 0.5 * (margin == 0)
    return Probed(clustered_share(right, of), pair_auc(margin), margin, logistic(x, l2=l2) / scale)


def logistic(x: Any, *, l2: float = 1.0, steps: int = 10, rounds: int = 30) -> Floats:
    """argmin Σ log(1 + exp(−x w)) + l2/2 |w|², by Newton's method, its steps by conjugate gradients. [D]

    Args:
        x: Differences, dense or CSR. [M, D]
        l2: > 0.
        steps: Most steps of Newton's method.
        rounds: Most rounds of conjugate gradients in a step.
    """
    from scipy.special import expit

    back = x.T.tocsr() if hasattr(x, "tocsr") else x.T
    w = np.zeros(x.shape[1])
    z = np.zeros(x.shape[0])
    value, first = _loss(z, w, l2), 0.0
    for _ in range(steps):
        wrong = expit(-z)
        gradient = l2 * w - np.asarray(back @ wrong).ravel()
        size = math.sqrt(_dot(gradient, gradient))
        first = first or size
        if size <= 1e-4 * first or size == 0:
            break
        step = _newton(x, back, wrong * (1 - wrong), -gradient, l2, rounds)
        along = np.asarray(x @ step).ravel()
        length = 1.0
        while (new := _loss(z + length * along, w + length * step, l2)) > value and length > 1e-3:
            length /= 2
        if new > value:
            break
        w, z, gain, value = w + length * step, z + length * along, value - new, new
        if gain <= 1e-5 * abs(value):
            break
    return w


def _loss(z: Floats, w: Floats, l2: float) -> float:
    return float(np.logaddexp(0, -z).sum()) + 0.5 * l2 * _dot(w, w)


def _dot(a: Floats, b: Floats) -> float:
    """a · b without BLAS, whose threads cost more than they save on vectors of this length."""
    return float(np.einsum("i,i->", a, b))


def _newton(x: Any, back: Any, curvature: Floats, right: Floats, l2: float, rounds: int) -> Floats:
    """The solution of (xᵀ diag(curvature) x + l2) step = right, to a tenth of a per mille or as far as it gets."""
    step = np.zeros_like(right)
    residual, way = right.copy(), right.copy()
    size = _dot(residual, residual)
    target = 1e-4 * size
    for _ in range(rounds):
        image = np.asarray(back @ (curvature * np.asarray(x @ way).ravel())).ravel() + l2 * way
        move = size / _dot(way, image)
        step += move * way
        residual -= move * image
        size, before = _dot(residual, residual), size
        if size <= target:
            break
        way = residual + size / before * way
    return step


def clustered_share(values: Floats, group: Ints) -> Estimate:
    """Mean of values in [0, 1] with Wilson's interval at the number of independent values that clustering leaves.

        n_eff = p(1 − p) / Var,   Var = G/(G−1) · Σ_g (Σ_{i∈g} (v_i − p))² / n²

    Args:
        values: 1, ½ or 0 for each pair. [M]
        group: Cluster of each. [M]
    """
    _, of = np.unique(group, return_inverse=True)
    n, clusters = len(values), int(of.max(initial=-1)) + 1
    if n == 0:
        return wilson(0, 0)
    p = float(np.mean(values))
    off = np.bincount(of, weights=values - p)
    variance = float(off @ off) / n**2 * clusters / max(clusters - 1, 1)
    effective = min(n, p * (1 - p) / variance) if variance > 0 else clusters
    found = wilson(p * effective, effective)
    return Estimate(p, found.low, found.high, found.level, clusters, "wilson, clustered by prompt")


def pair_auc(margin: Floats) -> float:
    """Area under the curve of margins against their negatives: the AUC of a judge that sees each pair both ways."""
    from scipy.stats import rankdata

    n = len(margin)
    if not n:
        return math.nan
    ranks = rankdata(np.concatenate([margin, -margin]))[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / n**2)


def prompt_groups(prompts: Sequence[str], rows: Ints, *, similar: float = 0.8) -> Ints:
    """Number of each pair's prompt; near-duplicate prompts are one, pairs without a prompt go by their row. [M]"""
    import pyarrow as pa

    from zermelo.doctor.structure.sketches import near_clusters, sketch

    place = {text: at for at, text in enumerate(dict.fromkeys(text for text in prompts if text.strip()))}
    cluster = near_clusters(sketch(pa.array(list(place), pa.string())), similar=similar)
    n = int(cluster.max(initial=-1)) + 1
    keys = [
        int(cluster[place[text]]) if text in place else n + int(row) for text, row in zip(prompts, rows, strict=True)
    ]
    return np.unique(np.array(keys, np.int64), return_inverse=True)[1].astype(np.int64)


def _scaled(delta: Any) -> tuple[Any, Floats]:
    """Dense features in units of their root mean square; sparse ones as they are."""
    if hasattr(delta, "tocsr"):
        return delta.tocsr(), np.ones(delta.shape[1])
    x = np.asarray(delta, np.float64)
    scale = np.sqrt((x * x).mean(axis=0))
    scale[~(scale > 0)] = 1.0
    return x / scale, scale


def folds_of(of: Ints, n_folds: int, seed: int) -> Ints:
    """Fold of every pair; whole groups (numbers from 0), of nearly equal counts. [M]"""
    n = int(of.max()) + 1
    fold = np.empty(n, np.int64)
    fold[np.random.default_rng((seed, 152)).permutation(n)] = np.arange(n) % n_folds
    return np.asarray(fold[of])
