"""Calibration of sequence likelihoods: candidates in the order of a metric, faithful ones apart from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from zermelo.errors import SettingError, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.listwise import Lists, lists_of
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["MarginRank", "pairwise_infonce"]


@dataclass(frozen=True)
class MarginRank(Composable):
    """Margin ranking of the candidates of a prompt by their metric (BRIO).

        f_i = scale · log π(y_i | x) / |y_i|^length_penalty,     candidates in order of the metric, the best first
        L_g = Σ_{d=1}^{K−1} mean_i max(0, f_{i+d} − f_i + d · margin)                    [L], one per list

    Candidates of equal metric ask for nothing of each other. Decode with the same length penalty.

    Args:
        margin: λ, > 0; grows with the distance in rank.
        scale: > 0.
        length_penalty: α, ≥ 0: 0 compares sums, 1 means.
    Raises:
        SettingError: a setting is outside its range.
    Source: "What are the Desired Characteristics of Calibration Sets? Identifying Correlates on Long Form Scientific
        Summarization", 2023, arXiv 2305.07615; "BRIO: Bringing Order to Abstractive Summarization", 2022, arXiv
        2203.16804.
    """

    needs: ClassVar[Needs] = Needs(scores=True)
    margin: float = 0.001
    scale: float = 0.1
    length_penalty: float = 2.0

    def __post_init__(self) -> None:
        positive(self, "margin", "scale")
        if not 0 <= self.length_penalty < float("inf"):
            raise SettingError("bad-setting", f"MarginRank.length_penalty must be ≥ 0. Got {self.length_penalty!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        logps = batch.response_sum(batch.logps)
        f = self.scale * logps / batch.lengths.to(logps.dtype).clamp_min(1.0) ** self.length_penalty
        lists = lists_of(batch, f)
        return term("margin_rank", over="groups", each=self._loss(lists), metrics={}, index=lists.groups)

    def _loss(self, lists: Lists) -> Tensor:
        order = lists.label.masked_fill(~lists.mask, -torch.inf).argsort(dim=-1, descending=True, stable=True)
        f, label, mask = (item.gather(-1, order) for item in (lists.model, lists.label, lists.mask))
        total = torch.zeros(len(f), dtype=f.dtype, device=f.device)
        for d in range(1, f.shape[-1]):
            there = mask[:, d:]
            hinge = (f[:, d:] - f[:, :-d] + d * self.margin).clamp_min(0.0)
            asked = there & (label[:, :-d] > label[:, d:])
            total = total + (hinge * asked).sum(-1) / there.sum(-1).clamp_min(1)
        return total


def pairwise_infonce(vectors: Tensor, positive: Tensor, *, ordered: bool = True) -> Tensor:
    """Contrast of faithful candidates with all others in the space of their states (CLIFF), temperature 1.

        mean over pairs of positives (a, b) of −log [ e^{cos(a, b)} / Σ_{j ≠ a} e^{cos(a, j)} ],  nat, a scalar

    Args:
        vectors: One projected state per candidate of a prompt. [K, D]
        positive: Which of them are faithful; at least two. [K] bool
        ordered: Only a before b, as the published code does; else both directions.
    Raises:
        SettingError: fewer than two positives.
    Source: "CLIFF: Contrastive Learning for Improving Faithfulness and Factuality in Abstractive Summarization", 2021,
        arXiv 2109.09209.
    """
    places = positive.nonzero().squeeze(-1)
    if len(places) < 2:
        raise SettingError("bad-setting", f"pairwise_infonce: needs two positives. Got {len(places)}")
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    cosine = unit @ unit.T
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    log_p = cosine.masked_fill(itself, -torch.inf).log_softmax(-1)
    first, second = torch.triu_indices(len(places), len(places), 1, device=vectors.device)
    pairs = -log_p[places[first], places[second]]
    if not ordered:
        pairs = torch.cat([pairs, -log_p[places[second], places[first]]])
    return pairs.mean()
