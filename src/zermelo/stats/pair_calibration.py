"""Are a reward model's probabilities of pairs met? Expected, average and maximal calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import DataError, SettingError

__all__ = ["PairCalibration", "pair_calibration"]


@dataclass(frozen=True)
class PairCalibration:
    """Calibration of P(first ≻ second) = σ(r_1 − r_2).

    Args:
        ece: Σ_b |Σ p − Σ y| / N.
        ace: Mean over the bins that hold a pair of |mean p − mean y|.
        mce: The largest of these.
        accuracy: How often the larger reward is preferred; equal rewards are half.
        bins: Number of bins on [0, 1].
        both_orders: Whether every pair counted in both orders; that gives other numbers than one order.
        n: Pairs.
    """

    ece: float
    ace: float
    mce: float
    accuracy: float
    bins: int
    both_orders: bool
    n: int


def pair_calibration(
    first: ArrayLike, second: ArrayLike, label: ArrayLike | None = None, *, bins: int = 10, both_orders: bool = True
) -> PairCalibration:
    """Calibration of a reward model on labelled pairs.

    Args:
        first: r_1. [N]
        second: r_2. [N]
        label: 1 where the first was preferred, 0 the second; all 1 by default. [N]
        bins: Equal widths on [0, 1], the last one closed.
        both_orders: Count (r_2, r_1, 1 − y) too; a file with the preferred one first has no other meaning.
    Raises:
        DataError: no pairs.
        SettingError: shapes differ.
    Source: "On Diversified Preferences of Large Language Model Alignment", 2024, arXiv 2312.07401.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    y = np.ones(len(a)) if label is None else np.asarray(label, np.float64)
    if a.shape != b.shape or a.shape != y.shape or a.ndim != 1:
        raise SettingError("bad-shape", f"first, second and label must be [N]. Got {a.shape}, {b.shape}, {y.shape}")
    if bins < 1:
        raise SettingError("bad-setting", f"bins must be at least 1. Got {bins!r}")
    if not len(a):
        raise DataError("nothing-to-measure", "no pairs")
    gap = a - b
    p = 0.5 * (1 + np.tanh(gap / 2))
    right = np.where(gap == 0, 0.5, np.where(gap > 0, y, 1 - y))
    if both_orders:
        p, y = np.concatenate([p, 1 - p]), np.concatenate([y, 1 - y])
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    off = np.abs(np.bincount(place, weights=p - y, minlength=bins))
    each = off[count > 0] / count[count > 0]
    return PairCalibration(
        float(off.sum() / len(p)), float(each.mean()), float(each.max()), float(right.mean()), bins, both_orders, len(a)
    )
