"""Losses that act on marked tokens: the phrases in which two responses differ, or the tokens of a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from zermelo.errors import SettingError, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["FAIT", "RRPO", "SparseDPO"]


@dataclass(frozen=True)
class RRPO(Composable):
    """Refined regularised preference optimisation: DPO on differing phrases, a token-wise KL on the chosen side.

        U_m = Σ_{t in phrases of w} d_t − Σ_{t in phrases of l} d_t,   d_t = log π(y_t) − log π_ref(y_t)
        K_m = Σ_{t in y_w} KL(π_ref(·|s_t) ‖ π(·|s_t))
        L_m = softplus(−βU_m) + α K_m                            [M], nat, one per pair

    Shared text gets no gradient from the first term. If every token is marked and α = 0 it is DPO.

    Args:
        beta: Pull towards the reference, > 0; published 0.1–0.5.
        alpha: Weight of the KL (a sum over tokens), ≥ 0; published 0.01–0.1.
    Raises:
        SettingError: a setting is out of range.
    Source: "Self-alignment of Large Video Language Models with Refined Regularized Preference Optimization", 2025,
        arXiv 2504.12083.
    """

    beta: float = 0.1
    alpha: float = 0.01

    def __post_init__(self) -> None:
        positive(self, "beta")
        if not callable(self.alpha) and not self.alpha >= 0:
            raise SettingError("bad-setting", f"RRPO.alpha must be ≥ 0. Got {self.alpha!r}")

    @property
    def needs(self) -> Needs:
        """Pairs, the reference, phrase marks, and the KL where it is used."""
        extra = ("phrase", "kl:ref:forward") if self.alpha else ("phrase",)
        return Needs(pairs=True, policies=("ref",), extra=extra)

    def __call__(self, batch: RaggedBatch) -> Losses:
        marked = (batch.extra_of("phrase") > 0).to(batch.logps.dtype)  # [T]
        ratio = batch.response_sum((batch.logps - batch.logps_of["ref"]) * marked)  # [N]
        win, lose = batch.sides(self.beta * ratio)
        each, metrics = softplus(lose - win), reward_metrics(win, lose)
        if self.alpha:
            kl, _ = batch.sides(batch.response_sum(batch.extra_of("kl:ref:forward")))
            each, metrics = each + self.alpha * kl, {**metrics, "kl": kl}
        return term("rrpo", over="pairs", each=each, metrics=metrics)


@dataclass(frozen=True)
class FAIT(Composable):
    """Fault-aware fine-tuning: likelihood of the right text, with the tokens of the fault weighted up.

        L_m = −(1/|y_w|) Σ_t w_t log π(y_t)                     [M], nat, one per (right, faulty) pair
        w_t = W where the token is marked as sensitive, else 1
        W = 1 + λ σ((ℓ̄_w − ℓ̄_l)/τ), no gradient;  ℓ̄ = mean NLL of the marked tokens of either side

    W is large while the policy prefers the fault and falls towards 1 once it rejects it. The published description
    does not give the dynamic weight's formula; this one is ours. Where a side has no marked token W = 1 + λ/2.
    Identical texts have no marks: plain fine-tuning.

    Args:
        lam: λ, largest extra weight, ≥ 0; 0 is plain fine-tuning (`sequence_mean`).
        tau: Temperature τ, nat, > 0.
    Raises:
        SettingError: a setting is out of range.
    Source: "FAIT: Fault-Aware Fine-Tuning for Better Code Generation", 2025, arXiv 2503.16913.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, extra=("fault",))
    lam: float = 2.0
    tau: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "tau")
        if not callable(self.lam) and not self.lam >= 0:
            raise SettingError("bad-setting", f"FAIT.lam must be ≥ 0. Got {self.lam!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        marked = (batch.extra_of("fault") > 0).to(batch.logps.dtype)  # [T]
        count = batch.response_sum(marked)
        nll = -batch.response_sum(batch.logps.detach() * marked) / count.clamp_min(1e-9)  # ℓ̄ [N]
        right, faulty = batch.sides(nll)
        both = torch.stack(batch.sides(count)).min(0).values > 0
        gap = torch.where(both, right - faulty, torch.zeros_like(right))
        extra = self.lam * torch.sigmoid(gap / self.tau)  # W − 1 [M]
        plain, _ = batch.sides(-batch.response_mean(batch.logps))
        fault, _ = batch.sides(-batch.response_mean(batch.logps * marked))
        metrics = {"nll": plain, "fault_weight": 1 + extra, "fault_gap": gap}
        return term("fait", over="pairs", each=plain + extra * fault, metrics=metrics)


@dataclass(frozen=True)
class SparseDPO(Composable):
    """DPO on log-ratios gated token by token, with a price on open gates: a remedy for gradient entanglement.

        L_m = softplus(−β Σ_t ±m_t Δ_t) + λ · mean of m over the tokens of the pair,  m = σ(gate)     [M], nat

    Only contrastive tokens keep their gate open, so that shared text no longer ties the two sides together. The gate
    is a head (`extra["gate"]`, a logit per token). The published form is recalled; the mean (not the sum) of the
    gates keeps λ independent of length.

    Args:
        beta: Pull towards the reference, > 0.
        lam: Price λ of open gates, ≥ 0.
    Raises:
        SettingError: a setting is out of range.
    Source: "A Common Pitfall of Margin-based Language Model Alignment: Gradient Entanglement", 2024, arXiv 2410.13828.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, policies=("ref",), extra=("gate",))
    beta: float = 0.1
    lam: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")
        if not callable(self.lam) and not self.lam >= 0:
            raise SettingError("bad-setting", f"SparseDPO.lam must be ≥ 0. Got {self.lam!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        gate = torch.sigmoid(batch.extra_of("gate"))  # [T]
        win, lose = batch.sides(self.beta * batch.response_sum(gate * (batch.logps - batch.logps_of["ref"])))
        open_win, open_lose = batch.sides(batch.response_sum(gate))
        long, short = batch.sides(batch.lengths)
        share = (open_win + open_lose) / (long + short).clamp_min(1.0)
        metrics = {**reward_metrics(win, lose), "open": share}
        return term("sparse_dpo", over="pairs", each=softplus(lose - win) + self.lam * share, metrics=metrics)
