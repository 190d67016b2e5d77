"""Exact expectations over all subsets of n of N samples: best-of-n and pass@k from one set of samples.

Weights are ratios of binomial coefficients, taken in logs: C(1024, 512) does not fit a float.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = ["best_of_n_curve", "log_choose", "order_weights", "pass_at_k"]

Floats: TypeAlias = NDArray[np.float64]


def log_choose(n: ArrayLike, k: ArrayLike) -> Floats:
    """log C(n, k), −inf where k < 0 or k > n; integer arrays that broadcast."""
    n_, k_ = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(k, dtype=np.int64))
    table = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, max(int(n_.max(initial=0)), 1) + 1)))])
    inside = (k_ >= 0) & (k_ <= n_) & (n_ >= 0)
    safe_n, safe_k = np.where(inside, n_, 0), np.where(inside, k_, 0)
    return np.where(inside, table[safe_n] - table[safe_k] - table[safe_n - safe_k], -np.inf)


def order_weights(n_samples: int, n: int | Sequence[int]) -> Floats:
    """P(the i-th smallest of N is the largest of a random subset of n) = C(i−1, n−1) / C(N, n).

    Args:
        n_samples: N.
        n: Subset sizes, 1 ≤ n ≤ N.
    Returns:
        Weights, each column sums to 1. [N, len(n)], or [N] for a single n
    Raises:
        SettingError: n is out of range.
    """
    sizes = np.atleast_1d(np.asarray(n, dtype=np.int64))
    if len(sizes) and (sizes.min() < 1 or sizes.max() > n_samples):
        raise SettingError("bad-setting", f"n must be between 1 and the {n_samples} samples. Got {sizes.tolist()}")
    place = np.arange(1, n_samples + 1)[:, None]
    weights = np.exp(log_choose(place - 1, sizes - 1) - log_choose(n_samples, sizes))
    return weights[:, 0] if np.ndim(n) == 0 else weights


def best_of_n_curve(proxy: ArrayLike, gold: ArrayLike, n: Sequence[int]) -> Floats:
    """Expected gold value of the sample with the highest proxy among n, exactly, for each prompt.

        BoN(n) = Σ_i C(i−1, n−1) / C(N, n) · g_(i),   samples sorted by proxy ascending

    This is the mean over all C(N, n) subsets. Ties of the proxy are broken evenly: within a tie, gold is replaced by
    the mean of the tie.

    Args:
        proxy: What selects; NaN = no such sample. [G, N]
        gold: What is reported; known wherever proxy is. [G, N]
        n: Subset sizes.
    Returns:
        One row for each prompt; NaN where it has fewer than n samples. [G, len(n)]
    Source: the estimator of Nakano et al., "WebGPT", 2021, arXiv 2112.09332, appendix I.
    """
    p, g = np.atleast_2d(np.asarray(proxy, dtype=np.float64)), np.atleast_2d(np.asarray(gold, dtype=np.float64))
    if p.shape != g.shape:
        raise SettingError("bad-shape", f"proxy is {p.shape}, gold is {g.shape}; expected the same [G, N]")
    sizes = np.asarray(n, dtype=np.int64)
    known = ~np.isnan(p) & ~np.isnan(g)
    counts = known.sum(axis=1)
    out = np.full((len(p), len(sizes)), np.nan)
    order = np.argsort(np.where(known, p, np.inf), axis=1, kind="stable")
    p, g = np.take_along_axis(p, order, axis=1), np.take_along_axis(g, order, axis=1)
    for count in np.unique(counts[counts > 0]):
        rows, fits = counts == count, sizes <= count
        if fits.any():
            gold_of_ties = _mean_within_ties(p[rows, :count], g[rows, :count])
            out[np.ix_(rows, fits)] = gold_of_ties @ order_weights(int(count), sizes[fits].tolist())
    return out


def pass_at_k(n_samples: ArrayLike, n_correct: ArrayLike, k: ArrayLike) -> Floats:
    """The unbiased estimate of P(at least one of k samples is right): 1 − C(N−c, k) / C(N, k).

    Args:
        n_samples: N of each prompt.
        n_correct: c of each prompt, 0 ≤ c ≤ N.
        k: Samples that may be tried; NaN comes back where k > N.
    Returns:
        Broadcast of the three.
    Raises:
        SettingError: c > N or k < 1.
    Source: Chen et al., "Evaluating Large Language Models Trained on Code", 2021, arXiv 2107.03374.
    """
    total, right, tries = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.int64) for value in (n_samples, n_correct, k))
    )
    if (right > total).any() or (right < 0).any() or (tries < 1).any():
        raise SettingError("bad-setting", "pass@k needs 0 ≤ correct ≤ samples and k ≥ 1")
    # Π_{i < a} (1 − b/(N−i)) with {a, b} = {c, k}: unlike differences of log-factorials it is exact for rare successes
    fewer, more = np.minimum(right, tries), np.maximum(right, tries)
    sure, miss = total - right < tries, np.zeros(total.shape)
    for i in range(int(np.where(sure, 0, fewer).max(initial=0))):
        factor = np.where((i < fewer) & ~sure, more / np.maximum(total - i, 1), 0.0)
        miss += np.log1p(-np.minimum(factor, 1 - 1e-16))
    return np.where(tries > total, np.nan, np.where(sure, 1.0, -np.expm1(miss)))


def _mean_within_ties(proxy: Floats, gold: Floats) -> Floats:
    """Gold averaged over runs of equal proxy; rows are sorted by proxy. [G, N]"""
    rows, size = proxy.shape
    starts = np.ones((rows, size), dtype=bool)
    starts[:, 1:] = proxy[:, 1:] != proxy[:, :-1]
    if starts.all():
        return gold
    run = np.cumsum(starts.ravel()) - 1
    mean = np.bincount(run, weights=gold.ravel()) / np.bincount(run)
    return np.asarray(mean[run].reshape(rows, size))
