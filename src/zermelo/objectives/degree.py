"""How *much* better an answer is, as a side task: the degree loss of SPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from zermelo.errors import one_of
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["DegreeLoss"]


@dataclass(frozen=True)
class DegreeLoss(Composable):
    """Predict how much key content was removed from a response, from its last hidden state.

        L_i = −log softmax(W z_i)_c                               `classes`: C logits
              Σ_k softplus(∓(W z_i)_k), − where c > k             `ordinal`: C − 1 thresholds       [n], nat

    Added to an alignment loss: `DPO() + 0.1 * DegreeLoss()`; its gradient reaches the backbone and the head is thrown
    away. Graded versions of a response come from `synthesis.degrade`; they carry their class in `extra["degree"]`
    (−1 = an ordinary response). A zero head gives log C.

    Args:
        kind: Classes, or ordered thresholds.
    Source: "Self-supervised Preference Optimization: Enhance Your Language Model with Preference Degree Awareness",
        2024, arXiv 2409.17791 (number of classes, weight and extraction of key content are our choices).
    """

    needs: ClassVar[Needs] = Needs(extra=("degree_logits", "degree"))
    kind: Literal["classes", "ordinal"] = "classes"

    def __post_init__(self) -> None:
        one_of(self, "kind", ("classes", "ordinal"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        degree = batch.extra_of("degree")
        index = (degree >= 0).nonzero().squeeze(1)
        wanted = degree[index].long()  # [n]
        logits = batch.extra_of("degree_logits")[index]  # [n, C]
        logits = logits if logits.dtype == torch.float64 else logits.float()
        if self.kind == "classes":
            each = -logits.log_softmax(-1).gather(1, wanted.unsqueeze(1)).squeeze(1)
            found = logits.argmax(-1)
        else:
            above = wanted.unsqueeze(1) > torch.arange(logits.shape[1], device=logits.device)
            each = softplus(torch.where(above, -logits, logits)).sum(-1)
            found = (logits > 0).sum(-1)
        metrics = {"accuracy": (found == wanted).to(logits.dtype)}
        return term("degree", over="responses", each=each, metrics=metrics, index=index)
