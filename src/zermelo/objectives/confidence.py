"""Fine-tuning for many attempts at test time: DCO keeps the policy from growing over-confident."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zermelo.errors import SettingError, one_of
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.numerics import log1mexp
from zermelo.objectives.protocol import Composable, Losses, Needs, term
from zermelo.objectives.supervised import WHICH, Which, needs_of, selected

__all__ = ["DCO", "coverage_factor", "coverage_loss"]


def coverage_loss(log_p: Tensor, n: int) -> Tensor:
    """−log(1 − (1 − p)ⁿ): that one of n samples hits, from log p ≤ 0. Elementwise, nat.

    Stable from p = 1 (0) down to p = e^{−10⁴} (−log n − log p).
    """
    log_p = log_p if log_p.dtype == torch.float64 else log_p.float()
    if n == 1:
        return -log_p
    small = log_p < -60.0  # there (1 − p)ⁿ = 1 − np to all digits, and exp(log p) would underflow in float32
    x = n * log1mexp(torch.where(small, torch.full_like(log_p, -1.0), log_p))
    return -torch.where(small, math.log(n) + log_p, torch.log(-torch.expm1(x.clamp_max(-1e-30))))


def coverage_factor(p: Tensor, n: int) -> Tensor:
    """F = n (1 − p)ⁿ⁻¹ p / (1 − (1 − p)ⁿ): how much of the cross-entropy gradient is left, in [0, 1]. Elementwise."""
    p = p.clamp(1e-12, 1 - 1e-12)
    miss = torch.log1p(-p)
    return n * p * torch.exp((n - 1) * miss) / -torch.expm1(n * miss)


@dataclass(frozen=True)
class DCO(Composable):
    """Direct coverage optimisation: maximise the probability that at least one of n samples is right.

        L_i = −log(1 − (1 − p_i)ⁿ)                [items], nat;   ∂L = F(n, p) · ∂(−log p),  F falls as p grows
        p_i = π(y_i|x)                            `response`: one item per selected response
              Π_{t in step} π(y_t)                `step`: one item per step of them
              frequency of the answer             `answer`: L_i = F(n, f_i) · (−log π(y_i|x)/|y_i|), f_i = score_i

    n = 1 is supervised fine-tuning with summed log-probabilities. Items the policy already hits contribute nothing.
    Long responses have p ≈ 0 and F ≈ 1: use steps, or the empirical frequency of the answer among sampled chains.

    Args:
        n: Attempts at test time, ≥ 1; about the n that will be used.
        per: What must be hit.
        of: Which responses are right (see `SFT`).
    Raises:
        SettingError: a setting is out of range.
    Source: "Rethinking Fine-Tuning when Scaling Test-Time Compute: Limiting Confidence Improves Mathematical
        Reasoning", 2025, arXiv 2502.07154.
    """

    n: int = 16
    per: Literal["response", "step", "answer"] = "response"
    of: Which = "good"

    def __post_init__(self) -> None:
        one_of(self, "per", ("response", "step", "answer"))
        one_of(self, "of", WHICH)
        if self.n < 1:
            raise SettingError("bad-setting", f"DCO.n must be at least 1. Got {self.n!r}")

    @property
    def needs(self) -> Needs:
        """What selects the responses; steps, or scores as frequencies."""
        return needs_of(self.of) | Needs(steps=self.per == "step", scores=self.per == "answer")

    def __call__(self, batch: RaggedBatch) -> Losses:
        index = selected(batch, self.of)
        if self.per == "step":
            return self._steps(batch, index)
        if self.per == "answer":
            index = index[torch.isfinite(batch.scores[index])]
            factor = coverage_factor(batch.scores[index], self.n)
            each = -factor * batch.response_mean(batch.logps)[index]
            return term("dco", over="responses", each=each, metrics={"factor": factor}, index=index)
        log_p = batch.response_sum(batch.logps)[index]
        metrics = {"confidence": log_p.exp(), "factor": coverage_factor(log_p.detach().exp(), self.n)}
        return term("dco", over="responses", each=coverage_loss(log_p, self.n), metrics=metrics, index=index)

    def _steps(self, batch: RaggedBatch, index: Tensor) -> Losses:
        if batch.token_step is None or batch.step_response is None:
            raise SettingError("bad-shape", "DCO with per='step' needs token_step and step_response")
        inside = (batch.token_step >= 0).nonzero().squeeze(1)
        counted = batch.logps * batch.token_weight
        log_p = torch.zeros(len(batch.step_response), dtype=counted.dtype, device=counted.device)
        log_p = log_p.index_add(0, batch.token_step[inside], counted[inside])
        steps = torch.isin(batch.step_response, index).nonzero().squeeze(1)
        log_p = log_p[steps]
        metrics = {"confidence": log_p.exp(), "factor": coverage_factor(log_p.detach().exp(), self.n)}
        return term("dco", over="steps", each=coverage_loss(log_p, self.n), metrics=metrics, index=steps)
