"""Losses over pairs of responses to one prompt: DPO and its kin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zermelo.errors import positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["DPO"]


@dataclass(frozen=True)
class DPO(Composable):
    """Direct preference optimisation: logistic loss on the margin of log-ratios.

        Δ_i = log π(y_i|x) − log π_ref(y_i|x)                 [N], nat
        L_m = softplus(−β (Δ_win − Δ_lose))                   [M], nat, one per pair

    Args:
        beta: Pull towards the reference, > 0. Default 0.1.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023, arXiv 2305.18290.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, policies=("ref",))
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        delta = batch.log_ratio("ref")  # [N]
        win, lose = delta[batch.pairs].unbind(-1)  # [M], [M]
        return term("dpo", over="pairs", each=softplus(-self.beta * (win - lose)), metrics={"margin": win - lose})
