"""Length: is it what the run has learnt, and how many responses are cut."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LengthUse", "length_controlled", "length_use", "truncated_share"]


@dataclass(frozen=True)
class LengthUse:
    """Signs of length exploitation.

    Args:
        growth: Mean length now over mean length at the start; 1 = none.
        reward_correlation: Correlation of the reward margin with the difference of lengths over pairs, in [−1, 1].
        data_correlation: Share of pairs whose chosen side is longer, less the share where it is shorter, in [−1, 1].
        explained: Share of the reward margin's variance that a line in the length difference explains, in [0, 1].
    """

    growth: float
    reward_correlation: float
    data_correlation: float
    explained: float


def length_use(
    margin: Tensor, length_gap: Tensor, *, lengths_now: Tensor | None = None, lengths_start: Tensor | None = None
) -> LengthUse:
    """How much of what is rewarded is length.

    Args:
        margin: Reward of the first response less that of the second, per pair. [M]
        length_gap: |y_w| − |y_l|. [M]
        lengths_now: Lengths of responses sampled now. [n]
        lengths_start: Lengths of responses sampled from the start, same prompts. [n']
    """
    x, y = length_gap.double(), margin.double()
    growth = float("nan")
    if lengths_now is not None and lengths_start is not None:
        growth = float(lengths_now.double().mean() / lengths_start.double().mean().clamp_min(1e-12))
    x_c, y_c = x - x.mean(), y - y.mean()
    spread = (x_c.square().sum() * y_c.square().sum()).sqrt()
    correlation = float((x_c * y_c).sum() / spread) if float(spread) > 0 else float("nan")
    return LengthUse(growth, correlation, float(torch.sign(x).mean()), correlation**2)


def length_controlled(score: Tensor, length: Tensor, reference_length: Tensor) -> Tensor:
    """score / max(1, |y|/|y_ref|): longer than the reference costs, shorter gains nothing. Elementwise.

    Source: "Preference Fine-Tuning for Factuality in Chest X-Ray Interpretation Models Without Human Feedback", 2024,
        arXiv 2410.07025 (the form is recalled).
    """
    return score / (length / reference_length).clamp_min(1.0)


def truncated_share(finished: Tensor, pairs: Tensor | None = None) -> dict[str, float]:
    """Share of responses that never show their end token: `all`, and `chosen` and `rejected` where pairs are given.

    Args:
        finished: Whether each response ended by itself. [N]
        pairs: (chosen, rejected). [M, 2]
    """
    cut = (~finished.bool()).double()
    shares = {"all": float(cut.mean()) if len(cut) else float("nan")}
    if pairs is not None and len(pairs):
        win, lose = cut[pairs].unbind(1)
        shares |= {"chosen": float(win.mean()), "rejected": float(lose.mean())}
    return shares
