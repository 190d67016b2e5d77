"""The metrics that every pairwise objective reports, so that logs of different methods can be laid side by side."""

from __future__ import annotations

from torch import Tensor

__all__ = ["reward_metrics"]


def reward_metrics(chosen: Tensor, rejected: Tensor) -> dict[str, Tensor]:
    """`chosen` and `rejected` (implicit rewards), their `margins`, and `accuracies` (1 where chosen > rejected).

    A tie counts as wrong, so the accuracy is 0, not ½, as long as policy and reference are equal. All [M].
    """
    chosen, rejected = chosen.detach(), rejected.detach()
    return {
        "chosen": chosen,
        "rejected": rejected,
        "margins": chosen - rejected,
        "accuracies": (chosen > rejected).to(chosen.dtype),
    }
