"""Fine-tuning that keeps a pull towards the reference: SFT under other f-divergences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zermelo.errors import one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Composable, Losses, Needs, term
from zermelo.objectives.supervised import WHICH, Which, needs_of, selected

__all__ = ["FSFT", "utility"]

Divergence = Literal["total_variation", "pearson", "hellinger", "jensen_shannon"]
LOWEST = -0.6  # Hellinger is defined above −1, Jensen–Shannon above −log 2; below this their tangent goes on


def utility(r: Tensor, divergence: Divergence) -> Tensor:
    """φ(r), concave, φ(0) = 0 and φ'(0) = 1. Elementwise.

        total_variation r · pearson r − r²/4 · hellinger r/(1 + r) · jensen_shannon log(2 − e^{−r})

    Below −0.6 Hellinger and Jensen–Shannon go on along their tangent: they end at −1 and −log 2, and a clip would
    switch the gradient off for just the responses that need it most.
    """
    if divergence == "total_variation":
        return r
    if divergence == "pearson":
        return r - r**2 / 4
    inside = r.clamp_min(LOWEST)
    below = (r - LOWEST).clamp_max(0.0)
    if divergence == "hellinger":
        return inside / (1 + inside) + below / (1 + LOWEST) ** 2
    grown = math.exp(-LOWEST)
    return torch.log(2 - torch.exp(-inside)) + below * grown / (2 - grown)


@dataclass(frozen=True)
class FSFT(Composable):
    """Supervised fine-tuning as implicit-reward learning under an f-divergence.

        r = β log π(y)/π_ref(y)      per token, or its mean over the response
        L = −φ(r)                    [items]; effective weight φ'(r) falls as the policy leaves the reference

    `total_variation` is plain SFT up to a constant: its KL term cancels, so nothing holds the policy. The others keep
    a pull: what is already far above the reference counts less (Pearson turns it down beyond r = 2). At π = π_ref all
    four have SFT's gradient. The normaliser β log Z is taken as constant.

    Args:
        divergence: Which f.
        beta: Scale of the log-ratio, > 0.
        per: `token` (default; r stays small) or `sequence` (mean over the response).
        of: Which responses (see `SFT`).
    Raises:
        SettingError: a setting is out of range.
    Source: "Implicit Reward as the Bridge: A Unified View of SFT and DPO Connections", 2025, arXiv 2507.00018.
    """

    divergence: Divergence = "pearson"
    beta: float = 1.0
    per: Literal["token", "sequence"] = "token"
    of: Which = "chosen"

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "divergence", ("total_variation", "pearson", "hellinger", "jensen_shannon"))
        one_of(self, "per", ("token", "sequence"))
        one_of(self, "of", WHICH)

    @property
    def needs(self) -> Needs:
        """What selects the responses, and the reference."""
        return needs_of(self.of) | Needs(policies=("ref",))

    def __call__(self, batch: RaggedBatch) -> Losses:
        index = selected(batch, self.of)
        ratio = self.beta * (batch.logps - batch.logps_of["ref"])  # [T]
        if self.per == "sequence":
            r = batch.response_mean(ratio)[index]
            each = -utility(r, self.divergence)
            return term("fsft", over="responses", each=each, metrics={"log_ratio": r}, index=index)
        keep = torch.zeros(batch.n_responses, dtype=torch.bool, device=batch.logps.device)
        keep[index] = True
        tokens = keep[batch.token_response].nonzero().squeeze(1)
        each = -utility(ratio[tokens], self.divergence)
        return term("fsft", over="tokens", each=each, metrics={"log_ratio": ratio[tokens]}, index=tokens)
