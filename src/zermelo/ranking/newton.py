"""Newton's method for models of comparisons: ratings, position, tie parameter; dense up to 2,500 players."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zermelo.ranking.counts import Counts
from zermelo.ranking.likelihood import LIKELIHOODS, Parts

__all__ = ["Fitted", "Settings", "assemble", "newton", "tie_parameter"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DENSE = 2500  # players up to which a full table of covariances is made
FEW = 10  # games below which a player's own residuals say too little about their spread


class Settings(Protocol):
    """What a fit must know of its model's settings."""

    @property
    def position(self) -> bool: ...
    @property
    def prior(self) -> float: ...
    @property
    def errors(self) -> str: ...
    @property
    def tolerance(self) -> float: ...
    @property
    def max_iterations(self) -> int: ...


@dataclass(frozen=True)
class Fitted:
    """What Newton's method gives.

    Args:
        rating: Logits, centred in each piece. [P]
        covariance: [P, P]; variances only, [P], with more than 2,500 players.
        extra: `home` and `tie`: (estimate, standard error).
        iterations: Steps.
        gradient: Largest absolute gradient at the end.
        log_likelihood: At the end, nat.
        converged: Whether the gradient is small enough.
    """

    rating: Floats
    covariance: Floats
    extra: dict[str, tuple[float, float]]
    iterations: int
    gradient: float
    log_likelihood: float
    converged: bool


def newton(counts: Counts, piece: Ints, model: str, settings: Settings) -> Fitted:
    """Maximise the penalised likelihood in (β, γ, η) by damped Newton steps.

    Args:
        counts: Comparisons whose ratings are all finite (or a prior).
        piece: Piece of the comparison graph of each player. [P]
        model: Name in `LIKELIHOODS`.
        settings: `BradleyTerry` or `Thurstone`.
    """
    if not settings.position:
        counts = counts.unordered()
    size = len(counts.players)
    names = (["home"] if settings.position else []) + (["tie"] if model in ("davidson", "rao-kupper") else [])
    likelihood = LIKELIHOODS[model]
    if size > DENSE:
        from zermelo.ranking.sparse import SparseSystem

        system: System = SparseSystem(counts, names, piece, settings.prior)
    else:
        system = DenseSystem(counts, names, piece, settings.prior)
    theta = np.zeros(size + len(names))
    if "tie" in names:
        share = float(np.clip(counts.tie.sum() / max(counts.n.sum(), 1e-12), 1e-3, 0.9))
        theta[-1] = np.log(2 * share / (1 - share)) if model == "davidson" else np.log(share / (1 - share))

    def parts(theta: Floats) -> tuple[Parts, float]:
        u = theta[counts.first] - theta[counts.second] + (theta[size] if settings.position else 0.0)
        found = likelihood(counts, u, float(theta[-1]) if "tie" in names else 0.0)
        return found, float(found.value.sum()) - settings.prior / 2 * float(theta[:size] @ theta[:size])

    def gradient_at(theta: Floats, now: Parts) -> Floats:
        g = assemble_gradient(counts, now, size, names)
        g[:size] -= settings.prior * theta[:size]
        return g

    now, value = parts(theta)
    if not settings.prior:  # logits of win rates are close where players meet many others
        rate = counts.win_rate()
        near = theta.copy()
        near[:size] = np.log((rate + 0.02) / (1.02 - rate))
        near[:size] -= _level(near[:size], piece, False)
        trial, trial_value = parts(near)
        if trial_value > value:
            theta, now, value = near, trial, trial_value
    scale = max(1.0, float(counts.n.sum()) / max(size, 1))
    g = gradient_at(theta, now)
    steps = 0
    while np.abs(g).max(initial=0.0) > settings.tolerance * scale and steps < settings.max_iterations:
        step = system.solve(now, g)
        steps += 1
        damping = 1.0
        while True:
            trial, trial_value = parts(theta + damping * step)
            if trial_value >= value - 1e-12 * abs(value) or damping < 1e-8:
                break
            damping /= 2
        theta, now = theta + damping * step, trial
        stalled = trial_value <= value and float(np.abs(step).max()) * damping < 1e-12
        value = trial_value
        g = gradient_at(theta, now)
        if stalled:
            break
    gradient = float(np.abs(g).max(initial=0.0))
    sandwich = settings.errors == "sandwich"
    covariance, extra_error = system.covariance(now, sandwich=sandwich)
    if sandwich and (few := _few(counts)).any():
        covariance = _at_least(covariance, system.covariance(now, sandwich=False)[0], few)
    extra = {name: (float(theta[size + k]), float(extra_error[k])) for k, name in enumerate(names)}
    if "tie" in extra:
        extra["tie"] = tie_parameter(model, *extra["tie"])
    return Fitted(
        rating=theta[:size] - _level(theta[:size], piece, bool(settings.prior)),
        covariance=covariance,
        extra=extra,
        iterations=steps,
        gradient=gradient,
        log_likelihood=float(now.value.sum()),
        converged=gradient <= max(settings.tolerance, 1e-8) * scale,
    )


