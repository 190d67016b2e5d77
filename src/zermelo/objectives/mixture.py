"""Mixing two estimates of one preference gradient, with and without the reasoning trace: BVPO."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from zermelo.errors import SettingError, unit_interval
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.pairwise import DPO
from zermelo.objectives.protocol import Composable, Losses, Needs, Term, refuse_rules

__all__ = ["BVPO", "Mixing", "mixing_of_traces", "optimal_mixing"]


@dataclass(frozen=True)
class BVPO(Composable):
    """Bias–variance optimised preference optimisation: the base loss on traces, and on empty traces.

        L = α · (mean of the base over pairs sampled with thinking)
          + (1−α) · (mean of the base over pairs sampled with an empty trace)         two terms over pairs

    A sampled trace makes the gradient noisy; the empty trace makes it biased. Both sides of a pair must be of one
    kind; mixed pairs are left out. `optimal_mixing` gives the α of least mean squared error.

    Args:
        base: Any objective whose terms are over all pairs.
        alpha: Share of the trace term, in [0, 1]; 1 is the base on traces, 0 on empty traces. 0.5 is ours.
    Raises:
        SettingError: alpha is outside [0, 1], or the base has another kind of term.
    Source: "From Noisy Traces to Stable Gradients: Bias-Variance Optimized Preference Optimization for Aligning Large
        Reasoning Models", 2025, arXiv 2510.05095.
    """

    base: Any = field(default_factory=DPO)
    alpha: float = 0.5

    def __post_init__(self) -> None:
        refuse_rules("wrapped", self.base)
        unit_interval(self, "alpha")

    @property
    def needs(self) -> Needs:
        """Those of the base, and which responses have an empty trace."""
        needs: Needs = self.base.needs | Needs(pairs=True, extra=("empty_trace",))
        return needs

    def __call__(self, batch: RaggedBatch) -> Losses:
        one, two = batch.sides(batch.extra_of("empty_trace") > 0)
        kinds = {"trace": (~one & ~two, self.alpha), "empty": (one & two, 1 - self.alpha)}
        terms: list[Term] = []
        for item in self.base(batch):
            if item.over != "pairs" or item.index is not None:
                raise SettingError("bad-setting", "BVPO.base must have terms over all pairs only")
            for kind, (which, share) in kinds.items():
                index = which.nonzero().squeeze(1)
                metrics = {name: value[index] for name, value in item.metrics.items()}
                terms.append(
                    replace(
                        item,
                        name=f"bvpo_{kind}" if item.name == "dpo" else f"bvpo_{kind}_{item.name}",
                        each=item.each[index],
                        metrics=metrics,
                        index=index,
                        scale=item.scale * share,
                    )
                )
        return Losses(tuple(terms))


@dataclass(frozen=True)
class Mixing:
    """The best mixture of two gradient estimates g_c = αg_t + (1−α)g_e.

    Args:
        alpha: α* in [0, 1].
        mse: E‖g_c − g‖² at α*.
        a: A = E‖g_t − g‖².
        b: B = E‖g_e − g‖².
        c: C = E⟨g_t − g, g_e − g⟩.
    """

    alpha: float
    mse: float
    a: float
    b: float
    c: float


def optimal_mixing(a: float, b: float, c: float) -> Mixing:
    """α* = (B − C)/(A + B − 2C), clipped to [0, 1], and its mean squared error α²A + (1−α)²B + 2α(1−α)C.

    Source: "From Noisy Traces to Stable Gradients", 2025, arXiv 2510.05095.
    """
    spread = a + b - 2 * c
    alpha = min(1.0, max(0.0, (b - c) / spread)) if spread > 0 else 0.5
    return Mixing(alpha, alpha**2 * a + (1 - alpha) ** 2 * b + 2 * alpha * (1 - alpha) * c, a, b, c)


def mixing_of_traces(traces: Tensor, empty: Tensor) -> Mixing:
    """The best mixture, estimated from gradients of K traces of one prompt [K, D] and of the empty trace [D].

    The target g is the expectation over traces, so A is the variance of a trace's gradient, C = 0 (the empty trace
    does not depend on the trace), and B = ‖g_e − g‖² is estimated without bias from all pairs of different traces.

    Raises:
        SettingError: fewer than two traces.
    """
    k = traces.shape[0]
    if k < 2:
        raise SettingError("bad-setting", f"the variance over traces needs at least two of them. Got {k}")
    traces, empty = traces.double(), empty.double()
    a = float(((traces - traces.mean(0)) ** 2).sum() / (k - 1))
    gap = empty - traces  # [K, D]
    total = gap.sum(0)
    b = float((torch.dot(total, total) - (gap**2).sum()) / (k * (k - 1)))
    return optimal_mixing(a, max(b, 0.0), 0.0)
