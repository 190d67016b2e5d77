"""Losses over the scored responses of a prompt, as learning to rank: LiPO and its family.

Scores of the model s_i = β (log π(y_i|x) − log π_ref(y_i|x)); labels ψ_i = `scores` of the data, NaN = not in the list.
Lists live in padded tables [G, K] with a mask; a group with fewer than two scored responses has no list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from zermelo.errors import SettingError, one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = [
    "EXO",
    "NCA",
    "InfoNCA",
    "LambdaLoss",
    "ListMLE",
    "Lists",
    "ListwiseHinge",
    "ListwiseLogistic",
    "PointwiseRank",
    "SoftmaxRank",
    "lambda_weights",
    "lists_of",
    "plackett_luce",
]

SCORES_AND_REFERENCE = Needs(scores=True, policies=("ref",))
PairReduction: TypeAlias = Literal["sum", "mean"]


@dataclass(frozen=True)
class Lists:
    """The lists of a batch. Masked places hold 0.

    Args:
        groups: Which groups have a list. [L]
        model: s. [L, K]
        label: ψ. [L, K]
        mask: Which places hold an item. [L, K]
    """

    groups: Tensor
    model: Tensor
    label: Tensor
    mask: Tensor


def lists_of(batch: RaggedBatch, per_response: Tensor) -> Lists:
    """Padded lists of the scored responses, of groups with at least two; which ones depends on data alone."""
    table = batch.lists  # [G, K]
    place = table.clamp_min(0)
    mask = (table >= 0) & torch.isfinite(batch.scores)[place]
    groups = (mask.sum(1) >= 2).nonzero().squeeze(1)
    place, mask = place[groups], mask[groups]
    zero = torch.zeros((), dtype=per_response.dtype, device=per_response.device)
    label = torch.where(mask, batch.scores[place].to(per_response.dtype), zero)
    return Lists(groups, torch.where(mask, per_response[place], zero), label, mask)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """log softmax over the items of each row; masked places give 0 (not −∞, whose product with 0 is NaN). [L, K]"""
    log_p = scores.masked_fill(~mask, -torch.inf).log_softmax(-1)
    return log_p.masked_fill(~mask, 0.0)


def plackett_luce(model: Tensor, label: Tensor, mask: Tensor, top: int | None = None) -> Tensor:
    """Negative log-likelihood of the order of the labels under Plackett–Luce. [L, K] → [L], nat

        Σ_i [ logsumexp(s_j : ψ_j ≤ ψ_i) − s_i ]

    Ties by Breslow: the items of a tied block share one denominator, block and everything below it. `top` keeps the
    items that fewer than `top` others beat.
    """
    below = (label.unsqueeze(-2) <= label.unsqueeze(-1)) & mask.unsqueeze(-2)  # [L, i, j]: j may stand under i
    below = below | torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)  # no empty rows at masked places
    denominator = model.unsqueeze(-2).masked_fill(~below, -torch.inf).logsumexp(-1)
    each = (denominator - model).masked_fill(~mask, 0.0)
    if top is not None:
        beaten_by = ((label.unsqueeze(-2) > label.unsqueeze(-1)) & mask.unsqueeze(-2)).sum(-1)
        each = each.masked_fill(beaten_by >= top, 0.0)
    return each.sum(-1)


def lambda_weights(model: Tensor, label: Tensor, mask: Tensor) -> Tensor:
    """How much DCG changes when items i and j swap their current ranks, no gradient. [L, K] → [L, K, K]

    Δ_ij = |2^ψ_i − 2^ψ_j| · |1/log(1+τ_i) − 1/log(1+τ_j)|,   τ = 1-based rank by model score (stable on ties)
    """
    order = model.detach().masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(
        -1, order, torch.arange(order.shape[-1], device=order.device).expand_as(order)
    )
    discount = 1.0 / torch.log(2.0 + rank.to(model.dtype))
    gain = torch.exp2(label)
    return (gain.unsqueeze(-1) - gain.unsqueeze(-2)).abs() * (discount.unsqueeze(-1) - discount.unsqueeze(-2)).abs()


def over_pairs(lists: Lists, each: Tensor, how: PairReduction) -> Tensor:
    """Sum or mean of a [L, K, K] table over the pairs with ψ_i > ψ_j; 0 for a list of ties. [L]"""
    better = lists.label.unsqueeze(-1) > lists.label.unsqueeze(-2)
    better = better & lists.mask.unsqueeze(-1) & lists.mask.unsqueeze(-2)
    total = each.masked_fill(~better, 0.0).sum((-1, -2))
    return total if how == "sum" else total / better.sum((-1, -2)).clamp_min(1)


def list_term(name: str, batch: RaggedBatch, beta: float, loss: Callable[[Lists], Tensor]) -> Losses:
    """One loss per list of s = β·log-ratio; metric `ranked`: share of the list's ordered pairs that s ranks rightly."""
    lists = lists_of(batch, beta * batch.log_ratio("ref"))
    gap = lists.model.unsqueeze(-1) - lists.model.unsqueeze(-2)
    ranked = over_pairs(lists, (gap > 0).to(gap.dtype), "mean")
    return term(name, over="groups", each=loss(lists), metrics={"ranked": ranked}, index=lists.groups)


