"""How well a score tells two classes apart: the area under the ROC curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import SettingError
from zermelo.stats.bootstrap import bootstrap_counts, units_of
from zermelo.stats.estimate import Estimate

__all__ = ["auroc"]


def auroc(
    score: ArrayLike,
    label: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """P(the score of a positive is above that of a negative), equal scores ½; exact, by ranks.

    Args:
        score: Higher means more likely positive; rows with NaN are left out. [N]
        label: 1 or 0. [N]
        cluster: Independent unit of each row; whole units are resampled. [N]
        level: Coverage.
        resamples: Of the bootstrap; 0 gives no interval.
        seed: Of the resamples.
    Returns:
        NaN where one class is missing.
    Raises:
        SettingError: shapes differ, a label that is neither 0 nor 1, or no row.
    """
    s, y = np.asarray(score, dtype=np.float64), np.asarray(label, dtype=np.float64)
    if s.shape != y.shape or s.ndim != 1:
        raise SettingError("bad-shape", f"scores are {s.shape}, labels {y.shape}; expected the same [N]")
    known = ~np.isnan(s) & ~np.isnan(y)
    s, y = s[known], y[known]
    if not len(s):
        raise SettingError("nothing-to-measure", "AUROC: there is no score with a label")
    if not np.isin(y, (0, 1)).all():
        raise SettingError("bad-setting", "AUROC takes labels 1 and 0")
    unit, n_units = (np.arange(len(s)), len(s)) if cluster is None else units_of(np.asarray(cluster)[known])
    levels, which = np.unique(s, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(levels)))

    def area(counts: np.ndarray) -> np.ndarray:
        weight = counts[:, unit][:, order]
        up, down = weight * y[order], weight * (1 - y[order])
        up, down = np.add.reduceat(up, starts, axis=1), np.add.reduceat(down, starts, axis=1)  # [B, levels]
        below = np.cumsum(down, axis=1) - down / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((up * below).sum(axis=1) / (up.sum(axis=1) * down.sum(axis=1)))[:, None]

    if not resamples:
        return Estimate(float(area(np.ones((1, n_units)))[0, 0]), level=level, n=n_units)
    return bootstrap_counts(area, n_units, level=level, resamples=resamples, seed=seed).estimate()
