"""Pairwise losses that hold length: LD-DPO, which counts the excess of the longer side less, and R-DPO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from zermelo.errors import SettingError, one_of, positive, unit_interval
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.pairwise import DPO
from zermelo.objectives.protocol import Composable, Losses, Needs, refuse_rules, term

__all__ = ["LDDPO", "RDPO", "unshared"]


def unshared(batch: RaggedBatch) -> tuple[RaggedBatch, Tensor]:
    """The batch with responses copied so that no two pairs share one: pair m is (2m, 2m + 1), in a group of its own.

    Per-pair fields stay; data weights of responses, which an objective never reads, are reset.

    Returns:
        The batch, and for each of its tokens the token it came from. [T']
    """
    sides = batch.pairs.reshape(-1)  # [2M]
    count = torch.bincount(batch.token_response, minlength=batch.n_responses)  # [N]
    start = torch.cumsum(count, 0) - count
    length = count[sides]
    response = torch.repeat_interleave(torch.arange(len(sides), device=sides.device), length)  # [T']
    first = torch.cumsum(length, 0) - length
    token = torch.arange(len(response), device=sides.device) - first[response] + start[sides][response]
    take = {"tokens": token, "responses": sides, "pairs": torch.arange(batch.n_pairs, device=sides.device)}
    copy = RaggedBatch(
        batch.logps[token],
        response,
        torch.arange(len(sides), device=sides.device) // 2,
        token_weight=batch.token_weight[token],
        scores=batch.scores[sides],
        labels=batch.labels[sides],
        finished=batch.finished[sides],
        pairs=torch.arange(len(sides), device=sides.device).reshape(-1, 2),
        prob=batch.prob,
        margin=batch.margin,
        weight=batch.weight,
        annotator=batch.annotator,
        logps_of={name: value[token] for name, value in batch.logps_of.items()},
        extra={name: (axis, value[take[axis]]) for name, (axis, value) in batch.extra.items() if axis in take},
        stats=batch.stats,
        state=batch.state,
    )
    return copy, token


@dataclass(frozen=True)
class LDDPO(Composable):
    """Length-desensitised preference optimisation, around any pairwise objective.

        ℓ = min(|y_w|, |y_l|)
        log π̂(y) = Σ_{t ≤ ℓ} log π(y_t) + α Σ_{t > ℓ} log π(y_t)       then the base's loss on π̂       [M]

    α = 1 is the base; α = 0 truncates to the shorter length. A uniform drift δ of every token moves DPO's margin by
    αδ(|y_w| − |y_l|). With `eos_as_tail` the end token counts as excess on both sides (ℓ is taken over the tokens
    before it): otherwise the shorter side's end token counts fully and the longer one's α times, which with short
    responses teaches to go on. False is TRL's rule.

    Args:
        base: Any objective whose terms are all over pairs.
        alpha: Weight of the excess, in [0, 1]; the best value depends on the model.
        reference: Weigh the reference too (`both`; the margin is 0 at the start), or leave it `raw`, as some code does.
        eos_as_tail: Where the end token counts.
    Raises:
        SettingError: a setting is out of range, or the base has a term that is not over pairs.
    Source: "Length Desensitization in Direct Preference Optimization", 2024, arXiv 2409.06411.
    """

    base: Any = field(default_factory=DPO)
    alpha: float = 0.5
    reference: Literal["both", "raw"] = "both"
    eos_as_tail: bool = True

    def __post_init__(self) -> None:
        refuse_rules("wrapped", self.base)
        unit_interval(self, "alpha")
        one_of(self, "reference", ("both", "raw"))

    @property
    def needs(self) -> Needs:
        """Those of the base, and pairs."""
        needs: Needs = self.base.needs | Needs(pairs=True)
        return needs

    def __call__(self, batch: RaggedBatch) -> Losses:
        copy, _ = unshared(batch)
        weight = self.token_weights(copy)  # [T']
        others = {name: value * weight if self.reference == "both" else value for name, value in copy.logps_of.items()}
        losses: Losses = self.base(copy.with_(logps=copy.logps * weight, logps_of=others))
        if any(item.over != "pairs" for item in losses):
            raise SettingError("bad-setting", "LDDPO.base must have terms over pairs only")
        return losses

    def token_weights(self, copy: RaggedBatch) -> Tensor:
        """1 up to the shorter side's length, α beyond it, for an unshared batch. [T']"""
        trained = (copy.token_weight > 0).to(copy.token_weight.dtype)
        content = copy.lengths
        if self.eos_as_tail:
            content = content - copy.finished.to(content.dtype)
        limit = content.reshape(-1, 2).min(1).values.repeat_interleave(2)  # [2M]
        running = torch.cumsum(trained, 0)
        before = torch.cumsum(copy.lengths, 0) - copy.lengths
        place = running - before[copy.token_response]  # 1-based among trained tokens
        tail = (place > limit[copy.token_response]).to(copy.token_weight.dtype)
        return 1.0 - (1.0 - self.alpha) * tail


@dataclass(frozen=True)
class RDPO(Composable):
    """Length-regularised DPO (R-DPO), the length-controlled arm of CheXalign.

        L_m = softplus(−[ βh_m + α (|y_w| − |y_l|) ])                     [M], nat, one per pair

    A pair whose chosen side is longer has its margin granted in part, so that length needs not be learnt.

    Args:
        beta: Pull towards the reference, > 0.
        alpha: Reward granted per token of difference, ≥ 0; 0 is DPO.
        epsilon: Label smoothing, in [0, ½); both parts of the margin change sign with the label.
    Raises:
        SettingError: a setting is out of range.
    Source: "Disentangling Length from Quality in Direct Preference Optimization", 2024, arXiv 2403.19159; used by
        "Preference Fine-Tuning for Factuality in Chest X-Ray Interpretation Models Without Human Feedback", 2024,
        arXiv 2410.07025.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, policies=("ref",))
    beta: float = 0.1
    alpha: float = 0.05
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        positive(self, "beta")
        unit_interval(self, "epsilon", open_right=0.5)
        if not callable(self.alpha) and not self.alpha >= 0:
            raise SettingError("bad-setting", f"RDPO.alpha must be ≥ 0. Got {self.alpha!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        long, short = batch.sides(batch.lengths)
        z = win - lose + self.alpha * (long - short)
        each = (1 - self.epsilon) * softplus(-z) + self.epsilon * softplus(z)
        metrics = {**reward_metrics(win, lose), "length_gap": long - short}
        return term("rdpo", over="pairs", each=each, metrics=metrics)
