"""Sparse Bayesian logistic regression without intercept: which differences between two things decide a choice?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive
from zermelo.stats.estimate import Estimate

__all__ = ["LaplaceLogistic", "LogisticPosterior"]

Floats = NDArray[np.float64]
LEAPS = 5  # leapfrog steps of one proposal, at most


@dataclass(frozen=True)
class LogisticPosterior:
    """Posterior of the weights.

    Args:
        names: Of the weights. [D]
        draws: After warm-up. [S, D]
        n: Rows.
        accepted: Share of proposals that were accepted.
        r_hat: Gelman and Rubin's, worst weight; near 1 where the chains agree.
        level: Of the intervals.
    """

    names: tuple[str, ...]
    draws: Floats
    n: int
    accepted: float
    r_hat: float
    level: float = 0.95

    @property
    def mean(self) -> Floats:
        """Posterior mean of each weight, logits. [D]"""
        return np.asarray(self.draws.mean(axis=0))

    def correlation(self) -> Floats:
        """Posterior correlation: which weights cannot be told apart. [D, D]"""
        return np.atleast_2d(np.corrcoef(self.draws, rowvar=False))

    def estimates(self) -> tuple[Estimate, ...]:
        """Posterior mean and credible interval of each weight, logits. [D]"""
        tail = (1 - self.level) / 2
        low, high = np.quantile(self.draws, [tail, 1 - tail], axis=0)
        how = f"posterior ({len(self.draws):,} draws)"
        return tuple(
            Estimate(float(m), float(a), float(b), self.level, self.n, how)
            for m, a, b in zip(self.mean, low, high, strict=True)
        )


@dataclass(frozen=True)
class LaplaceLogistic:
    """Logistic regression with a Laplace prior on every weight and no intercept.

        α_d ~ Laplace(0, scale),   y_m ~ Bernoulli(σ(x_m · α))        x [M, D], y [M] in 0…1

    No intercept: exchanging the two sides (x → −x, y → 1 − y) changes nothing. Sampled by Hamiltonian Monte Carlo in
    coordinates whitened at the mode, all chains at once; the step size adapts during warm-up.

    Args:
        scale: Of the prior, in logits per unit of x; 0.1 shrinks strongly: compare fits on equal numbers of rows.
        draws: Kept per chain.
        warm_up: Thrown away, per chain.
        chains: Independent chains.
        level: Of the credible intervals.
        seed: Of the chains.
    Raises:
        SettingError: a setting that is not positive.
    Source: "Dissecting Human and LLM Preferences", 2024, arXiv 2402.11296.
    """

    scale: float = 0.1
    draws: int = 500
    warm_up: int = 200
    chains: int = 4
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        positive(self, "scale", "draws", "warm_up", "chains")
        if not 0 < self.level < 1:
            raise SettingError("bad-setting", f"LaplaceLogistic.level must be between 0 and 1. Got {self.level!r}")

    def fit(self, x: ArrayLike, y: ArrayLike, *, names: tuple[str, ...] | None = None) -> LogisticPosterior:
        """Sample the posterior.

        Args:
            x: Differences. [M, D]
            y: 1 where the first was chosen, 0 where the second, or a probability. [M]
            names: Of the columns; default x0, x1, … [D]
        Raises:
            DataError: no row, a value that is not a number, a choice outside [0, 1].
        """
        table, choice = _checked(x, y)
        target = _Target(table, choice, self.scale)
        mode, spread = target.mode()
        rng = np.random.default_rng(self.seed)
        kept, accepted = _sample(target, mode, spread, rng, self)
        called = names if names is not None else tuple(f"x{d}" for d in range(table.shape[1]))
        flat = kept.reshape(-1, table.shape[1])
        return LogisticPosterior(called, flat, len(table), accepted, _r_hat(kept), self.level)

    def mode(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """The weights of greatest posterior density (corners of the prior rounded): fast, without uncertainty. [D]"""
        table, choice = _checked(x, y)
        return _Target(table, choice, self.scale).mode()[0]


def _checked(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    table, choice = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if table.ndim != 2 or choice.shape != table.shape[:1]:
        raise SettingError("bad-shape", f"x must be [M, D] and y [M]. Got {table.shape} and {choice.shape}")
    if not table.size:
        raise DataError("nothing-to-measure", "logistic regression: there is no row, or no column")
    if not np.isfinite(table).all():
        raise DataError("bad-covariate", f"row {int(np.argmin(np.isfinite(table).all(axis=1))) + 1}: not a number")
    if not ((choice >= 0) & (choice <= 1)).all():
        raise DataError("off-scale", "a choice is 1, 0 or a probability in [0, 1]")
    return table, choice


@dataclass(frozen=True)
class _Target:
    """log posterior and its gradient, for columns of weights. weights [D, C]"""

    x: Floats
    y: Floats
    scale: float

    def log_density(self, weights: Floats) -> Floats:
        """[C]"""
        z = self.x @ weights  # [M, C]
        softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
        return np.asarray(self.y @ z - softplus.sum(axis=0) - np.abs(weights).sum(axis=0) / self.scale)

    def gradient(self, weights: Floats) -> Floats:
        """[D, C]"""
        z = self.x @ weights
        p = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        return np.asarray(self.x.T @ (self.y[:, None] - p) - np.sign(weights) / self.scale)

    def mode(self) -> tuple[Floats, Floats]:
        """Mode with |α| rounded to √(α² + ε²), and a factor L of the inverse Hessian there: L Lᵀ = H⁻¹."""
        rounding = self.scale / 10
        w = np.zeros(self.x.shape[1])

        def cost(at: Floats) -> float:
            z = self.x @ at
            return float(np.logaddexp(0, z).sum() - self.y @ z + np.sqrt(at**2 + rounding**2).sum() / self.scale)

        for _ in range(100):
            p = 1 / (1 + np.exp(-np.clip(self.x @ w, -700, 700)))
            root = np.sqrt(w**2 + rounding**2)
            gradient = self.x.T @ (p - self.y) + w / root / self.scale
            # 1/root bounds the curvature of the rounded corner from above: steps never overshoot it
            hessian = (self.x * (p * (1 - p))[:, None]).T @ self.x + np.diag(1 / root / self.scale)
            move, step = np.linalg.solve(hessian, gradient), 1.0
            while cost(w - step * move) > cost(w) + 1e-12 and step > 1e-6:
                step /= 2
            w = w - step * move
            if np.abs(step * move).max() < 1e-9:
                break
        p = 1 / (1 + np.exp(-np.clip(self.x @ w, -700, 700)))
        # variance of the prior is 2 scale²: with it the proposals reach weights that the data say nothing about
        hessian = (self.x * (p * (1 - p))[:, None]).T @ self.x + np.eye(len(w)) / (2 * self.scale**2)
        return w, np.linalg.cholesky(np.linalg.inv(hessian))


def _sample(
    target: _Target, mode: Floats, spread: Floats, rng: np.random.Generator, settings: LaplaceLogistic
) -> tuple[Floats, float]:
    """Draws [S, C, D] and the share of proposals accepted after warm-up."""
    size, chains = len(mode), settings.chains
    at = mode[:, None] + spread @ rng.standard_normal((size, chains))
    value, gradient = target.log_density(at), target.gradient(at)
    step, kept, accepted = 1.5 / size**0.25, [], 0.0
    for index in range(settings.warm_up + settings.draws):
        momentum = rng.standard_normal((size, chains))
        eps = step * rng.uniform(0.8, 1.2)  # jitter: no trajectory closes on itself
        proposal, moving, slope = _leapfrog(target.gradient, at, momentum, gradient, spread, eps, rng)
        end = target.log_density(proposal)
        with np.errstate(over="ignore"):
            log_ratio = end - value - 0.5 * ((moving**2).sum(axis=0) - (momentum**2).sum(axis=0))
        chance = np.exp(np.minimum(0.0, np.where(np.isfinite(log_ratio), log_ratio, -np.inf)))
        taken = rng.random(chains) < chance
        at, value = np.where(taken, proposal, at), np.where(taken, end, value)
        gradient = np.where(taken, slope, gradient)
        if index < settings.warm_up:
            step *= float(np.exp((chance.mean() - 0.8) / np.sqrt(index + 1)))
        else:
            kept.append(at.T)
            accepted += float(taken.mean()) / settings.draws
    return np.stack(kept), accepted


def _leapfrog(
    slope: Callable[[Floats], Floats],
    at: Floats,
    momentum: Floats,
    gradient: Floats,
    spread: Floats,
    eps: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """A trajectory in whitened coordinates; returns place, momentum and gradient at its end."""
    for _ in range(int(rng.integers(2, LEAPS + 1))):
        momentum = momentum + 0.5 * eps * (spread.T @ gradient)
        at = at + eps * (spread @ momentum)
        gradient = slope(at)
        momentum = momentum + 0.5 * eps * (spread.T @ gradient)
    return at, momentum, gradient


def _r_hat(kept: Floats) -> float:
    """Of halves of the chains. kept [S, C, D]"""
    half = len(kept) // 2
    if half < 2:
        return float("nan")
    parts = np.concatenate([kept[:half], kept[half : 2 * half]], axis=1)  # [S/2, 2C, D]
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = half * parts.mean(axis=0).var(axis=0, ddof=1)
    ratio = ((half - 1) / half * within + between / half) / np.where(within > 0, within, 1)
    return float(np.sqrt(ratio.max()))
