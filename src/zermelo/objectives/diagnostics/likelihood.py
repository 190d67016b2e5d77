"""Likelihood displacement: did the chosen responses fall, which ones, and where did their mass go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

__all__ = ["Displacement", "displacement", "gainers", "predicted_gain"]

Kind = Literal["as wanted", "both up", "both down", "inverted", "unchanged"]


@dataclass(frozen=True)
class Displacement:
    """How the log-probabilities of pairs moved from the start.

    Args:
        kind: `as wanted` (chosen up, rejected down), `both up`, `both down` (displacement), `inverted`, `unchanged`.
        chosen: Mean change of log π(y_w), nat.
        rejected: Mean change of log π(y_l), nat.
        margin: Mean change of the margin, nat.
        falling: Share of pairs whose chosen side fell.
        displaced: Whether chosen responses fell on average while the margin grew.
    """

    kind: Kind
    chosen: float
    rejected: float
    margin: float
    falling: float
    displaced: bool


def displacement(
    chosen: Tensor, rejected: Tensor, start_chosen: Tensor, start_rejected: Tensor, *, tolerance: float = 1e-6
) -> Displacement:
    """Classify a run by its log-probabilities now and at the start, all [M], nat.

    Args:
        tolerance: A mean change up to this is no change, nat.
    Source: "Unintentional Unalignment: Likelihood Displacement in Direct Preference Optimization", 2024,
        arXiv 2410.08847.
    """
    up, down = (chosen - start_chosen).double(), (rejected - start_rejected).double()
    win, lose = float(up.mean()), float(down.mean())
    kind: Kind
    if abs(win) <= tolerance and abs(lose) <= tolerance:
        kind = "unchanged"
    elif win >= -tolerance and lose <= tolerance:
        kind = "as wanted"
    elif win > 0 and lose > 0:
        kind = "both up"
    elif win < 0 and lose < 0:
        kind = "both down"
    else:
        kind = "inverted"
    falling = float((up < -tolerance).double().mean())
    return Displacement(kind, win, lose, win - lose, falling, win < -tolerance and win - lose > tolerance)


def gainers(before: Tensor, after: Tensor, k: int = 10) -> tuple[Tensor, Tensor]:
    """The k tokens whose probability grew most at one position: ids and gains. Where the chosen's mass went.

    Args:
        before: Log-probabilities at the start. [V]
        after: Log-probabilities now. [V]
        k: How many.
    """
    gain = after.double().exp() - before.double().exp()
    top = gain.topk(min(k, len(gain)))
    return top.indices, top.values


def predicted_gain(unembedding: Tensor, win: int, lose: int) -> Tensor:
    """⟨W_z, W_w − W_l⟩ for every token z: which tokens one DPO step on a pair of single tokens lifts, up to a constant.

    Args:
        unembedding: Output matrix. [V, D]
        win: The chosen token.
        lose: The rejected token.
    Source: "Unintentional Unalignment", 2024, arXiv 2410.08847.
    """
    return unembedding @ (unembedding[win] - unembedding[lose])
