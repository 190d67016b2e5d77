"""The settings of the steps of a recipe that train: reward models, alignments, rounds of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from zermelo.recipes.schema_steps import Count, Judge, Pairs, Positive, Sample, Settings, Share

__all__ = ["Fresh", "Objective", "Reward", "Rounds", "Training"]


class Training(Settings):
    """What every training step shares."""

    lr: Positive = 1e-5
    epochs: Positive = 1.0
    pairs_per_step: Count = 32
    tokens: Count = 16384
    warmup: Share = 0.1
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Positive = 1.0
    lora: Annotated[int, Field(ge=1)] | None = None
    overlong: Literal["drop", "cut", "error"] = "drop"


class Reward(Training):
    """Train a Bradley–Terry reward model on the pairs: the model itself with a scalar head, or a head on embeddings.

    Args:
        encoder: `minilm` or any sentence-transformers model: a head on frozen embeddings instead of the model.
    """

    lr: Positive = 3e-4
    encoder: str | None = None


class Fresh(Settings):
    """Fresh samples of the policy being trained, in every optimiser step.

    Args:
        n: For each prompt.
        prompts: Of a step, at most; None = all.
        max_tokens: Longest; None = the recipe's.
    """

    n: Count = 2
    prompts: Count | None = None
    max_tokens: Count | None = None


class Objective(Training):
    """One alignment: an objective (a name with its settings, or a list that is summed) and its training settings.

    Args:
        objective: `{dpo: {beta: 0.1}}` or `[{dpo: {beta: 0.1}}, {sft: {}, weight: 0.5}]`.
        data: `pairs`; `right`: the answers judged right, for supervised fine-tuning; `judged`: all judged answers.
        reference: Another reference than the model that this alignment starts from: folder or hub name.
        fresh: Samples of the policy being trained that join every step, for objectives that read them (HyPO).
    """

    objective: dict[str, Any] | list[dict[str, Any]] | str
    data: Literal["pairs", "right", "judged"] = "pairs"
    reference: str | None = None
    fresh: Fresh | None = None


class Rounds(Objective):
    """Rounds of sample → judge → pairs → align; the policy of a round samples the next one.

    Each round trains from the policy of the one before it. An objective that reads `prev` (INPO) gets that policy as
    `prev` and the recipe's model as `ref`; any other gets it as `ref`, unless `against` says otherwise.

    Args:
        n: Rounds.
        sample: Answers of each round; None = the recipe's own data, the same in every round.
        judge: Who judges them; None = as the recipe says.
        pairs: How comparisons are made of them.
        prompts: `all` prompts in every round, or `parts`: each round its own part of them.
        against: `ref` of each round: the `previous` policy or the recipe's model (`first`).
        curriculum: The rounds are stages of pairs by difficulty (Curry-DPO), made once of the recipe's judged answers.
    """

    n: Count = 3
    sample: Sample | None = None
    judge: Judge | None = None
    pairs: Pairs = Pairs()
    prompts: Literal["all", "parts"] = "all"
    against: Literal["previous", "first"] | None = None
    curriculum: Literal["easy_first", "hard_first"] | None = None

    @model_validator(mode="after")
    def _staged(self) -> Rounds:
        if self.reference is not None:
            raise ValueError("rounds set the reference themselves: against is `previous` or `first`")
        if self.curriculum is not None and self.sample is not None:
            raise ValueError("a curriculum parts the recipe's own judged answers: leave sample out")
        return self
