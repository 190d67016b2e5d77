"""Preferences between (instruction, response) pairs whose instructions differ: DOVE."""

from __future__ import annotations

from dataclasses import dataclass

from zermelo.errors import positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["DOVE"]


@dataclass(frozen=True)
class DOVE(Composable):
    """Joint preference optimisation: each side of a pair has a prompt of its own.

        J_i = log π(y_i|x_i) − log π_ref(y_i|x_i)  [+ log π(x_i) − log π_ref(x_i)]            [N], nat
        L_m = softplus(−β (J_win − J_lose))                                                   [M], nat, one per pair

    Equal prompts cancel: then it is DPO, with or without the prompt. With the prompt's likelihood, the policy also
    learns to prefer instructions.

    Args:
        beta: Pull towards the reference, > 0.
        include_prompt: Count the prompts' log-ratios, as the authors' joint training does. Off by default.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Comparing Bad Apples to Good Oranges: Aligning Large Language Models via Joint Preference Optimization",
        2024, arXiv 2404.00530.
    """

    beta: float = 0.1
    include_prompt: bool = False

    def __post_init__(self) -> None:
        positive(self, "beta")

    @property
    def needs(self) -> Needs:
        """Pairs, the reference, and the prompts' log-probabilities where they count."""
        return Needs(pairs=True, policies=("ref",), prompt_logps=self.include_prompt)

    def __call__(self, batch: RaggedBatch) -> Losses:
        ratio = batch.log_ratio("ref")  # [N]
        if self.include_prompt:
            ratio = ratio + batch.extra_of("prompt_logps") - batch.extra_of("prompt_logps_ref")
        win, lose = batch.sides(self.beta * ratio)
        return term("dove", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))
