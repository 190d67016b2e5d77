"""Are stated probabilities met? Calibration error, the parts of the Brier score, the reliability curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.stats.estimate import Estimate

__all__ = [
    "BrierParts",
    "Reliability",
    "brier_decomposition",
    "calibration_error",
    "reliability_curve",
]

Floats: TypeAlias = NDArray[np.float64]
Binning: TypeAlias = Literal["width", "mass"]


@dataclass(frozen=True)
class Reliability:
    """Stated against observed, one row for each bin that has items.

    Args:
        stated: Mean probability in the bin. [B]
        observed: Share of positive outcomes. [B]
        low: Lower Wilson limit of `observed`. [B]
        high: Upper limit. [B]
        count: Items. [B]
        edges: Bin edges, empty bins included.
        binning: `width` or `mass`.
        level: Of the limits.
    """

    stated: Floats
    observed: Floats
    low: Floats
    high: Floats
    count: NDArray[np.int64]
    edges: Floats
    binning: Binning
    level: float = 0.95

    @property
    def error(self) -> float:
        """Expected calibration error: Σ (n_b / n) |stated − observed|."""
        return float(np.sum(self.count * np.abs(self.stated - self.observed)) / self.count.sum())

    @property
    def worst(self) -> float:
        """Maximum calibration error: the largest |stated − observed| of a bin."""
        return float(np.max(np.abs(self.stated - self.observed)))


@dataclass(frozen=True)
class BrierParts:
    """brier = reliability − resolution + uncertainty + within-bin rest.

    Args:
        brier: Mean (p − y)².
        reliability: Σ (n_b/n)(stated − observed)², lower is better.
        resolution: Σ (n_b/n)(observed − base rate)², higher is better.
        uncertainty: base rate · (1 − base rate).
        rest: What variation of p inside the bins adds; 0 where p is constant in each bin.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    rest: float


def reliability_curve(
    probability: ArrayLike, outcome: ArrayLike, *, bins: int = 10, binning: Binning = "width", level: float = 0.95
) -> Reliability:
    """Stated probabilities against observed shares.

    Args:
        probability: P(y = 1); NaN = missing and left out. [N]
        outcome: y in 0…1 (a tie is ½). [N]
        bins: Number of bins.
        binning: `width`: equal steps of probability, the top one closed; `mass`: equal counts, equal probabilities
            never parted.
        level: Of the Wilson limits.
    Raises:
        SettingError: shapes differ, a probability is outside [0, 1], or nothing is left.
    """
    p, y = _known(probability, outcome)
    if bins < 1:
        raise SettingError("bad-setting", f"bins must be at least 1. Got {bins!r}")
    if binning == "width":
        edges = np.linspace(0, 1, bins + 1)
    elif binning == "mass":
        edges = np.unique(np.concatenate([[0.0], np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]), [1.0]]))
    else:
        raise SettingError("bad-setting", f"binning must be 'width' or 'mass'. Got {binning!r}")
    which = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(which, minlength=len(edges) - 1)
    used = count > 0
    size = count[used]
    stated = np.bincount(which, weights=p, minlength=len(count))[used] / size
    observed = np.bincount(which, weights=y, minlength=len(count))[used] / size
    from zermelo.stats.intervals import wilson

    limits = [
        wilson(float(share * n), int(n), level=level) for share, n in zip(np.clip(observed, 0, 1), size, strict=True)
    ]
    low, high = np.array([e.low for e in limits]), np.array([e.high for e in limits])
    return Reliability(stated, observed, low, high, size, edges, binning, level)


def calibration_error(
    probability: ArrayLike,
    outcome: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "width",
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Expected calibration error Σ_b (n_b/n) |mean p − mean y| with a bootstrap interval.

    The estimate is biased upwards in small samples (a calibrated forecast has ECE > 0 by chance), and the resamples
    more so; the interval is the basic (reflected) one, which pulls the other way, cut at 0. Read it beside the curve.

    Args:
        probability: P(y = 1). [N]
        outcome: y in 0…1. [N]
        bins: Number of bins.
        binning: `width` or `mass`.
        cluster: Independent unit of each row. [N]
        level: Coverage.
        resamples: Of the bootstrap; 0 gives no interval.
        seed: Of the resamples.
    Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    """
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    curve = reliability_curve(p, y, bins=bins, binning=binning, level=level)
    if not resamples:
        return Estimate(curve.error, level=level, n=int(curve.count.sum()), method="ece")
    from zermelo.stats.bootstrap import bootstrap_counts, units_of

    known = ~np.isnan(p) & ~np.isnan(y)
    p, y = p[known], y[known]
    unit, n_units = (np.arange(len(p)), len(p)) if cluster is None else units_of(np.asarray(cluster)[known])
    which = np.clip(np.searchsorted(curve.edges, p, side="right") - 1, 0, len(curve.edges) - 2)
    gaps = np.zeros((n_units, len(curve.edges) - 1))
    np.add.at(gaps, (unit, which), p - y)
    size = np.bincount(unit, minlength=n_units)[:, None].astype(np.float64)
    boot = bootstrap_counts(
        lambda counts: np.abs(counts @ gaps).sum(axis=1, keepdims=True) / (counts @ size),
        n_units,
        level=level,
        resamples=resamples,
        seed=seed,
    )
    low, high = max(0.0, 2 * curve.error - float(boot.high[0])), 2 * curve.error - float(boot.low[0])
    method = f"bootstrap (basic, {resamples:,} resamples of {n_units:,} units)"
    return Estimate(curve.error, min(low, curve.error), max(high, curve.error), level, n_units, method)


def brier_decomposition(
    probability: ArrayLike, outcome: ArrayLike, *, bins: int = 10, binning: Binning = "width"
) -> BrierParts:
    """Murphy's decomposition of the Brier score into reliability, resolution and uncertainty.

    Args:
        probability: P(y = 1). [N]
        outcome: y in {0, 1}. [N]
        bins: Number of bins.
        binning: `width` or `mass`.
    Source: Murphy, "A new vector partition of the probability score", J. Appl. Meteorol. 1973.
    """
    p, y = _known(probability, outcome)
    curve = reliability_curve(p, y, bins=bins, binning=binning)
    share, base = curve.count / curve.count.sum(), float(y.mean())
    brier = float(np.mean((p - y) ** 2))
    reliability = float(np.sum(share * (curve.stated - curve.observed) ** 2))
    resolution = float(np.sum(share * (curve.observed - base) ** 2))
    uncertainty = base * (1 - base)
    return BrierParts(brier, reliability, resolution, uncertainty, brier - reliability + resolution - uncertainty)


def _known(probability: ArrayLike, outcome: ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if p.shape != y.shape or p.ndim != 1:
        raise SettingError("bad-shape", f"probabilities are {p.shape}, outcomes {y.shape}; expected the same [N]")
    known = ~np.isnan(p) & ~np.isnan(y)
    p, y = p[known], y[known]
    if not len(p):
        raise SettingError("nothing-to-measure", "calibration: there is no probability with an outcome")
    if p.min() < 0 or p.max() > 1:
        raise SettingError("bad-setting", f"probability must be in [0, 1]. Got {p.min()} to {p.max()}")
    return p, y
