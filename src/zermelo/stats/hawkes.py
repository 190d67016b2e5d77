"""Event streams that excite themselves: simulation by thinning, and what they do in the long run."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = ["hawkes_compensator", "simulate_hawkes", "stationary_rate"]

Floats = NDArray[np.float64]


def simulate_hawkes(
    base: ArrayLike, excite: ArrayLike, decay: float, *, horizon: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """Events in (0, horizon] of a multivariate Hawkes process, by thinning.

        λ_k(t) = μ_k + Σ_{t_i < t} α_{k, m_i} β e^{−β (t − t_i)}

    Args:
        base: μ, events per unit of time. [K]
        excite: α[k, m]: mean number of events k that one event m brings about. [K, K]
        decay: β, 1/time.
        horizon: End of the observation.
        rng: Randomness.
    Returns:
        Times [N], ascending, and marks [N].
    Raises:
        SettingError: a negative rate, or excitation without end (largest eigenvalue of α ≥ 1).
    Source: "On Lewis' Simulation Method for Point Processes", 1981.
    """
    mu, alpha = _checked(base, excite)
    if not decay > 0 or not horizon > 0:
        raise SettingError("bad-setting", f"decay and horizon must be positive. Got {decay}, {horizon}")
    times: list[float] = []
    marks: list[int] = []
    now, extra = 0.0, np.zeros(len(mu))  # extra: excitation at `now`
    while True:
        ceiling = float(mu.sum() + extra.sum())  # the intensity only falls until the next event
        if ceiling <= 0:
            break
        wait = rng.exponential(1 / ceiling)
        now += wait
        if now > horizon:
            break
        extra = extra * np.exp(-decay * wait)
        rate = mu + extra
        draw = rng.random() * ceiling
        if draw < rate.sum():
            mark = int(np.searchsorted(rate.cumsum(), draw))
            times.append(now)
            marks.append(mark)
            extra = extra + decay * alpha[:, mark]
    return np.array(times), np.array(marks, dtype=np.int64)


def stationary_rate(base: ArrayLike, excite: ArrayLike) -> Floats:
    """Events per unit of time in the long run: (I − α)⁻¹ μ. [K]

    Args:
        base: μ. [K]
        excite: α. [K, K]
    Source: "Spectra of Some Self-Exciting and Mutually Exciting Point Processes", 1971.
    """
    mu, alpha = _checked(base, excite)
    return np.asarray(np.linalg.solve(np.eye(len(mu)) - alpha, mu))


def hawkes_compensator(
    times: ArrayLike, marks: ArrayLike, base: ArrayLike, excite: ArrayLike, decay: float, *, mark: int
) -> Floats:
    """∫λ_mark between neighbouring events of that mark: standard exponential if the model is right. [n of that mark]

    Args:
        times: Ascending. [N]
        marks: [N]
        base: μ. [K]
        excite: α. [K, K]
        decay: β.
        mark: Whose intensity.
    Source: "A useful theorem for nonlinear point processes", 1988 (random time change).
    """
    mu, alpha = _checked(base, excite)
    t, m = np.asarray(times, dtype=np.float64), np.asarray(marks, dtype=np.int64)
    at = t[m == mark]
    lag = at[:, None] - t[None, :]
    grown = np.where(lag > 0, 1 - np.exp(-decay * np.maximum(lag, 0)), 0.0) @ alpha[mark, m]
    return np.diff(mu[mark] * at + grown, prepend=0.0)


def _checked(base: ArrayLike, excite: ArrayLike) -> tuple[Floats, Floats]:
    mu, alpha = np.asarray(base, dtype=np.float64), np.asarray(excite, dtype=np.float64)
    if mu.ndim != 1 or alpha.shape != (len(mu), len(mu)) or (mu < 0).any() or (alpha < 0).any():
        raise SettingError("bad-setting", f"rates must be ≥ 0, [K] and [K, K]. Got shapes {mu.shape}, {alpha.shape}")
    largest = float(np.abs(np.linalg.eigvals(alpha)).max())
    if largest >= 1:
        raise SettingError("bad-setting", f"an event must bring about fewer than one on average. Got {largest:.3g}")
    return mu, alpha
