"""A bandit whose geometry is known: actions on a line, a reward peak, a reference that favours some place on it.

Where the peak lies relative to the reference decides which kinds of training can find it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, positive
from zermelo.worlds.tabular import log_softmax

__all__ = ["GeometryBandit"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GeometryBandit:
    """Actions 0 … A−1 with reward r(a) = exp(−((a − p)/w)²) and a reference fitted to exp(−((a − c)/s)²).

    Policies are log-linear in shared features: bumps φ_k(a) = exp(−((a − m_k)/v)²/2) with centres evenly spaced. Shared
    features are what lets a policy generalise; with one free logit an action, offline pairs cannot reach an action that
    nobody has sampled.

    Args:
        peak: p, where the reward is 1.
        width: w of the peak.
        actions: A.
        centre: c, where the reference is likeliest.
        spread: s of the reference.
        features: Number of bumps.
        bump: v, their width.
        floor: Smallest log-density of the reference relative to its largest, before it is fitted.
    Raises:
        SettingError: a size is not positive, the peak lies outside the actions.
    Source: "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data", 2024, arXiv 2404.14367.
    """

    peak: float = 45.0
    width: float = 10.0
    actions: int = 100
    centre: float = 20.0
    spread: float = 14.0
    features: int = 25
    bump: float = 8.0
    floor: float = -8.0

    def __post_init__(self) -> None:
        positive(self, "width", "actions", "spread", "features", "bump")
        if not 0 <= self.peak < self.actions:
            raise SettingError("bad-setting", f"GeometryBandit.peak must be an action. Got {self.peak!r}")

    @property
    def reward(self) -> Array:
        """r of every action, in (0, 1]. [A]"""
        found: Array = np.exp(-(((np.arange(self.actions) - self.peak) / self.width) ** 2))
        return found

    @property
    def phi(self) -> Array:
        """Features of every action. [A, F]"""
        middles = np.linspace(0, self.actions - 1, self.features)
        found: Array = np.exp(-(((np.arange(self.actions)[:, None] - middles) / self.bump) ** 2) / 2)
        return found

    @property
    def start(self) -> Array:
        """Weights of the reference: least squares on its log-density. [F]"""
        wanted = np.maximum(-(((np.arange(self.actions) - self.centre) / self.spread) ** 2), self.floor)
        found: Array = np.linalg.lstsq(self.phi, wanted, rcond=None)[0]
        return found

    @property
    def reference(self) -> Array:
        """log π_ref, as the features can say it. [A]"""
        return log_softmax((self.phi @ self.start)[None])[0]

    def optimum(self, beta: float) -> Array:
        """log of π_ref e^{r/β}/Z, the optimum of E r − β KL(π ‖ π_ref). [A]"""
        if not beta > 0:
            raise SettingError("bad-setting", f"beta must be a positive number. Got {beta!r}")
        return log_softmax((self.reference + self.reward / beta)[None])[0]

    def winners(self) -> Array:
        """The law of the better of two draws from the reference, ties left out: 2 π(a) P(r < r(a)), normalised. [A]"""
        p, r = np.exp(self.reference), self.reward
        found = 2 * p * (p[None, :] * (r[None, :] < r[:, None])).sum(-1)
        return np.asarray(found / found.sum(), dtype=np.float64)

    def value(self, log_policy: Array) -> float:
        """Exact expected reward."""
        return float(np.exp(log_policy) @ self.reward)
