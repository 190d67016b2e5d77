"""Distilling a reward-conditioned posterior into the policy: BRAIn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zermelo.errors import one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.listwise import lists_of, masked_softmax
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["BRAIn"]


@dataclass(frozen=True)
class BRAIn(Composable):
    """Bayesian reward-conditioned amortised inference: KL between two self-normalised weight vectors.

        a_i = r_i/γ + log p(y_i|x) − log q'(y_i|x),     b_i = log π(y_i|x) − log q'(y_i|x)
        α = softmax(a), no gradient;  β = softmax(b)    over the scored responses of the group
        L_g = Σ_i α_i (log α_i − log β_i)               [L], nat, one per list;  ∂L/∂log π_i = β_i − α_i

    p is the prior (`ref`), q' the policy that drew the responses. The target is the posterior p·e^{r/γ}/Z, the
    optimum of KL-regularised reward maximisation. Two responses drawn from p, the better one certain, give DPO with
    β = 1. Biased for the plain KL, but its variance is far below that of unnormalised estimators. Watch the metric
    `ess` = 1/Σα²: near 1, a single response owns the list.

    Args:
        gamma: Temperature of the reward, > 0, in the unit of the scores.
        proposal: Whose samples these are: `old` (a frozen earlier policy) or `ref` (the prior itself).
    Raises:
        SettingError: gamma is not positive, or the proposal is neither.
    Source: "BRAIn: Bayesian Reward-conditioned Amortized Inference for natural language generation from feedback",
        2024, arXiv 2402.02479.
    """

    gamma: float = 1.0
    proposal: Literal["old", "ref"] = "ref"

    def __post_init__(self) -> None:
        positive(self, "gamma")
        one_of(self, "proposal", ("old", "ref"))

    @property
    def needs(self) -> Needs:
        """Scores, the prior, and the proposal where it is another policy."""
        return Needs(scores=True, policies=("ref",) if self.proposal == "ref" else ("ref", "old"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        lists = lists_of(batch, batch.log_ratio(self.proposal))  # b
        prior = lists_of(batch, batch.response_sum(batch.logps_of["ref"] - batch.logps_of[self.proposal]))
        log_alpha = masked_softmax(lists.label / self.gamma + prior.model, lists.mask)
        log_beta = masked_softmax(lists.model, lists.mask)
        alpha = log_alpha.exp().masked_fill(~lists.mask, 0.0)
        each = (alpha * (log_alpha - log_beta)).sum(-1)
        ess = 1.0 / (alpha**2).sum(-1)
        return term("brain", over="groups", each=each, metrics={"ess": ess}, index=lists.groups)
