"""Losses for reward models with a scalar head; `extra["reward"]` is the head's differentiable output [N]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from zermelo.errors import SettingError
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["BradleyTerryReward", "RewardRegression"]


@dataclass(frozen=True)
class BradleyTerryReward(Composable):
    """Bradley–Terry loss of a reward model, with stated margins and centring.

        L_m = softplus(−(s_win − s_lose − c_m·margin_m)) + c (s_win + s_lose)²         [M], nat, one per pair

    Args:
        margin: c_m, weight of the pair's stated margin; 0 ignores it, 1 takes it in the unit of the reward.
        centre: c, pulls the two rewards of a pair towards sum zero, ≥ 0; 0.01 keeps their level from drifting.
        soft: Read the pair's stated probability p: p softplus(−z) + (1−p) softplus(z).
    Raises:
        SettingError: centre is negative.
    Source: "Training language models to follow instructions with human feedback", 2022, arXiv 2203.02155; margins
        "Llama 2", 2023, arXiv 2307.09288; centring "Helping or Herding?", 2023, arXiv 2312.09244.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, extra=("reward",))
    margin: float = 0.0
    centre: float = 0.0
    soft: bool = False

    def __post_init__(self) -> None:
        if not callable(self.centre) and not self.centre >= 0:
            raise SettingError("bad-setting", f"BradleyTerryReward.centre must be ≥ 0. Got {self.centre!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        reward = batch.extra_of("reward")
        win, lose = batch.sides(reward if reward.dtype == torch.float64 else reward.float())  # [M], [M]
        gap = win - lose - self.margin * batch.margin if self.margin else win - lose
        each = batch.prob * softplus(-gap) + (1 - batch.prob) * softplus(gap) if self.soft else softplus(-gap)
        if self.centre:
            each = each + self.centre * (win + lose) ** 2
        return term("bradley_terry", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class RewardRegression(Composable):
    """Squared error of a reward model against stated scores.

        L_i = (s_i − score_i)²                                   [n], score², one per scored response

    Source: "HelpSteer2: Open-source dataset for training top-performing reward models", 2024, arXiv 2406.08673.
    """

    needs: ClassVar[Needs] = Needs(scores=True, extra=("reward",))

    def __call__(self, batch: RaggedBatch) -> Losses:
        index = torch.isfinite(batch.scores).nonzero().squeeze(1)
        error = (batch.extra_of("reward") - batch.scores)[index]
        return term("reward_regression", over="responses", each=error**2, metrics={"error": error.abs()}, index=index)
