"""MORE: one linear reward for preference sets of different taste, by the direction that all of them agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, one_of, positive, unit_interval
from zermelo.stats.min_norm import min_norm_weights

__all__ = ["MORE", "DiversifiedHead"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class DiversifiedHead:
    """A fitted head r(z) = w·z.

    Args:
        w: Weights. [D]
        weights: λ of each step. [steps, K]
        losses: Mean loss of each set at each step, nat. [steps, K]
    """

    w: Floats
    weights: Floats
    losses: Floats

    def margins(self, delta: Floats) -> Floats:
        """w·(z_w − z_l). [M]"""
        return np.asarray(delta @ self.w)


@dataclass(frozen=True)
class MORE:
    """Multi-objective reward learning on frozen features.

        L_k = mean of softplus(−w·d) over a batch of set k,   d = z_win − z_lose,   g_k = ∂L_k/∂w
        G_k ← (1 − α) G_k + α g_k;   λ = argmin over the simplex of |Σ λ_k Ĝ_k|²;   step on Σ λ_k L_k

    The source steps on K Σ λ_k L_k; the factor is left to the rate, so that a uniform λ is the plain mean. Every batch
    holds as many pairs of each set. With `uniform` λ = 1/K it is plain training on equal parts, with `pooled` on all
    pairs as they are.

    Args:
        weighting: `min_norm` (MORE), `uniform` or `pooled`.
        normalise: What λ is computed from: the gradients themselves (`none`: the smallest rules), of length one (`l2`),
            divided by the set's share of the losses (`loss`: (L_k + 1)/Σ(L_j + 1)), or by |G| L (`loss+`).
        alpha: α, 1 = no momentum.
        rate: Step size.
        steps: Steps of gradient descent.
        batch: Pairs of each set in a step; 0 = all.
        l2: Weight decay of w.
    Source: "On Diversified Preferences of Large Language Model Alignment", 2024, arXiv 2312.07401.
    """

    weighting: Literal["min_norm", "uniform", "pooled"] = "min_norm"
    normalise: Literal["none", "l2", "loss", "loss+"] = "l2"
    alpha: float = 1.0
    rate: float = 0.5
    steps: int = 300
    batch: int = 64
    l2: float = 0.0

    def __post_init__(self) -> None:
        one_of(self, "weighting", ("min_norm", "uniform", "pooled"))
        one_of(self, "normalise", ("none", "l2", "loss", "loss+"))
        positive(self, "rate", "steps")
        unit_interval(self, "alpha")
        if self.batch < 0 or self.l2 < 0 or self.alpha == 0:
            raise SettingError("bad-setting", "MORE: batch and l2 must be ≥ 0, alpha > 0")

    def fit(self, sets: Sequence[Floats], *, seed: int = 0) -> DiversifiedHead:
        """Fit to K sets of pairs.

        Args:
            sets: Differences z_win − z_lose of each set. [M_k, D]
            seed: Of the batches.
        Raises:
            DataError: no sets, or one without pairs.
        """
        given = [np.asarray(part, np.float64) for part in sets]
        if not given or any(part.ndim != 2 or not len(part) for part in given):
            raise DataError("nothing-to-measure", "MORE takes one or more sets of pairs, none of them empty")
        if self.weighting == "pooled":
            given = [np.concatenate(given)]
        k, d = len(given), given[0].shape[1]
        size = self.batch * (len(sets) if self.weighting == "pooled" else 1)
        rng = np.random.default_rng((seed, 2312))
        w, moving = np.zeros(d), np.zeros((k, d))
        weights, losses = np.empty((self.steps, k)), np.empty((self.steps, k))
        for step in range(self.steps):
            gradients = np.empty((k, d))
            for index, part in enumerate(given):
                rows = part if not size or len(part) <= size else part[rng.integers(len(part), size=size)]
                margin = rows @ w
                losses[step, index] = np.logaddexp(0, -margin).mean()
                gradients[index] = -(rows / (1 + np.exp(np.clip(margin, -500, 500)))[:, None]).mean(axis=0)
            moving = gradients if step == 0 else (1 - self.alpha) * moving + self.alpha * gradients
            weights[step] = self._weights(moving, losses[step])
            w -= self.rate * (weights[step] @ gradients + self.l2 * w)
        return DiversifiedHead(w, weights, losses)

    def _weights(self, gradients: Floats, losses: Floats) -> Floats:
        k = len(gradients)
        if self.weighting != "min_norm" or k == 1:
            return np.full(k, 1 / k)
        length = np.sqrt((gradients**2).sum(axis=1)) + 1e-12
        scale = {
            "none": np.ones(k),
            "l2": length,
            "loss": (losses + 1) / (losses + 1).sum(),
            "loss+": length * losses,
        }[self.normalise]
        return min_norm_weights(gradients / scale[:, None])
