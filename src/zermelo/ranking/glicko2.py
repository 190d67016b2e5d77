"""Glicko-2: ratings with a deviation and a volatility, updated period by period."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, positive

__all__ = ["Glicko2", "Glicko2Ratings"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POINTS = 173.7178  # rating points per unit of μ, as published


@dataclass(frozen=True)
class Glicko2Ratings:
    """Ratings after the last period.

    Args:
        rating: Points. [P]
        deviation: Points. [P]
        volatility: σ: how much the strength itself wanders from period to period, in μ. [P]
    """

    rating: Floats
    deviation: Floats
    volatility: Floats


@dataclass(frozen=True)
class Glicko2:
    """Glicko-2 over one or several rating periods.

        μ = (r − 1500)/173.7178, φ = RD/173.7178, g(φ) = 1/√(1 + 3φ²/π²), E = 1/(1 + e^{−g(φ_j)(μ − μ_j)})
        v = 1/Σ g² E (1 − E),  Δ = v Σ g (s − E)
        σ': root of f(x) = e^x (Δ² − φ² − v − e^x)/(2 (φ² + v + e^x)²) − (x − ln σ²)/τ², x = ln σ'²
        φ* = √(φ² + σ'²),  φ' = 1/√(1/φ*² + 1/v),  μ' = μ + φ'² Σ g (s − E)

    All players of a period are updated from their values before it; one that does not play only grows less certain.

    Args:
        start: Rating of a newcomer.
        deviation: RD of a newcomer.
        volatility: σ of a newcomer.
        tau: τ: how much a volatility may change, 0.3 to 1.2.
        tolerance: At which the search for σ' stops.
    Source: "Example of the Glicko-2 System", 2012; "Dynamic Paired Comparison Models with Stochastic Variances", 2001.
    """

    start: float = 1500.0
    deviation: float = 350.0
    volatility: float = 0.06
    tau: float = 0.5
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        positive(self, "deviation", "volatility", "tau", "tolerance")

    def newcomers(self, size: int) -> Glicko2Ratings:
        """`size` players before their first game."""
        one = np.ones(size)
        return Glicko2Ratings(self.start * one, self.deviation * one, self.volatility * one)

    def period(self, before: Glicko2Ratings, first: Ints, second: Ints, score: Floats) -> Glicko2Ratings:
        """Ratings after one period of games; score = result of the first (1, 0, ½)."""
        size = len(before.rating)
        mu, phi = (before.rating - 1500) / POINTS, before.deviation / POINTS
        own, other = np.concatenate([first, second]), np.concatenate([second, first])
        result = np.concatenate([score, 1 - score])
        g = 1 / np.sqrt(1 + 3 * (phi[other] / math.pi) ** 2)
        expected = 1 / (1 + np.exp(-g * (mu[own] - mu[other])))
        information = np.bincount(own, g * g * expected * (1 - expected), size)
        pull = np.bincount(own, g * (result - expected), size)
        plays = information > 0
        v = 1 / np.where(plays, information, 1.0)
        sigma = np.where(plays, self._volatility(before.volatility, phi, v, v * pull), before.volatility)
        wide = phi**2 + sigma**2
        phi = np.where(plays, 1 / np.sqrt(1 / wide + information), np.sqrt(wide))
        return Glicko2Ratings(1500 + POINTS * (mu + phi**2 * pull), POINTS * phi, sigma)

    def fit(self, first: Ints, second: Ints, score: Floats, *, size: int, period: Ints | None = None) -> Glicko2Ratings:
        """Ratings after all games.

        Args:
            first: [B]
            second: [B]
            score: Result of the first. [B]
            size: Players.
            period: Number of the period of each game, in order of time; default: one period. [B]
        Raises:
            SettingError: as many periods as games are not given.
        """
        now = self.newcomers(size)
        if period is None:
            return self.period(now, first, second, score)
        code = np.asarray(period)
        if code.shape != np.shape(score):
            raise SettingError("bad-shape", f"{len(score)} games and {code.size} periods; expected as many")
        for one in range(int(code.min()), int(code.max()) + 1) if len(code) else ():
            inside = code == one
            now = self.period(now, first[inside], second[inside], score[inside])
        return now

    def _volatility(self, sigma: Floats, phi: Floats, v: Floats, delta: Floats) -> Floats:
        """σ' of all players by the Illinois method."""
        a = np.log(sigma**2)

        def f(x: Floats) -> Floats:
            e = np.exp(x)
            top = e * (delta**2 - phi**2 - v - e) / (2 * (phi**2 + v + e) ** 2)
            return np.asarray(top - (x - a) / self.tau**2)

        low = a.copy()
        surplus = delta**2 - phi**2 - v
        high = np.where(surplus > 0, np.log(np.maximum(surplus, 1e-300)), a - self.tau)
        step = 1
        while (short := (surplus <= 0) & (f(high) < 0)).any():
            step += 1
            high = np.where(short, a - step * self.tau, high)
        f_low, f_high = f(low), f(high)
        for _ in range(200):
            open_ = np.abs(high - low) > self.tolerance
            if not open_.any():
                break
            gap = np.where(f_high == f_low, 1.0, f_high - f_low)
            new = low + (low - high) * f_low / gap
            f_new = f(new)
            crossed = f_new * f_high <= 0
            low, f_low = (
                np.where(open_ & crossed, high, low),
                np.where(open_, np.where(crossed, f_high, f_low / 2), f_low),
            )
            high, f_high = np.where(open_, new, high), np.where(open_, f_new, f_high)
        return np.exp(low / 2)
