"""Likelihood of responses: supervised fine-tuning, and the likelihood term that other losses add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from zermelo.errors import one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["NLL", "RWR", "SFT", "Which", "likelihood", "needs_of", "selected"]

NLL: TypeAlias = Literal["token_mean", "sequence_mean", "sum"]
Which: TypeAlias = Literal["chosen", "all", "good", "best"]
KINDS = ("token_mean", "sequence_mean", "sum")
WHICH = ("chosen", "all", "good", "best")


def needs_of(which: Which) -> Needs:
    """What must be supplied to select responses in that way."""
    return {"chosen": Needs(pairs=True), "all": Needs(), "good": Needs(labels=True), "best": Needs(scores=True)}[which]


def selected(batch: RaggedBatch, which: Which) -> Tensor:
    """Indices of the responses that a supervised term learns from, ascending. [n]

    `chosen`: preferred in some pair and beaten in none (of a ranking, the best); in a group without any pair, all.
    `all`. `good`: labelled 1. `best`: the highest score of its group, the first on ties.
    """
    if which == "all":
        keep = torch.ones(batch.n_responses, dtype=torch.bool, device=batch.logps.device)
    elif which == "good":
        keep = batch.labels == 1
    elif which == "best":
        keep = _best(batch)
    else:
        keep = torch.zeros(batch.n_responses, dtype=torch.bool, device=batch.logps.device)
        beaten = keep.clone()
        keep[batch.pairs[:, 0]] = True
        beaten[batch.pairs[:, 1]] = True
        paired = batch.group_sum((keep | beaten).to(batch.weight.dtype))[batch.response_group] > 0
        keep = (keep & ~beaten) | ~paired
    return keep.nonzero().squeeze(1)


def _best(batch: RaggedBatch) -> Tensor:
    scores = torch.where(torch.isfinite(batch.scores), batch.scores, torch.full_like(batch.scores, -torch.inf))
    top = torch.full((batch.n_groups,), -torch.inf, dtype=scores.dtype, device=scores.device)
    top = top.scatter_reduce(0, batch.response_group, scores, "amax")
    tied = (scores == top[batch.response_group]) & torch.isfinite(scores)
    place = torch.cumsum(tied.long(), 0)
    before = torch.zeros(batch.n_groups, dtype=torch.long, device=scores.device)
    before = before.scatter_reduce(0, batch.response_group, place - tied.long(), "amin", include_self=False)
    return tied & (place - before[batch.response_group] == 1)


def likelihood(
    name: str, batch: RaggedBatch, index: Tensor, nll: NLL, *, metrics: Mapping[str, Tensor] | None = None
) -> Losses:
    """−log π of the responses at `index`, in one of three normalisations.

    `token_mean`: one item per token, so that the loop pools all tokens of the step: long responses count more.
    `sequence_mean`: −log π(y)/|y| per response: every response counts the same. `sum`: −log π(y) per response.

    Args:
        metrics: Further metrics, per response at `index`; only with the two per-response forms.
    """
    if nll == "token_mean":
        keep = torch.zeros(batch.n_responses, dtype=torch.bool, device=batch.logps.device)
        keep[index] = True
        tokens = keep[batch.token_response].nonzero().squeeze(1)
        each = -batch.logps[tokens]
        return term(name, over="tokens", each=each, metrics={"nll": each}, index=tokens)
    pool = batch.response_mean if nll == "sequence_mean" else batch.response_sum
    each = -pool(batch.logps)[index]
    return term(name, over="responses", each=each, metrics={"nll": each, **(metrics or {})}, index=index)


@dataclass(frozen=True)
class SFT(Composable):
    """Supervised fine-tuning: the negative log-likelihood of responses.

        token_mean      Σ_i −log π(y_i|x) / Σ_i |y_i|        one item per token (the usual SFT)
        sequence_mean   mean of −log π(y_i|x) / |y_i|        one item per response
        sum             mean of −log π(y_i|x)                one item per response

    Args:
        nll: Normalisation; the two means differ whenever lengths do.
        of: Which responses: `chosen` (with pairs: those preferred and never beaten; a group without pairs: all),
            `all`, `good` (label 1), `best` (highest score of the group; with sampled responses this is best-of-n
            likelihood).
    Raises:
        SettingError: a setting is none of its choices.
    Source: "Training language models to follow instructions with human feedback", 2022, arXiv 2203.02155.
    """

    nll: NLL = "token_mean"
    of: Which = "chosen"

    def __post_init__(self) -> None:
        one_of(self, "nll", KINDS)
        one_of(self, "of", WHICH)

    @property
    def needs(self) -> Needs:
        """Pairs, labels or scores, as `of` asks."""
        return needs_of(self.of)

    def __call__(self, batch: RaggedBatch) -> Losses:
        return likelihood("sft", batch, selected(batch, self.of), self.nll)


@dataclass(frozen=True)
class RWR(Composable):
    """Reward-weighted regression: likelihood of every scored response, weighted by its exponential advantage.

        L_i = −e^{min((s_i − b)/τ, c)} · log π(y_i|x) / |y_i|,  b = mean score of the group      [N], nat

    Args:
        tau: Temperature of the scores, > 0, in their unit.
        cap: c, largest exponent, > 0: one response must not own the step.
        nll: Normalisation of the likelihood, `sequence_mean` or `sum`.
    Raises:
        SettingError: tau or cap is not positive.
    Source: "Reinforcement learning by reward-weighted regression for operational space control", ICML 2007; for
        language models see "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data", 2024,
        arXiv 2404.14367.
    """

    needs: ClassVar[Needs] = Needs(scores=True)
    tau: float = 1.0
    cap: float = 5.0
    nll: Literal["sequence_mean", "sum"] = "sequence_mean"

    def __post_init__(self) -> None:
        positive(self, "tau", "cap")
        one_of(self, "nll", ("sequence_mean", "sum"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        index = torch.isfinite(batch.scores).nonzero().squeeze(1)
        known = torch.isfinite(batch.scores)
        score = torch.where(known, batch.scores, torch.zeros_like(batch.scores))
        mean = batch.group_sum(score) / batch.group_sum(known.to(score.dtype)).clamp_min(1.0)
        weight = ((score - mean[batch.response_group]) / self.tau).clamp_max(self.cap).exp()[index]
        pool = batch.response_mean if self.nll == "sequence_mean" else batch.response_sum
        nll = -pool(batch.logps)[index]
        return term("rwr", over="responses", each=weight * nll, metrics={"nll": nll, "weight": weight}, index=index)
