"""A recipe as a pydantic model: what a YAML file may say, and nothing else (`schema_steps`, `schema_training`).

A recipe names a model, where its prompts or pairs come from, and steps. Steps run in the order of `Recipe`'s fields;
a step that is not named is not run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from zermelo.recipes.schema_steps import Count, Data, Doctor, Evaluate, Inject, Judge, Pairs, Sample, Select, Settings
from zermelo.recipes.schema_training import Fresh, Objective, Reward, Rounds, Training

__all__ = [
    "Count",
    "Data",
    "Doctor",
    "Evaluate",
    "Fresh",
    "Inject",
    "Judge",
    "Objective",
    "Pairs",
    "Recipe",
    "Reward",
    "Rounds",
    "Sample",
    "Select",
    "Settings",
    "Training",
]


class Recipe(Settings):
    """A whole recipe.

    Args:
        model: A Transformers causal language model (folder or hub name), or `world` for the world's own tiny policy.
        data: See `Data`; a plain string or list names files.
        seed: Everything random derives from it.
        max_tokens: Longest answer in tokens, sampled or trained on.
    """

    model: str
    data: Data
    seed: Annotated[int, Field(ge=0)] = 0
    max_tokens: Count = 512
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    threads: Annotated[int, Field(ge=0)] = 0
    sample: Sample | None = None
    judge: Judge | None = None
    inject: Inject | None = None
    pairs: Pairs = Pairs()
    doctor: Doctor | None = None
    reward: Reward | None = None
    align: dict[str, Objective] = {}
    rounds: dict[str, Rounds] = {}
    select: Select | None = None
    evaluate: Evaluate | None = None

    @field_validator("data", mode="before")
    @classmethod
    def _files_alone(cls, value: Any) -> Any:
        return {"files": value} if isinstance(value, str | list) else value

    @model_validator(mode="after")
    def _order(self) -> Recipe:
        if self.model == "world" and self.data.world is None:
            raise ValueError("model: world needs data: {world: …}")
        if self.sample is not None and self.judge is None:
            raise ValueError("sample needs judge: nobody has said anything about new answers yet")
        if self.inject is not None and self.data.world is None:
            raise ValueError("inject needs a world whose errors it knows")
        if self.select is not None and self.reward is None:
            raise ValueError("select needs reward: best-of-N chooses by a reward model")
        if self.judge is not None and self.judge.scorer == "reward":
            raise ValueError("judge: reward comes after the reward model was trained: only rounds may ask for it")
        if both := sorted(set(self.align) & set(self.rounds)):
            raise ValueError(f"align and rounds both name {both[0]!r}")
        for name, own in self.rounds.items():
            if own.judge is not None and own.judge.scorer == "reward" and self.reward is None:
                raise ValueError(f"rounds.{name}: judge: reward needs a reward step")
            if own.sample is not None and own.judge is None and self.judge is None and self.data.world is None:
                raise ValueError(f"rounds.{name}: sample needs judge: nobody has said anything about new answers yet")
        return self

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of everything that is trained from the model, in order."""
        return (*self.align, *self.rounds)
