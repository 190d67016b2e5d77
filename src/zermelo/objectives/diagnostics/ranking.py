"""What the policy itself ranks rightly, the best that its objective could reach, and how hard a pair is to flip."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zermelo.objectives.numerics import softplus

__all__ = ["RankingAccuracy", "difficulty", "flips", "idealised_margin", "ranking_accuracy", "required_loss"]


@dataclass(frozen=True)
class RankingAccuracy:
    """Shares of pairs, in [0, 1].

    Args:
        policy: π(y_w) ≥ π(y_l).
        normalised: The same on mean log-probabilities (perplexity).
        reference: π_ref(y_w) ≥ π_ref(y_l), where training began.
        reward: Δ_w > Δ_l, the accuracy that trainers log; it says nothing about what the policy writes.
        idealised: Perfect optimisation of the objective with this reference and β.
        gap: idealised − policy.
        flipped: Of the pairs that the reference ranks wrongly, how many the policy ranks rightly; NaN if none.
        ties: |log π_w − log π_l| ≤ 1e-9, counted as right in `policy`.
    """

    policy: float
    normalised: float
    reference: float
    reward: float
    idealised: float
    gap: float
    flipped: float
    ties: float


def ranking_accuracy(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    *,
    length_chosen: Tensor,
    length_rejected: Tensor,
    beta: float,
    votes: Tensor | float = 1.0,
) -> RankingAccuracy:
    """Ranking accuracy of a policy, next to the accuracy of its implicit reward and to its idealised value.

    Args:
        chosen: log π(y_w), summed, nat. [M]
        rejected: log π(y_l). [M]
        ref_chosen: log π_ref(y_w). [M]
        ref_rejected: log π_ref(y_l). [M]
        length_chosen: |y_w|. [M]
        length_rejected: |y_l|. [M]
        beta: β of the objective.
        votes: Share α of raters who prefer y_w; 1 is taken as 0.999. [M] or a number
    Source: "Preference Learning Algorithms Do Not Learn Preference Rankings", 2024, arXiv 2405.19534.
    """
    right, before = chosen >= rejected, ref_chosen >= ref_rejected
    wrong = ~before
    ideal = _share(idealised_margin(ref_chosen, ref_rejected, votes=votes, beta=beta) > 0)
    return RankingAccuracy(
        policy=_share(right),
        normalised=_share(chosen / length_chosen >= rejected / length_rejected),
        reference=_share(before),
        reward=_share(chosen - ref_chosen > rejected - ref_rejected),
        idealised=ideal,
        gap=ideal - _share(right),
        flipped=_share(right[wrong]) if bool(wrong.any()) else float("nan"),
        ties=_share((chosen - rejected).abs() <= 1e-9),
    )


def idealised_margin(ref_chosen: Tensor, ref_rejected: Tensor, *, votes: Tensor | float, beta: float) -> Tensor:
    """log π*(y_w) − log π*(y_l) of the perfect optimum; above 0 it ranks the pair rightly. [M], nat

        log π_ref,w − log π_ref,l + (1/β) log(α/(1−α))

    Kept in logs: (α/(1−α))^{1/β} overflows.
    """
    alpha = torch.as_tensor(votes, dtype=torch.float64, device=ref_chosen.device).clamp(1e-3, 1 - 1e-3)
    return (ref_chosen - ref_rejected).double() + torch.logit(alpha) / beta


def difficulty(ref_chosen: Tensor, ref_rejected: Tensor) -> Tensor:
    """c = log π_ref(y_l) − log π_ref(y_w): how far the reference has the pair the wrong way round. [M], nat"""
    return ref_rejected - ref_chosen


def required_loss(c: Tensor, *, beta: float) -> Tensor:
    """The DPO loss at or below which, and only then, the policy ranks a pair of difficulty c rightly. [M], nat

    log π_w ≥ log π_l  ⇔  softplus(−βh) ≤ softplus(−βc)
    """
    return softplus(-beta * c)


def flips(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor) -> dict[str, float]:
    """Shares of pairs by how their ranking moved: kept right, broken, flipped to right, still wrong."""
    now, before = chosen >= rejected, ref_chosen >= ref_rejected
    return {
        "kept_right": _share(before & now),
        "broken": _share(before & ~now),
        "flipped": _share(~before & now),
        "still_wrong": _share(~before & ~now),
    }


def _share(which: Tensor) -> float:
    return float(which.double().mean()) if which.numel() else float("nan")
