"""Intervals for proportions, means and differences, in closed form.

Wilson and Newcombe use nothing but the normal quantile of the standard library, so that light paths stay light.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import SettingError
from zermelo.stats.estimate import Estimate

__all__ = [
    "clopper_pearson",
    "mean_interval",
    "newcombe_difference",
    "newcombe_paired",
    "normal_interval",
    "wilson",
]


def wilson(successes: float, n: float, *, level: float = 0.95) -> Estimate:
    """Wilson's score interval of a proportion.

        (p̂ + z²/2n ± z √(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n)

    Good from n = 5 on and at p̂ = 0 or 1; the default for shares of independent items. Fractional successes (ties
    counted ½) are allowed and make it conservative.

    Args:
        successes: Items that have the property, 0 ≤ successes ≤ n.
        n: Items; 0 gives NaN with the interval [0, 1].
        level: Coverage.
    Raises:
        SettingError: successes or n is out of range.
    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    _check_counts(successes, n)
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, level, 0, "wilson")
    p, z = successes / n, _z(level)
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
    # at the ends the formula is 0 or 1 up to rounding only
    low, high = (0.0 if successes == 0 else max(low, 0.0)), (1.0 if successes == n else min(high, 1.0))
    return Estimate(p, low, high, level, int(n), "wilson")


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """The exact (conservative) interval of a proportion, from quantiles of the beta distribution.

        low = B⁻¹(α/2; s, n − s + 1),  high = B⁻¹(1 − α/2; s + 1, n − s)

    Args:
        successes: Items that have the property.
        n: Items.
        level: Coverage, at least this for every true proportion.
    Raises:
        SettingError: successes or n is out of range.
    Source: Clopper and Pearson, Biometrika 1934.
    """
    _check_counts(successes, n)
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, level, 0, "clopper-pearson")
    from scipy.special import betaincinv

    alpha = 1 - level
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, alpha / 2))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - alpha / 2))
    return Estimate(successes / n, low, high, level, int(n), "clopper-pearson")


def normal_interval(value: float, standard_error: float, *, level: float = 0.95, n: int = 0) -> Estimate:
    """value ± z · standard error (Wald)."""
    half = _z(level) * standard_error
    return Estimate(value, value - half, value + half, level, n, "normal")


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Student's t interval of a mean: x̄ ± t_{n−1} s/√n. NaN values are left out.

    Args:
        values: Independent numbers. [N]
        level: Coverage.
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    x = x[~np.isnan(x)]
    if len(x) < 2:
        return Estimate(float(x[0]) if len(x) else math.nan, level=level, n=len(x), method="t")
    from scipy.special import stdtrit

    mean = float(x.mean())
    half = float(stdtrit(len(x) - 1, 0.5 + level / 2)) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return Estimate(mean, mean - half, mean + half, level, len(x), "t")


def newcombe_difference(
    successes_a: float, n_a: float, successes_b: float, n_b: float, *, level: float = 0.95
) -> Estimate:
    """p_a − p_b of two independent samples, from their Wilson limits (Newcombe's method 10).

    Args:
        successes_a: Items of the first sample that have the property.
        n_a: Items of the first sample.
        successes_b: The same of the second sample.
        n_b: Items of the second sample.
        level: Coverage.
    Source: Newcombe, "Interval estimation for the difference between independent proportions", Stat. Med. 1998.
    """
    a, b = wilson(successes_a, n_a, level=level), wilson(successes_b, n_b, level=level)
    difference = a.value - b.value
    low = difference - math.hypot(a.value - a.low, b.high - b.value)
    high = difference + math.hypot(a.high - a.value, b.value - b.low)
    return Estimate(difference, low, high, level, int(min(n_a, n_b)), "newcombe")


def newcombe_paired(both: int, only_first: int, only_second: int, neither: int, *, level: float = 0.95) -> Estimate:
    """p_first − p_second of paired yes/no outcomes on the same items (Newcombe's method 10 for paired data).

    Wilson limits of the two margins, joined with the correlation φ of the 2 × 2 table (continuity corrected where it is
    positive). Keeps its coverage where few pairs disagree, where the Wald interval collapses.

    Args:
        both: Items right under both.
        only_first: Items right under the first only.
        only_second: Items right under the second only.
        neither: Items right under none.
        level: Coverage.
    Source: Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
        data", Stat. Med. 1998.
    """
    n = both + only_first + only_second + neither
    if n == 0:
        return Estimate(math.nan, -1.0, 1.0, level, 0, "newcombe (paired)")
    first, second = wilson(both + only_first, n, level=level), wilson(both + only_second, n, level=level)
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    cross = both * neither - only_first * only_second
    if cross > 0:
        cross = max(cross - n / 2, 0)  # type: ignore[assignment]
    phi = cross / math.sqrt(margins) if margins else 0.0

    def joined(of_first: float, of_second: float) -> float:
        return math.sqrt(max(of_first**2 - 2 * phi * of_first * of_second + of_second**2, 0.0))

    difference = (only_first - only_second) / n
    low = difference - joined(first.value - first.low, second.high - second.value)
    high = difference + joined(first.high - first.value, second.value - second.low)
    return Estimate(difference, max(low, -1.0), min(high, 1.0), level, n, "newcombe (paired)")


def _z(level: float) -> float:
    if not 0 < level < 1:
        raise SettingError("bad-setting", f"level must be between 0 and 1. Got {level!r}")
    return NormalDist().inv_cdf(0.5 + level / 2)


def _check_counts(successes: float, n: float) -> None:
    if not (n >= 0 and 0 <= successes <= n):
        raise SettingError("bad-setting", f"successes must be between 0 and n. Got {successes!r} of {n!r}")
