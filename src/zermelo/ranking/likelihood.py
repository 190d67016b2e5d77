"""Likelihoods of a comparison's outcome as functions of u = rating(first) − rating(second) + position term.

Each model gives, per cell, the log-likelihood, its gradient and Hessian in (u, η), where η is the model's own parameter
(the tie parameter), and the meat of the sandwich: Σ w² g gᵀ. All fits share one Newton step built on these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.ranking.counts import Counts

__all__ = ["LIKELIHOODS", "Parts", "Ties"]

Floats = NDArray[np.float64]
Ties: TypeAlias = Literal["half", "davidson", "rao-kupper"]


@dataclass(frozen=True)
class Parts:
    """Per cell: log-likelihood, gradient and negative Hessian in (u, η), and Σ w² g gᵀ. Each [C]."""

    value: Floats
    u: Floats
    eta: Floats
    uu: Floats
    u_eta: Floats
    eta_eta: Floats
    meat_uu: Floats
    meat_u_eta: Floats
    meat_eta_eta: Floats


def half(counts: Counts, u: Floats, eta: float) -> Parts:
    """Bradley–Terry; a tie is half a win for each, a probability a fractional win: P = σ(u)."""
    small = np.exp(-np.abs(u))
    p = np.where(u >= 0, 1.0, small) / (1 + small)
    zero = np.zeros_like(u)
    # log σ(u) = min(u, 0) − log(1 + e^−|u|), and log σ(−u) = log σ(u) − u
    value = counts.n * (np.minimum(u, 0) - np.log1p(small) - u) + counts.score * u
    np_ = counts.n * p
    meat = counts.square2 - p * (2 * counts.score2 - p * counts.n2)
    return Parts(value, counts.score - np_, zero, np_ * (1 - p), zero, zero, meat, zero, zero)


def thurstone(counts: Counts, u: Floats, eta: float) -> Parts:
    """Thurstone, case V: P = Φ(u/√2), unit noise on each side."""
    z = u / math.sqrt(2)
    p = np.clip(normal_cdf(z), 1e-300, 1.0)
    q = np.clip(normal_cdf(-z), 1e-300, 1.0)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    up, down = density / p, density / q  # derivatives of log p and −log q in z
    zero = np.zeros_like(u)
    lose = counts.n - counts.score
    value = counts.score * np.log(p) + lose * np.log(q)
    gradient = (counts.score * up - lose * down) / math.sqrt(2)
    curvature = (counts.score * up * (z + up) + lose * down * (down - z)) / 2
    win2, both2 = counts.square2, counts.score2 - counts.square2  # y² and y(1 − y)
    lose2 = counts.n2 - 2 * counts.score2 + counts.square2
    meat = (win2 * up * up - 2 * both2 * up * down + lose2 * down * down) / 2
    return Parts(value, gradient, zero, curvature, zero, zero, meat, zero, zero)


def davidson(counts: Counts, u: Floats, eta: float) -> Parts:
    """Davidson (1970): win : tie : loss = e^{u/2} : ν : e^{−u/2}, ν = e^η."""
    win, tie, lose = outcomes(counts)
    win2, tie2, lose2 = outcomes2(counts)
    log_d = np.logaddexp(np.logaddexp(u / 2, -u / 2), eta)
    pw, pl, pt = np.exp(u / 2 - log_d), np.exp(-u / 2 - log_d), np.exp(eta - log_d)
    n = counts.n
    value = (win - lose) * u / 2 + tie * eta - n * log_d
    mean = (pw - pl) / 2  # E[∂/∂u]; an outcome gives ±½ or 0, and 1 or 0 in η
    gu = (0.5 - mean, -mean, -0.5 - mean)
    ge = (-pt, 1 - pt, -pt)
    return Parts(
        value,
        (win - lose) / 2 - n * mean,
        tie - n * pt,
        n * ((pw + pl) / 4 - mean**2),
        -n * mean * pt,
        n * pt * (1 - pt),
        win2 * gu[0] ** 2 + tie2 * gu[1] ** 2 + lose2 * gu[2] ** 2,
        win2 * gu[0] * ge[0] + tie2 * gu[1] * ge[1] + lose2 * gu[2] * ge[2],
        win2 * ge[0] ** 2 + tie2 * ge[1] ** 2 + lose2 * ge[2] ** 2,
    )


def rao_kupper(counts: Counts, u: Floats, eta: float) -> Parts:
    """Rao and Kupper (1967): P(win) = σ(u − τ), P(loss) = σ(−u − τ), θ = e^τ = 1 + e^η.

    A tie has P = (θ² − 1)·P(win)·P(loss).
    """
    win, tie, lose = outcomes(counts)
    win2, tie2, lose2 = outcomes2(counts)
    tau = math.log1p(math.exp(eta))
    slope = 1 / (1 + math.exp(-eta))  # dτ/dη
    bend = slope * (1 - slope)
    pw, pl = sigmoid(u - tau), sigmoid(-u - tau)
    edge = 2 / -math.expm1(-2 * tau)  # d log(θ² − 1)/dτ
    edge2 = -4 * math.exp(-2 * tau) / math.expm1(-2 * tau) ** 2
    value = (
        (win + tie) * log_sigmoid(u - tau) + (lose + tie) * log_sigmoid(-u - tau) + tie * math.log(math.expm1(2 * tau))
    )
    a, b = 1 - pw, 1 - pl
    gu = (a, a - b, -b)
    gt = (-a, -a - b + edge, -b)  # in τ
    grad_tau = win * gt[0] + tie * gt[1] + lose * gt[2]
    vw, vl = (win + tie) * pw * a, (lose + tie) * pl * b
    ge = tuple(g * slope for g in gt)
    return Parts(
        value,
        win * gu[0] + tie * gu[1] + lose * gu[2],
        grad_tau * slope,
        vw + vl,
        (vl - vw) * slope,
        (vw + vl - tie * edge2) * slope**2 - grad_tau * bend,
        win2 * gu[0] ** 2 + tie2 * gu[1] ** 2 + lose2 * gu[2] ** 2,
        win2 * gu[0] * ge[0] + tie2 * gu[1] * ge[1] + lose2 * gu[2] * ge[2],
        win2 * ge[0] ** 2 + tie2 * ge[1] ** 2 + lose2 * ge[2] ** 2,
    )


LIKELIHOODS: dict[str, Callable[[Counts, Floats, float], Parts]] = {
    "half": half,
    "davidson": davidson,
    "rao-kupper": rao_kupper,
    "thurstone": thurstone,
}


def outcomes(counts: Counts) -> tuple[Floats, Floats, Floats]:
    """Σ w over wins of the first, ties, losses. Each [C]"""
    return counts.score - counts.tie / 2, counts.tie, counts.n - counts.score - counts.tie / 2


def outcomes2(counts: Counts) -> tuple[Floats, Floats, Floats]:
    """Σ w² over wins of the first, ties, losses. Each [C]"""
    return counts.score2 - counts.tie2 / 2, counts.tie2, counts.n2 - counts.score2 - counts.tie2 / 2


def sigmoid(x: Floats) -> Floats:
    """1/(1 + e⁻ˣ) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def log_sigmoid(x: Floats) -> Floats:
    """log σ(x); log(1/(1 + e⁻ˣ)) is −inf from x = −745 on."""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def normal_cdf(z: Floats) -> Floats:
    """Φ(z), by the error function of the standard library: SciPy is not imported for a board."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z.tolist()])
