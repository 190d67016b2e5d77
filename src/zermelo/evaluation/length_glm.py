"""Length-controlled win rates of many models against one baseline: the full GLM, difficulties estimated from the data.

    logit P(m beats the baseline on x) = φ_m ℓ_mx + ψ_m γ_x + θ_m
    ℓ = tanh(Δ/sd_m(Δ)),  Δ = length of the baseline's answer − the model's, characters

The length-controlled win rate sets ℓ = 0: mean over instructions of σ(ψ_m γ_x + θ_m).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, positive

__all__ = ["Coefficients", "LengthControl", "LengthControlled", "raw_win_rate"]

Floats = NDArray[np.float64]
Coefficients = tuple[float, float, float]  # φ, ψ, θ


@dataclass(frozen=True)
class LengthControlled:
    """Win rates of M models over X instructions, as fractions.

    Args:
        models: Names. [M]
        win_rate: Mean preference. [M]
        length_controlled: Win rate had both answers the same length. [M]
        error: Standard errors of it, by bootstrap over instructions; NaN without replicates. [M]
        coefficients: φ, ψ, θ. [M, 3]
        difficulty: γ. [X]
        mean_length: Mean characters of the model's answers. [M]
        seconds: Wall-clock.
        warnings: Length control changed a win rate by more than a quarter; constant answers; rows missing.
        iterations: Alternations.
    """

    models: tuple[str, ...]
    win_rate: Floats
    length_controlled: Floats
    error: Floats
    coefficients: Floats
    difficulty: Floats
    mean_length: Floats
    seconds: float
    warnings: tuple[str, ...]
    iterations: int = 0

    def against(self, a: str, b: str) -> float:
        """Length-controlled win rate of a over b, through the common baseline; `against(b, a)` is its complement."""
        i, j = self.models.index(a), self.models.index(b)
        gap = self.coefficients[i] - self.coefficients[j]
        return float(_sigmoid(gap[1] * self.difficulty + gap[2]).mean())


@dataclass(frozen=True)
class LengthControl:
    """Joint penalised fit of all models and instruction difficulties, by alternating vectorised Newton steps.

        logit P(m beats the baseline on x) = φ_m tanh(Δ_mx / sd_m(Δ)) + ψ_m γ_x + θ_m
        length-controlled win rate = mean over x of σ(ψ_m γ_x + θ_m)         Δ: baseline's length − the model's

    The official fit takes difficulties from a larger, unpublished set and anchors φ by two "gamed" runs of the
    baseline; both are not public. Here difficulties are estimated jointly (γ_x ~ N(0, `difficulty_sd`²)) and φ is
    anchored by shrinking it towards the models' mean (φ_m ~ N(mean, `length_sd`²)): a model cannot profit from
    extreme lengths.
    With `published` coefficients (any models of an official board), difficulties come from those models at their
    published coefficients, and φ and ψ shrink towards the published means.

    Args:
        length_sd: Spread of φ between models.
        slope_sd: Spread of ψ around 1 (around the published mean, 0.3, with `published`).
        difficulty_sd: Spread of γ between instructions.
        iterations: Alternations at most.
        tolerance: Largest change of a coefficient at which to stop.
    Source: "Length-Controlled AlpacaEval: A Simple Way to Debias Automatic Evaluators", 2024, arXiv 2404.04475.
    """

    length_sd: float = 0.3
    slope_sd: float = 1.0
    difficulty_sd: float = 1.0
    iterations: int = 200
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        positive(self, "length_sd", "slope_sd", "difficulty_sd", "iterations", "tolerance")

    def fit(
        self,
        preference: Floats,
        length_model: Floats,
        length_baseline: Floats,
        *,
        models: Sequence[str],
        baseline: str | None = None,
        published: Mapping[str, Coefficients] | None = None,
        n_resamples: int = 0,
        seed: int = 0,
    ) -> LengthControlled:
        """Fit all models together.

        Args:
            preference: P(model beats baseline), NaN where there is no row. [M, X], joined by instruction.
            length_model: Characters. [M, X]
            length_baseline: Characters. [M, X] or [X]
            models: Names. [M]
            baseline: The baseline's own name, where it is among the models: it is 50 % by definition.
            published: name → (φ, ψ, θ) of an official board.
            n_resamples: Bootstrap replicates over instructions for the errors; 0 = none.
            seed: Of the replicates.
        Raises:
            DataError: a preference outside [0, 1], a model without rows.
        """
        started = time.perf_counter()
        p = np.asarray(preference, dtype=np.float64)
        seen = ~np.isnan(p)
        if not ((p[seen] >= 0) & (p[seen] <= 1)).all():
            raise DataError("off-scale", "preferences must be probabilities in [0, 1]")
        if not seen.any(axis=1).all():
            empty = models[int(np.argmin(seen.any(axis=1)))]
            raise DataError("no-battles", f"{empty!r} has no row against the baseline")
        delta = np.where(seen, np.broadcast_to(length_baseline, p.shape) - length_model, np.nan)
        spread = np.nanstd(delta, axis=1, ddof=1, keepdims=True)
        length = np.where(seen, np.tanh(delta / np.where(spread > 0, spread, 1.0)), 0.0)
        y, w = np.where(seen, p, 0.0), seen.astype(np.float64)
        own = np.array([name == baseline for name in models])
        beta, gamma, steps = self._joint(y, w * ~own[:, None], length, models, published)
        beta[own] = 0.0
        controlled = _sigmoid(beta[:, [1]] * gamma + beta[:, [2]]).mean(axis=1)
        error = np.full(len(models), np.nan)
        if n_resamples:
            error = self._bootstrap(y, w, length, gamma, beta, n_resamples, seed)
            error[own] = 0.0
        win_rate = np.nanmean(p, axis=1)
        return LengthControlled(
            models=tuple(models),
            win_rate=win_rate,
            length_controlled=controlled,
            error=error,
            coefficients=beta,
            difficulty=gamma,
            mean_length=np.nanmean(np.where(seen, length_model, np.nan), axis=1),
            seconds=time.perf_counter() - started,
            warnings=tuple(_warnings(models, win_rate, controlled, seen)),
            iterations=steps,
        )

    def _joint(
        self, y: Floats, w: Floats, length: Floats, models: Sequence[str], published: Mapping[str, Coefficients] | None
    ) -> tuple[Floats, Floats, int]:
        """Coefficients [M, 3], difficulties [X], and alternations."""
        beta = np.tile([-1.0, 1.0, 0.0], (len(models), 1))
        gamma = np.zeros(y.shape[1])
        if published:
            known = [i for i, name in enumerate(models) if name in published and w[i].any()]
            table = np.array([published[models[i]] for i in known])
            for _ in range(self.iterations):
                gamma = self._difficulty_step(y[known], w[known], length[known], table, gamma)
            centre, scale = np.array([*table.mean(axis=0)[:2], 0.0]), np.array([self.length_sd, 0.3, 10.0])
            beta[:] = centre
            for _ in range(self.iterations):
                beta = _model_step(y, w, length, gamma, beta, centre, scale)
            return beta, gamma, self.iterations
        scale = np.array([self.length_sd, self.slope_sd, 10.0])
        used = w.any(axis=1)
        step = 0
        for step in range(1, self.iterations + 1):  # noqa: B007
            before = beta
            gamma = self._difficulty_step(y, w, length, beta, gamma)
            centre = np.array([beta[used, 0].mean(), 1.0, 0.0])
            beta = _model_step(y, w, length, gamma, beta, centre, scale)
            if float(np.abs(beta - before).max()) < self.tolerance:
                break
        return beta, gamma, step

    def _difficulty_step(self, y: Floats, w: Floats, length: Floats, beta: Floats, gamma: Floats) -> Floats:
        p = _sigmoid(beta[:, [0]] * length + beta[:, [1]] * gamma + beta[:, [2]])
        g = ((y - p) * w * beta[:, [1]]).sum(axis=0) - gamma / self.difficulty_sd**2
        h = (p * (1 - p) * w * beta[:, [1]] ** 2).sum(axis=0) + self.difficulty_sd**-2
        return np.asarray(gamma + np.clip(g / h, -1, 1))

    def _bootstrap(
        self, y: Floats, w: Floats, length: Floats, gamma: Floats, beta: Floats, n: int, seed: int
    ) -> Floats:
        """Standard errors over instructions: each replicate refits every model at the fitted difficulties."""
        rng = np.random.default_rng(seed)
        size = y.shape[1]
        centre = np.array([beta[:, 0].mean(), beta[:, 1].mean(), 0.0])
        scale = np.array([self.length_sd, self.slope_sd, 10.0])
        draws = []
        for _ in range(n):
            times = np.bincount(rng.integers(0, size, size), minlength=size).astype(np.float64)
            again = beta
            for _ in range(3):  # from the fit, three Newton steps reach the replicate's optimum
                again = _model_step(y, w * times, length, gamma, again, centre, scale)
            draws.append((_sigmoid(again[:, [1]] * gamma + again[:, [2]]) * times).sum(axis=1) / size)
        return np.std(draws, axis=0, ddof=1)


def raw_win_rate(preference: Sequence[float] | Floats) -> tuple[float, float]:
    """Mean preference and its standard error (sd/√n, ddof 1), rows without a preference left out.

    Source: "Length-Controlled AlpacaEval: A Simple Way to Debias Automatic Evaluators", 2024, arXiv 2404.04475.
    """
    p = np.asarray(preference, dtype=np.float64)
    p = p[~np.isnan(p)]
    if not len(p):
        raise DataError("no-battles", "no preference at all")
    return float(p.mean()), float(p.std(ddof=1) / np.sqrt(len(p))) if len(p) > 1 else float("nan")


def _model_step(
    y: Floats, w: Floats, length: Floats, gamma: Floats, beta: Floats, centre: Floats, scale: Floats
) -> Floats:
    """One damped Newton step in (φ, ψ, θ) of every model at once. [M, 3]"""
    p = _sigmoid(beta[:, [0]] * length + beta[:, [1]] * gamma + beta[:, [2]])
    r, v = (y - p) * w, p * (1 - p) * w
    g = np.stack([(r * length).sum(axis=1), r @ gamma, r.sum(axis=1)], axis=1) - (beta - centre) / scale**2
    h = np.empty((len(y), 3, 3))
    vl = v * length
    h[:, 0, 0], h[:, 1, 1], h[:, 2, 2] = (vl * length).sum(axis=1), v @ gamma**2, v.sum(axis=1)
    h[:, 0, 1] = h[:, 1, 0] = vl @ gamma
    h[:, 0, 2] = h[:, 2, 0] = vl.sum(axis=1)
    h[:, 1, 2] = h[:, 2, 1] = v @ gamma
    h[:, [0, 1, 2], [0, 1, 2]] += scale**-2
    return np.asarray(beta + np.clip(np.linalg.solve(h, g[..., None])[..., 0], -1, 1))


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def _warnings(models: Sequence[str], raw: Floats, controlled: Floats, seen: NDArray[np.bool_]) -> list[str]:
    found = []
    low = np.minimum(raw * 0.75, raw - 0.10)
    high = np.maximum(raw + (1 - raw) * 0.25, raw + 0.10)
    for i in np.flatnonzero((controlled < low) | (controlled > high)).tolist():
        found.append(f"{models[i]}: length control moves its win rate from {raw[i]:.1%} to {controlled[i]:.1%}")
    full = seen.sum(axis=1).max()
    for i in np.flatnonzero(seen.sum(axis=1) < full).tolist():
        found.append(f"{models[i]}: {full - seen[i].sum()} of {full} instructions have no row; joined by instruction")
    return found
