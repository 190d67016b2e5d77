"""How many labels are wrong, told apart from a classifier that is weak: a lapse rate beside a temperature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError
from zermelo.stats.estimate import Estimate

__all__ = ["LapseRate", "label_wrong", "lapse_rate"]

Floats: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = Callable[[float], float]
NO_SKILL = 10.83  # χ²(1) at 0.001: the classifier's own temperature against none
GRID = 49


@dataclass(frozen=True)
class LapseRate:
    """A fitted lapse model.

    Args:
        rate: ε, the share of labels entered wrongly, with its profile-likelihood interval; NaN where the classifier has
            no skill, so that nothing can be told.
        scale: a, what its log-probabilities are multiplied by; 0 = no skill.
        skill: Gain of the classifier over none at ε = 0, nat per item.
        gain: Gain of ε over ε = 0, nat in all; twice that is χ²(1) where no label is wrong.
        wrong: P(the label is wrong | label, classifier). [N]
        belief: P(true class | classifier alone). [N, K]
    """

    rate: Estimate
    scale: float
    skill: float
    gain: float
    wrong: Floats
    belief: Floats

    @property
    def has_skill(self) -> bool:
        """Whether the classifier says anything about the labels."""
        return self.scale > 0

    @property
    def found(self) -> bool:
        """Whether some labels are wrong: the interval lies above 0."""
        return self.has_skill and self.rate.low > 0


def lapse_rate(labels: ArrayLike, log_probs: ArrayLike, *, offset: bool = False, level: float = 0.95) -> LapseRate:
    """The share of wrong labels, from log-probabilities that a classifier gave to items it was not trained on.

        P(ỹ = k | x) = (1 − ε) s_k + ε (1 − s_k) / (K − 1),     s = softmax(a · log p̂ + b)

    by maximum likelihood in a > 0 and 0 ≤ ε < (K−1)/K. A classifier that is merely weak has a small a: its errors
    become rarer and rarer as it gets surer. Wrong labels contradict it at the same rate however sure it is. That is all
    that can be told without checked labels: errors that depend on the item, and items that the classifier is surely
    wrong about for reasons of its own, count as wrong labels too.

    Args:
        labels: Given classes 0…K−1. [N]
        log_probs: log p̂ up to a constant a row; for pairs the two columns 0 and −margin. [N, K]
        offset: For two classes: also fit b, an offset of the second, for scores that are no log-probabilities and
            classes that are not balanced. Else b = 0: a pair has no class.
        level: Of the interval.
    Raises:
        SettingError: an offset with more than two classes.
        DataError: fewer than 20 items, or a number that is not finite.
    Source: the lapse rate of psychometric functions (Wichmann and Hill, 2001), symmetric noise of K classes.
    """
    y, x = np.asarray(labels, np.int64), np.asarray(log_probs, np.float64)
    if x.ndim != 2 or y.shape != (len(x),):
        raise SettingError("bad-shape", f"labels must be [N] and log_probs [N, K]. Got {y.shape} and {x.shape}")
    if len(y) < 20:
        raise DataError("nothing-to-measure", f"{len(y)} labels; a lapse rate needs 20 or more")
    if not np.isfinite(x).all():
        raise DataError("nan-score", "log-probabilities must be finite")
    if offset and x.shape[1] != 2:
        raise SettingError("bad-setting", "lapse_rate fits an offset of two classes only")
    n, k = x.shape
    top = (k - 1) / k
    spread = float(np.std(x - x.mean(axis=1, keepdims=True)))
    if spread == 0:
        return _nothing(y, k, level)
    x = (x - x.max(axis=1, keepdims=True)) / spread

    start = [0.0, 0.0]

    def fitted(epsilon: float) -> tuple[float, float, float]:
        """Log-likelihood at the best scale and offset, and these."""
        from scipy.optimize import minimize, minimize_scalar

        if offset:
            best = minimize(
                lambda z: -_log_likelihood(y, x + [0.0, z[1]] / np.exp(z[0]), math.exp(z[0]), epsilon) / n,
                start, method="L-BFGS-B", bounds=[(-5.0, 5.0), (-20.0, 20.0)],
            )  # fmt: skip
            start[:] = best.x.tolist()  # the next ε is near
            return -n * float(best.fun), math.exp(float(best.x[0])), float(best.x[1])
        found = minimize_scalar(
            lambda z: -_log_likelihood(y, x, math.exp(z), epsilon), bounds=(-5.0, 5.0), method="bounded"
        )
        return -float(found.fun), math.exp(float(found.x)), 0.0

    share = np.bincount(y, minlength=k) / n
    none = float(n * (share[share > 0] @ np.log(share[share > 0]))) if offset else -n * math.log(k)
    plain = fitted(0.0)[0]
    if 2 * (plain - none) < NO_SKILL:
        return _nothing(y, k, level)
    grid = top * (np.linspace(0, 1, GRID)[:-1] ** 2)  # finer near 0
    profile = np.array([plain, *(fitted(float(epsilon))[0] for epsilon in grid[1:])])
    best = int(profile.argmax())
    value, peak = _refined(lambda epsilon: fitted(epsilon)[0], grid, profile, best)
    from scipy.special import ndtri

    drop = float(ndtri(0.5 + level / 2)) ** 2 / 2
    low = _crossing(lambda epsilon: fitted(epsilon)[0] - peak + drop, grid[: best + 1][::-1], value, 0.0)
    high = _crossing(lambda epsilon: fitted(epsilon)[0] - peak + drop, grid[best + 1 :], value, top)
    _, scale, shift = fitted(value)
    belief = _softmax(scale * x + (np.array([0.0, shift]) if offset else 0.0))
    rate = Estimate(value, low, high, level, n, "profile likelihood of a lapse rate")
    return LapseRate(rate, scale / spread, (plain - none) / n, peak - plain, label_wrong(y, belief, value), belief)


def label_wrong(labels: ArrayLike, belief: ArrayLike, rate: float) -> Floats:
    """P(the label is wrong | label, belief) = ε (1 − s_y)/(K − 1) / ((1 − ε) s_y + ε (1 − s_y)/(K − 1)).

    Args:
        labels: Given classes. [N]
        belief: P(true class) before the label is seen. [N, K]
        rate: ε.
    """
    s = np.asarray(belief, np.float64)
    own = s[np.arange(len(s)), np.asarray(labels, np.int64)]
    wrong, right = rate * (1 - own) / (s.shape[1] - 1), (1 - rate) * own
    return np.divide(wrong, wrong + right, out=np.zeros(len(s)), where=wrong + right > 0)


def _log_likelihood(y: NDArray[np.int64], x: Floats, scale: float, epsilon: float) -> float:
    k = x.shape[1]
    if k == 2:  # half the work
        gap = scale * (x[np.arange(len(y)), y] - x[np.arange(len(y)), 1 - y])
        own = 0.5 * (1 + np.tanh(gap / 2))
    else:
        own = _softmax(scale * x)[np.arange(len(y)), y]
    return float(np.log(np.maximum((1 - epsilon) * own + epsilon * (1 - own) / (k - 1), 1e-300)).sum())


def _softmax(x: Floats) -> Floats:
    z = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(z / z.sum(axis=1, keepdims=True))


def _refined(value_of: Curve, grid: Floats, profile: Floats, best: int) -> tuple[float, float]:
    """The peak of the profile between the neighbours of its best point on the grid."""
    from scipy.optimize import minimize_scalar

    ends = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)]))
    found = minimize_scalar(lambda e: -value_of(e), bounds=ends, method="bounded", options={"xatol": 1e-5})
    if -found.fun > profile[best] + 1e-9:
        return float(found.x), -float(found.fun)
    return float(grid[best]), float(profile[best])


def _crossing(height: Curve, steps: Floats, start: float, end: float) -> float:
    """Where the profile falls below the level of the interval, going from `start` along `steps`; `end` if nowhere."""
    from scipy.optimize import brentq

    before = start
    for step in steps.tolist():
        if step != start and height(step) < 0:
            return float(brentq(height, min(before, step), max(before, step), xtol=1e-5))
        before = step
    return end


def _nothing(y: NDArray[np.int64], k: int, level: float) -> LapseRate:
    rate = Estimate(math.nan, 0.0, (k - 1) / k, level, len(y), "no skill: nothing can be told")
    return LapseRate(rate, 0.0, 0.0, 0.0, np.full(len(y), math.nan), np.full((len(y), k), 1 / k))
