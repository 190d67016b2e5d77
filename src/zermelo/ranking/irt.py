"""Item response theory: abilities of test takers and difficulties of items from a table of right and wrong answers.

    P(y_ti = 1) = c_i + (1 − c_i) σ(a_i θ_t + z_i)            z: easiness (difficulty = −z/a)

`rasch`: a common slope; `2pl`: a_i free; c = 0 unless `guessing` is given.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, one_of

__all__ = ["IRT", "ItemBank", "ability", "information", "marginal_easiness"]

Floats = NDArray[np.float64]
Cells = NDArray[Any]  # float32 in large tables
LIMIT = 6.0  # abilities are kept in [−6, 6]: an all-right pattern has no finite maximum


@dataclass(frozen=True)
class ItemBank:
    """A fitted test.

    Args:
        slope: a. [I]
        easiness: z. [I]
        ability: θ, mean 0 and standard deviation 1 over test takers. [T]
        slope_error: Standard errors of a (NaN for a Rasch model). [I]
        easiness_error: Standard errors of z. [I]
        ability_error: Standard errors of θ. [T]
        guessing: c, common to all items.
        log_likelihood: Mean over observed cells, nat.
        iterations: Alternations.
        seconds: Wall-clock.
        warnings: What a reader must know.
    """

    slope: Floats
    easiness: Floats
    ability: Floats
    slope_error: Floats
    easiness_error: Floats
    ability_error: Floats
    guessing: float
    log_likelihood: float
    iterations: int
    seconds: float
    warnings: tuple[str, ...] = ()

    @property
    def difficulty(self) -> Floats:
        """b = −z/a: the ability at which half (beyond guessing) answer right. [I]"""
        return -self.easiness / self.slope

    def probability(self, ability: Floats | None = None) -> Floats:
        """P(right) of every item for given abilities (default: the fitted ones). [T, I]"""
        theta = self.ability if ability is None else np.asarray(ability, dtype=np.float64)
        p = _sigmoid(theta[:, None] * self.slope + self.easiness)
        return np.asarray(self.guessing + (1 - self.guessing) * p)


@dataclass(frozen=True)
class IRT:
    """Fit by penalised joint maximum likelihood: abilities and items in turn, each by vectorised Newton steps.

        P(y_ti = 1) = c + (1 − c) σ(a_i θ_t + z_i)                    Rasch: one slope a for all items

    θ_t ~ N(0, 1), z_i ~ N(0, `item_sd`²) and log a_i ~ N(0, ½²) keep patterns of all right or all wrong finite. With
    few items per test taker the joint fit overstates slopes; the marginal fit over a grid of abilities
    (`method="marginal"`) does not.

    Args:
        model: `rasch` or `2pl`.
        method: `joint` (default; any size) or `marginal` (Rasch or 2PL over 61 nodes; for tests of < 500 items).
        guessing: c, share right by guessing (0.25 for four choices), default 0.
        item_sd: Prior standard deviation of easiness.
        tolerance: Largest change of a probability (marginal: of an easiness) at which to stop.
        max_iterations: Alternations.
    Raises:
        SettingError: a setting is not one of its choices.
    Source: "Reliable and Efficient Amortized Model-based Evaluation", 2025, arXiv 2503.13335; the models:
        "Probabilistic Models for Some Intelligence and Attainment Tests", 1960; "Statistical Theories of Mental Test
        Scores", 1968.
    """

    model: Literal["rasch", "2pl"] = "2pl"
    method: Literal["joint", "marginal"] = "joint"
    guessing: float = 0.0
    item_sd: float = 3.0
    tolerance: float = 1e-4
    max_iterations: int = 200

    def __post_init__(self) -> None:
        one_of(self, "model", ("rasch", "2pl"))
        one_of(self, "method", ("joint", "marginal"))
        if not 0 <= self.guessing < 1:
            raise SettingError("bad-setting", f"IRT.guessing must be in [0, 1). Got {self.guessing!r}")

    def fit(self, answers: NDArray[np.generic]) -> ItemBank:
        """Fit to a table of answers: 1 right, 0 wrong, NaN not asked. [T, I]

        Raises:
            DataError: an entry is neither, a row or column is empty.
        """
        started = time.perf_counter()
        y = np.asarray(answers, dtype=np.float64)
        seen = ~np.isnan(y)
        if not np.isin(y[seen], (0.0, 1.0)).all():
            raise DataError("bad-answer", "a table of answers holds 1 (right), 0 (wrong) and NaN (not asked)")
        if not (seen.any(1).all() and seen.any(0).all()):
            raise DataError("empty-answers", "a test taker or an item has no answer at all; leave it out")
        full = bool(seen.all())
        y = np.where(seen, y, 0.0)
        w = None if full else seen.astype(np.float64)
        state = _start(y, seen)
        fit = _joint if self.method == "joint" else _marginal
        a, z, theta, steps = fit(y, w, state, self)
        a, z, theta = _anchor(a, z, theta, self.model)
        p, slope = _curve(theta, a, z, self.guessing)
        v = (
            _information_weight(p, slope, self.guessing)
            if w is None
            else _information_weight(p, slope, self.guessing) * w
        )
        person = (v * a**2).sum(1) + 1.0
        zz, aa, az = v.sum(0) + self.item_sd**-2, (v * theta[:, None] ** 2).sum(0), (v * theta[:, None]).sum(0)
        determinant = zz * aa - az**2
        two = self.model == "2pl"
        cells = float(seen.sum())
        log_p, log_q = np.log(np.clip(p, 1e-12, 1)), np.log(np.clip(1 - p, 1e-12, 1))
        each = y * log_p + (1 - y) * log_q
        return ItemBank(
            slope=a,
            easiness=z,
            ability=theta,
            slope_error=np.sqrt(zz / determinant) if two else np.full(len(a), np.nan),
            easiness_error=np.sqrt(aa / determinant) if two else np.sqrt(1 / zz),
            ability_error=np.sqrt(1 / person),
            guessing=self.guessing,
            log_likelihood=float((each if w is None else each * w).sum()) / cells,
            iterations=steps,
            seconds=time.perf_counter() - started,
            warnings=_extremes(y, seen),
        )


def ability(
    answers: Sequence[float] | Floats,
    easiness: Sequence[float] | Floats,
    *,
    slope: Sequence[float] | Floats | None = None,
    prior_sd: float | None = None,
) -> tuple[float, float]:
    """Maximum-likelihood (or MAP) ability from answers to items of known easiness: (θ̂, standard error).

    Steps are clipped to 1 and θ to [−6, 6]: undamped Newton diverges at extreme abilities.

    Args:
        answers: 1 or 0. [I]
        easiness: z. [I]
        slope: a, default 1. [I]
        prior_sd: θ ~ N(0, prior_sd²); None = maximum likelihood.
    Source: "Reliable and Efficient Amortized Model-based Evaluation", 2025, arXiv 2503.13335.
    """
    y, z = np.asarray(answers, dtype=np.float64), np.asarray(easiness, dtype=np.float64)
    a = np.ones_like(z) if slope is None else np.asarray(slope, dtype=np.float64)
    shrink = 0.0 if prior_sd is None else prior_sd**-2
    theta = 0.0
    for _ in range(200):
        p = _sigmoid(a * theta + z)
        total = float((a**2 * p * (1 - p)).sum()) + shrink
        move = (float((a * (y - p)).sum()) - shrink * theta) / max(total, 1e-12)
        theta = float(np.clip(theta + np.clip(move, -1, 1), -LIMIT, LIMIT))
        if abs(move) < 1e-12:
            break
    p = _sigmoid(a * theta + z)
    return theta, float(1 / np.sqrt((a**2 * p * (1 - p)).sum() + shrink))


def information(theta: float, easiness: Floats, slope: Floats | None = None) -> Floats:
    """Fisher information of each item at an ability: a² p (1 − p). [I]"""
    a = np.ones_like(easiness) if slope is None else slope
    p = _sigmoid(a * theta + easiness)
    return np.asarray(a**2 * p * (1 - p))


def marginal_easiness(share: float, *, nodes: int = 81) -> float:
    """Easiness z at which a share of θ ~ N(0, 1) answers right: ∫ σ(θ + z) φ(θ) dθ = share, by bisection.

    It is not logit(share): averaging over abilities flattens the curve.
    """
    x, weight = np.polynomial.hermite_e.hermegauss(nodes)
    weight = weight / weight.sum()
    low, high = -20.0, 20.0
    for _ in range(200):
        middle = (low + high) / 2
        if float(weight @ _sigmoid(x + middle)) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


def _curve(theta: Floats, a: Floats, z: Floats, c: float) -> tuple[Floats, Floats]:
    """P(right) and σ. [T, I] each"""
    s = _sigmoid(theta[:, None] * a + z)
    return (s if c == 0 else c + (1 - c) * s), s


def _information_weight(p: Floats, s: Floats, c: float) -> Floats:
    """Expected information about the logit per cell."""
    return p * (1 - p) if c == 0 else ((1 - c) * s * (1 - s)) ** 2 / np.clip(p * (1 - p), 1e-12, None)


def _start(y: Floats, seen: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    right = (y.sum(1) + 0.5) / (seen.sum(1) + 1)
    easy = (y.sum(0) + 0.5) / (seen.sum(0) + 1)
    theta = np.log(right / (1 - right))
    theta = (theta - theta.mean()) / max(float(theta.std()), 1e-6)
    return np.ones(y.shape[1]), np.log(easy / (1 - easy)), theta


def _anchor(a: Floats, z: Floats, theta: Floats, model: str) -> tuple[Floats, Floats, Floats]:
    """Move location (and for 2PL scale) from the abilities to the items: P does not change."""
    mean = float(theta.mean())
    scale = float(theta.std()) if model == "2pl" else 1.0
    scale = max(scale, 1e-6)
    return a * scale, z + a * mean, (theta - mean) / scale


def _joint(
    y: Floats, w: Floats | None, state: tuple[Floats, Floats, Floats], settings: IRT
) -> tuple[Floats, Floats, Floats, int]:
    """Items and abilities in turn; a thousand items of many give the start."""
    a, z, theta = state
    if y.shape[1] > 4 * FEW:
        some = np.linspace(0, y.shape[1] - 1, FEW).astype(np.int64)
        part = None if w is None else w[:, some]
        theta = _joint(y[:, some], part, (a[some], z[some], theta), settings)[2]
    small: Cells = (
        y.astype(np.float32) if y.size > 10**5 else y
    )  # 24 bits of a probability are plenty in a sum of thousands
    mask: Cells | None = None if w is None else w.astype(small.dtype)
    g, v, before = _scores(small, mask, theta, a, z, settings.guessing)
    shift = np.inf  # of the last move of an ability
    for step in range(1, settings.max_iterations + 1):
        a, z = _items(g, v, theta, a, z, settings)
        g, v, p = _scores(small, mask, theta, a, z, settings.guessing)
        if shift > settings.tolerance / 10:  # abilities rest on all items and settle first
            slope = a.astype(small.dtype)
            pull, hold = (g @ slope).astype(np.float64) - theta, (v @ (slope * slope)).astype(np.float64) + 1.0
            old = theta
            theta = np.clip(theta + np.clip(pull / hold, -1, 1), -LIMIT, LIMIT)
            a, z, theta = _anchor(a, z, theta, settings.model)
            shift = float(np.abs(theta - old).max())
            g, v, p = _scores(small, mask, theta, a, z, settings.guessing)
        moved = float(np.abs(p - before).max())
        before = p
        if moved < settings.tolerance and shift < settings.tolerance:
            return a, z, theta, step
    return a, z, theta, settings.max_iterations


FEW = 1000


def _items(g: Cells, v: Cells, theta: Floats, a: Floats, z: Floats, settings: IRT) -> tuple[Floats, Floats]:
    """One scoring step in (z, log a) of every item; log a ~ N(0, ½²)."""
    t = theta.astype(g.dtype)
    gz = g.sum(0, dtype=np.float64) - z / settings.item_sd**2
    hz = v.sum(0, dtype=np.float64) + settings.item_sd**-2
    if settings.model == "rasch":
        return a, z + np.clip(gz / hz, -1, 1)
    log_a = np.log(a)
    ga = a * (t @ g) - 4 * log_a
    ha, haz = a * a * ((t * t) @ v) + 4, a * (t @ v)
    determinant = np.maximum(hz * ha - haz**2, 1e-9)
    z = z + np.clip((ha * gz - haz * ga) / determinant, -1, 1)
    return np.clip(a * np.exp(np.clip((hz * ga - haz * gz) / determinant, -0.5, 0.5)), 0.05, 20), z


def _scores(y: Cells, w: Cells | None, theta: Floats, a: Floats, z: Floats, c: float) -> tuple[Cells, Cells, Cells]:
    """∂ log-likelihood/∂ logit, its expected information, and P(right), per cell, in the precision of y. [T, I] each"""
    kind = y.dtype
    u = np.multiply.outer(theta.astype(kind), a.astype(kind))
    u += z.astype(kind)
    np.clip(u, -40, 40, out=u)
    np.negative(u, out=u)
    np.exp(u, out=u)
    u += 1
    s = np.reciprocal(u, out=u)
    if c == 0:
        g, p = y - s, s
        v = s * (1 - s)
    else:
        p = c + (1 - c) * s
        slope = (1 - c) * s * (1 - s)
        inside = np.clip(p * (1 - p), 1e-12, None)
        g, v = (y - p) * slope / inside, slope**2 / inside
    return (g, v, p) if w is None else (g * w, v * w, p)


def _marginal(
    y: Floats, w: Floats | None, state: tuple[Floats, Floats, Floats], settings: IRT, nodes: int = 61
) -> tuple[Floats, Floats, Floats, int]:
    """EM over θ ~ N(0, 1) on a grid; abilities are posterior means."""
    a, z, _ = state
    seen = np.ones_like(y) if w is None else w
    x = np.linspace(-LIMIT, LIMIT, nodes)
    prior = -(x**2) / 2 - np.log(np.exp(-(x**2) / 2).sum())
    c, two = settings.guessing, settings.model == "2pl"
    for step in range(1, settings.max_iterations + 1):  # noqa: B007
        p = np.clip(c + (1 - c) * _sigmoid(x[:, None] * a + z), 1e-12, 1 - 1e-12)  # [Q, I]
        log_post = y @ np.log(p).T + (seen - y) @ np.log(1 - p).T + prior
        post = np.exp(log_post - log_post.max(1, keepdims=True))
        post /= post.sum(1, keepdims=True)
        right, asked = post.T @ y, post.T @ seen  # [Q, I]
        before = z.copy()
        for _ in range(3):
            p, s = _curve(x, a, z, c)
            slope = (1 - c) * s * (1 - s)
            inside = np.clip(p * (1 - p), 1e-12, None)
            g, v = (right - asked * p) * slope / inside, asked * slope**2 / inside
            gz, hz = g.sum(0) - z / settings.item_sd**2, v.sum(0) + settings.item_sd**-2
            if two:
                ga = x @ g - 4 * np.log(a) / a
                ha, haz = (x**2) @ v + 4 / a**2, x @ v
                determinant = np.maximum(hz * ha - haz**2, 1e-9)
                z = z + np.clip((ha * gz - haz * ga) / determinant, -1, 1)
                a = np.clip(a + np.clip((hz * ga - haz * gz) / determinant, -0.5, 0.5), 0.05, 20)
            else:
                z = z + np.clip(gz / hz, -1, 1)
        if float(np.abs(z - before).max()) < settings.tolerance:
            break
    return a, z, post @ x, step


def _extremes(y: Floats, seen: NDArray[np.bool_]) -> tuple[str, ...]:
    total, asked = y.sum(0), seen.sum(0)
    n_items = int(((total == 0) | (total == asked)).sum())
    scores, given = y.sum(1), seen.sum(1)
    n_takers = int(((scores == 0) | (scores == given)).sum())
    found = []
    if n_items:
        found.append(f"{n_items} items were answered alike by all; their difficulty rests on the prior")
    if n_takers:
        found.append(f"{n_takers} test takers answered all right or all wrong; their ability rests on the prior")
    return tuple(found)
