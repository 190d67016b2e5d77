"""Proper scores of probabilistic forecasts: lower is better, and saying what one believes is optimal."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = ["brier_score", "crps", "log_loss", "ranked_probability_score", "spherical_score"]

Floats: TypeAlias = NDArray[np.float64]


def log_loss(probability: ArrayLike, outcome: ArrayLike, *, clip: float = 1e-15) -> Floats:
    """−[y log p + (1−y) log(1−p)], nat, one per item; outcomes may be soft (0…1, a tie is ½).

    Args:
        probability: P(y = 1). [N]
        outcome: y. [N]
        clip: Probabilities are kept this far from 0 and 1, so that one sure error does not decide the mean.
    """
    p, y = _binary(probability, outcome)
    p = np.clip(p, clip, 1 - clip)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def brier_score(probability: ArrayLike, outcome: ArrayLike) -> Floats:
    """(p − y)², one per item; for classes Σ_c (p_c − 1[y = c])².

    Args:
        probability: P(y = 1) [N], or of each class [N, C].
        outcome: y in 0…1 [N], or the class index [N].
    """
    p = np.asarray(probability, dtype=np.float64)
    if p.ndim == 2:
        return np.asarray(((p - _one_hot(outcome, p.shape[1])) ** 2).sum(axis=1))
    p, y = _binary(probability, outcome)
    return np.asarray((p - y) ** 2)


def spherical_score(probability: ArrayLike, outcome: ArrayLike) -> Floats:
    """−p_y / ‖p‖, one per item. Classes: [N, C] with the class index [N]; binary: [N] with y in {0, 1}."""
    p = np.asarray(probability, dtype=np.float64)
    if p.ndim == 1:
        p, outcome = np.stack([1 - p, p], axis=1), np.asarray(outcome, dtype=np.int64)
    norm = np.sqrt((p**2).sum(axis=1))
    return np.asarray(-(p * _one_hot(outcome, p.shape[1])).sum(axis=1) / norm)


def ranked_probability_score(probability: ArrayLike, outcome: ArrayLike) -> Floats:
    """Σ_{c < C−1} (F_c − 1[y ≤ c])² / (C − 1) for ordered classes, one per item.

    Args:
        probability: Of each class, in order. [N, C]
        outcome: Class index. [N]
    Source: Epstein, "A scoring system for probability forecasts of ranked categories", J. Appl. Meteorol. 1969.
    """
    p = np.asarray(probability, dtype=np.float64)
    gap = np.cumsum(p - _one_hot(outcome, p.shape[1]), axis=1)[:, :-1]
    return np.asarray((gap**2).sum(axis=1) / (p.shape[1] - 1))


def crps(samples: ArrayLike, outcome: ArrayLike) -> Floats:
    """Continuous ranked probability score of an ensemble: E|X − y| − ½ E|X − X′|, one per item, in units of y.

    Args:
        samples: Draws of the forecast. [N, S]
        outcome: What came. [N]
    Source: Gneiting and Raftery, "Strictly proper scoring rules", JASA 2007.
    """
    x = np.sort(np.asarray(samples, dtype=np.float64), axis=1)
    y = np.asarray(outcome, dtype=np.float64)
    size = x.shape[1]
    # Σ_ij |x_i − x_j| of a sorted row is 2 Σ_i (2i − S − 1) x_i: no S × S table
    spread = (x * (2 * np.arange(1, size + 1) - size - 1)).sum(axis=1) / size**2
    return np.asarray(np.abs(x - y[:, None]).mean(axis=1) - spread)


def _binary(probability: ArrayLike, outcome: ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if p.shape != y.shape:
        raise SettingError("bad-shape", f"probabilities are {p.shape}, outcomes {y.shape}; expected the same [N]")
    for name, values in (("probability", p), ("outcome", y)):
        if len(values) and not (np.nanmin(values) >= 0 and np.nanmax(values) <= 1):
            raise SettingError(
                "bad-setting", f"{name} must be in [0, 1]. Got {np.nanmin(values)} to {np.nanmax(values)}"
            )
    return p, y


def _one_hot(outcome: ArrayLike, n_classes: int) -> Floats:
    return np.eye(n_classes)[np.asarray(outcome, dtype=np.int64)]