@dataclass(frozen=True)
class ListMLE(Composable):
    """Plackett–Luce likelihood of the stated order (ListMLE; DPO for rankings).

        L_g = Σ_i [ logsumexp(s_j : ψ_j ≤ ψ_i) − s_i ]                  [L], nat, one per list

    Ties by Breslow. Two responses give DPO.

    Args:
        beta: Pull towards the reference, > 0.
        top: Only the `top` best items are placed; None = all.
    Raises:
        SettingError: beta is not positive or top is below 1.
    Source: "Direct Preference Optimization", 2023, arXiv 2305.18290 (appendix); "LiPO: Listwise Preference
        Optimization through Learning-to-Rank", 2024, arXiv 2402.01878.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.1
    top: int | None = None

    def __post_init__(self) -> None:
        positive(self, "beta")
        if self.top is not None and self.top < 1:
            raise SettingError("bad-setting", f"ListMLE.top must be at least 1. Got {self.top!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        return list_term("list_mle", batch, self.beta, lambda it: plackett_luce(it.model, it.label, it.mask, self.top))


@dataclass(frozen=True)
class LambdaLoss(Composable):
    """LiPO-λ: logistic loss of all ordered pairs, weighted by what swapping them would do to the DCG.

        Δ_ij = |2^ψ_i − 2^ψ_j| · |1/log(1+τ_i) − 1/log(1+τ_j)|, no gradient; τ = current rank by s
        L_g = Σ_{ψ_i > ψ_j} Δ_ij softplus(−(s_i − s_j))                 [L], nat, one per list

    Labels belong in about [0, 5]: gains are 2^ψ. At the start all s are equal and ranks follow the input order.

    Args:
        beta: Pull towards the reference, > 0.
        reduce: `sum` over the pairs of a list (as published) or `mean`.
    Raises:
        SettingError: beta is not positive.
    Source: "LiPO: Listwise Preference Optimization through Learning-to-Rank", 2024, arXiv 2402.01878.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.05
    reduce: PairReduction = "sum"

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "reduce", ("sum", "mean"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            gap = it.model.unsqueeze(-1) - it.model.unsqueeze(-2)  # [L, K, K]
            return over_pairs(it, lambda_weights(it.model, it.label, it.mask) * softplus(-gap), self.reduce)

        return list_term("lipo_lambda", batch, self.beta, loss)


@dataclass(frozen=True)
class ListwiseLogistic(Composable):
    """DPO on all ordered pairs of a list.

        L_g = Σ_{ψ_i > ψ_j} softplus(−(s_i − s_j))                      [L], nat, one per list

    Args:
        beta: Pull towards the reference, > 0.
        reduce: `sum` over the pairs of a list or `mean`.
    Raises:
        SettingError: beta is not positive.
    Source: "LiPO: Listwise Preference Optimization through Learning-to-Rank", 2024, arXiv 2402.01878.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.05
    reduce: PairReduction = "sum"

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "reduce", ("sum", "mean"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            return over_pairs(it, softplus(it.model.unsqueeze(-2) - it.model.unsqueeze(-1)), self.reduce)

        return list_term("list_logistic", batch, self.beta, loss)


@dataclass(frozen=True)
class ListwiseHinge(Composable):
    """Hinge loss on all ordered pairs of a list.

        L_g = Σ_{ψ_i > ψ_j} max(0, 1 − (s_i − s_j))                     [L], one per list

    Args:
        beta: 1/β is the margin at which a pair stops pulling, > 0.
        reduce: `sum` over the pairs of a list or `mean`.
    Raises:
        SettingError: beta is not positive.
    Source: "LiPO: Listwise Preference Optimization through Learning-to-Rank", 2024, arXiv 2402.01878.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.05
    reduce: PairReduction = "sum"

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "reduce", ("sum", "mean"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            gap = it.model.unsqueeze(-1) - it.model.unsqueeze(-2)
            return over_pairs(it, torch.relu(1.0 - gap), self.reduce)

        return list_term("list_hinge", batch, self.beta, loss)


@dataclass(frozen=True)
class SoftmaxRank(Composable):
    """Cross-entropy between the normalised labels and the softmax of the model's scores.

        L_g = −Σ_i (ψ_i / Σψ) log softmax(s)_i                          [L], nat, one per list

    Labels must be ≥ 0 with a positive sum; a list without gives 0.

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not positive.
    Source: "LiPO: Listwise Preference Optimization through Learning-to-Rank", 2024, arXiv 2402.01878.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.05

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            share = it.label.clamp_min(0.0)
            share = share / share.sum(-1, keepdim=True).clamp_min(1e-12)
            return -(share * masked_softmax(it.model, it.mask)).sum(-1)

        return list_term("list_softmax", batch, self.beta, loss)


@dataclass(frozen=True)
class PointwiseRank(Composable):
    """Each response by itself against its label in [0, 1].

        L_g = Σ_i [ ψ_i softplus(−s_i) + (1−ψ_i) softplus(s_i) ]        `cross_entropy`
              Σ_i (ψ_i − σ(s_i))²                                       `squared`          [L], one per list

    Args:
        beta: Pull towards the reference, > 0.
        loss: Form.
    Raises:
        SettingError: beta is not positive.
    Source: "LiPO: Listwise Preference Optimization through Learning-to-Rank", 2024, arXiv 2402.01878.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.05
    loss: Literal["cross_entropy", "squared"] = "cross_entropy"

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "loss", ("cross_entropy", "squared"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            if self.loss == "squared":
                each = (it.label - torch.sigmoid(it.model)) ** 2
            else:
                each = it.label * softplus(-it.model) + (1 - it.label) * softplus(it.model)
            return each.masked_fill(~it.mask, 0.0).sum(-1)

        return list_term("list_pointwise", batch, self.beta, loss)


@dataclass(frozen=True)
class EXO(Composable):
    """Efficient exact optimisation: reverse KL from the policy's to the reward's distribution over the list.

        q = softmax_i(s_i),  p = softmax_i(ψ_i / τ)
        L_g = Σ_i q_i (log q_i − log p_i)  =  KL(q ‖ p) ≥ 0              [L], nat, one per list

    Mode seeking; DPO's list form is KL(p ‖ q).

    Args:
        beta: Pull towards the reference (β_π), > 0.
        tau: Temperature of the labels (β_r), > 0.
    Raises:
        SettingError: a setting is not positive.
    Source: "Towards Efficient Exact Optimization of Language Model Alignment", 2024, arXiv 2402.00856.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.1
    tau: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "beta", "tau")

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            log_q, log_p = masked_softmax(it.model, it.mask), masked_softmax(it.label / self.tau, it.mask)
            return (log_q.exp() * (log_q - log_p)).masked_fill(~it.mask, 0.0).sum(-1)

        return list_term("exo", batch, self.beta, loss)


@dataclass(frozen=True)
class NCA(Composable):
    """Noise contrastive alignment for K scored responses.

        L_g = Σ_i [ p_i softplus(−s_i) + softplus(s_i)/K ],  p = softmax(ψ/τ)         [L], nat, one per list

    Args:
        beta: Pull towards the reference, > 0.
        tau: Temperature of the labels (the paper's α), > 0.
    Raises:
        SettingError: a setting is not positive.
    Source: "Noise Contrastive Alignment of Language Models with Explicit Rewards", 2024, arXiv 2402.05369.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.1
    tau: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "beta", "tau")

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            p = masked_softmax(it.label / self.tau, it.mask).exp()
            size = it.mask.sum(-1, keepdim=True)
            each = p * softplus(-it.model) + softplus(it.model) / size
            return each.masked_fill(~it.mask, 0.0).sum(-1)

        return list_term("nca", batch, self.beta, loss)


@dataclass(frozen=True)
class InfoNCA(Composable):
    """InfoNCA: cross-entropy of the reward's softmax with the policy's.

        L_g = −Σ_i softmax(ψ/τ)_i log softmax(s)_i                       [L], nat, one per list

    Args:
        beta: Pull towards the reference, > 0.
        tau: Temperature of the labels (the paper's α), > 0.
    Raises:
        SettingError: a setting is not positive.
    Source: "Noise Contrastive Alignment of Language Models with Explicit Rewards", 2024, arXiv 2402.05369.
    """

    needs: ClassVar[Needs] = SCORES_AND_REFERENCE
    beta: float = 0.1
    tau: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "beta", "tau")

    def __call__(self, batch: RaggedBatch) -> Losses:
        def loss(it: Lists) -> Tensor:
            p = masked_softmax(it.label / self.tau, it.mask).exp().masked_fill(~it.mask, 0.0)
            return -(p * masked_softmax(it.model, it.mask)).sum(-1)

        return list_term("info_nca", batch, self.beta, loss)