class System(Protocol):
    """Solves H x = g, and gives the covariance at the optimum."""

    def solve(self, now: Parts, g: Floats) -> Floats: ...

    def covariance(self, now: Parts, *, sandwich: bool) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True)
class DenseSystem:
    """H as a full matrix; the free level of each piece is fixed by adding its projector, and projected out again."""

    counts: Counts
    names: Sequence[str]
    piece: Ints
    prior: float

    @cached_property
    def gauge(self) -> Floats:
        """Projector on the free levels, one for each piece. [P + k, P + k]"""
        size = len(self.piece)
        gauge = np.zeros((size + len(self.names), size + len(self.names)))
        if not self.prior:
            same = self.piece[:, None] == self.piece[None, :]
            gauge[:size, :size] = same / np.bincount(self.piece)[self.piece][:, None]
        return gauge

    def _hessian(self, now: Parts) -> Floats:
        size = len(self.piece)
        h = assemble(self.counts, now.uu, now.u_eta, now.eta_eta, size, self.names)
        h[np.arange(size), np.arange(size)] += self.prior
        return h

    def solve(self, now: Parts, g: Floats) -> Floats:
        """One Newton step. [P + k]"""
        return np.asarray(np.linalg.solve(self._hessian(now) + self.gauge, g))

    def covariance(self, now: Parts, *, sandwich: bool) -> tuple[Floats, Floats]:
        """[P, P], and standard errors of the other parameters. [k]"""
        size = len(self.piece)
        found = np.linalg.inv(self._hessian(now) + self.gauge) - self.gauge
        if sandwich:
            meat = assemble(self.counts, now.meat_uu, now.meat_u_eta, now.meat_eta_eta, size, self.names)
            found = found @ meat @ found
        return found[:size, :size], np.sqrt(np.maximum(np.diag(found)[size:], 0))


def _few(counts: Counts) -> NDArray[np.bool_]:
    """Who has fewer than `FEW` games; of weighted ones their effective number (Σw)²/Σw². [P]"""
    size = len(counts.players)
    n, n2 = (
        np.bincount(counts.first, values, size) + np.bincount(counts.second, values, size)
        for values in (counts.n, counts.n2)
    )
    return np.asarray((n2 > 0) & (n**2 < FEW * n2))


def _at_least(covariance: Floats, model: Floats, few: NDArray[np.bool_]) -> Floats:
    """The sandwich, with the model's variance as the least of players with few games.

    One tie has no residual, so the sandwich would be certain of a player that has played once.
    """
    found = covariance.copy()
    if found.ndim == 1:
        found[few] = np.maximum(found[few], model[few])
        return found
    place = np.flatnonzero(few)
    found[place, place] = np.maximum(np.diag(found), np.diag(model))[place]
    return found


def assemble(counts: Counts, uu: Floats, ue: Floats, ee: Floats, size: int, names: Sequence[str]) -> Floats:
    """Σ over cells of the outer product: a weighted graph Laplacian, bordered by position and tie parameter."""
    h = np.zeros((size + len(names), size + len(names)))
    if counts.distinct:
        h[counts.first, counts.second] = h[counts.second, counts.first] = -uu
        degree = np.bincount(counts.first, uu, size) + np.bincount(counts.second, uu, size)
    else:
        flat = np.bincount(counts.first * size + counts.second, uu, size * size).reshape(size, size)
        h[:size, :size] = -(flat + flat.T)
        degree = flat.sum(0) + flat.sum(1)
    h[np.arange(size), np.arange(size)] += degree

    def difference(values: Floats) -> Floats:
        return np.asarray(np.bincount(counts.first, values, size) - np.bincount(counts.second, values, size))

    if "home" in names:
        h[size, :size] = h[:size, size] = difference(uu)
        h[size, size] = uu.sum()
    if "tie" in names:
        h[-1, :size] = h[:size, -1] = difference(ue)
        h[-1, -1] = ee.sum()
    if "home" in names and "tie" in names:
        h[size, -1] = h[-1, size] = ue.sum()
    return h


def assemble_gradient(counts: Counts, parts: Parts, size: int, names: Sequence[str]) -> Floats:
    """∂/∂(β, γ, η) of the log-likelihood."""
    beta = np.bincount(counts.first, parts.u, size) - np.bincount(counts.second, parts.u, size)
    rest = {"home": parts.u.sum(), "tie": parts.eta.sum()}
    return np.concatenate([beta, [rest[name] for name in names]])


def _level(rating: Floats, piece: Ints, prior: bool) -> Floats:
    """What to subtract so that each piece is centred on 0 (a prior centres by itself)."""
    if prior or not len(rating):
        return np.zeros_like(rating)
    return np.asarray((np.bincount(piece, rating) / np.maximum(np.bincount(piece), 1))[piece])


def tie_parameter(model: str, eta: float, error: float) -> tuple[float, float]:
    """ν = e^η (Davidson) or θ = 1 + e^η (Rao–Kupper), with the delta method's standard error."""
    scale = float(np.exp(eta))
    return (scale if model == "davidson" else 1 + scale), scale * error
