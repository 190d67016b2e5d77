"""The settings of a recipe, as pydantic models: what a YAML file may say, and nothing else.

A recipe names a model, where its prompts or pairs come from, and steps. Steps run in the order of `Recipe`'s fields;
a step that is not named is not run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "Data",
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
]

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """Frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Data(Settings):
    """Where prompts (and what was said about answers) come from.

    Args:
        files: Files of any supported format; their judgements are used where no `sample` step makes new ones.
        world: An embedded world instead: `arithmetic` or `style`.
        prompts: Prompts drawn from a world for training.
        test_prompts: Prompts kept for evaluation (drawn from a world).
        test_share: Share of the groups of `files` kept for evaluation; a prompt is never on both sides.
        test: Files of held-out groups instead; what they share with `files` is left out there.
        format: Name of the format, where detection is not wanted.
        columns: Own column names, `{prompt: question, chosen: good, rejected: bad}`.
        skip_bad: Set bad rows aside instead of stopping.
    """

    files: list[str] = []
    world: Literal["arithmetic", "style"] | None = None
    prompts: Count = 2500
    test_prompts: Count = 600
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: list[str] = []
    format: str | None = None
    columns: dict[str, str] | None = None
    skip_bad: bool = False

    @field_validator("files", "test", mode="before")
    @classmethod
    def _one_file_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Data:
        if bool(self.files) == (self.world is not None):
            raise ValueError("name either files or a world")
        if self.test and not self.files:
            raise ValueError("test names files beside files; a world has its own held-out prompts")
        return self


class Sample(Settings):
    """Sample `n` answers for each training prompt from the model.

    Args:
        part: `[i, of]`: only the i-th (from 0) of so many parts of the prompts; parts share none.
    """

    n: Count = 8
    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Count = 256
    batch: Count = 256
    part: tuple[int, int] | None = None

    @field_validator("part")
    @classmethod
    def _inside(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 0 <= value[0] < value[1]:
            raise ValueError("part is [i, of] with 0 ≤ i < of")
        return value


class Judge(Settings):
    """Judge answers: `world` (the world's own verifier), a verifier's name, a reward model's folder, or `reward`.

    Args:
        scorer: Name or folder; `reward` is the reward model that this recipe trains.
        settings: Settings of a named scorer.
        wins: Ratings become win rates against the other answers to the prompt, in [0, 1]: `hard` counts who is ahead
            (a tie ½), `soft` takes σ of the difference. What games of preferences (DNO, soft SPPO) read as scores.
    """

    scorer: str = "world"
    settings: dict[str, Any] = {}
    wins: Literal["hard", "soft"] | None = None


class Inject(Settings):
    """Inject subtle errors into correct answers; each gives a pair that differs in one place (RISE).

    Args:
        share: Chance that a right answer gets a corrupted twin.
    """

    share: Share = 0.05


class Pairs(Settings):
    """Comparisons from what was judged: a right answer against a wrong one, a higher rating against a lower.

    Args:
        per_prompt: At most so many pairs for a prompt, drawn by seed.
        margin: Least difference of ratings.
        how: `random` draws among all pairs that differ; `best_worst` takes the best answer against the worst;
            `rejection` accepts answers by statistical rejection (RSO) and plays them off in disjoint pairs;
            `easy_first` and `hard_first` give one stage of the best answer against the others (Curry-DPO).
        stage: Of the two last: which stage, from 0.
        keep: Of `rejection`: answers accepted a prompt.
        beta: Of `rejection`: temperature, in the unit of the ratings.
        limit: At most so many groups, drawn by seed; a smaller limit gives a subset of a larger one's.
        flip: Share of the pairs whose sides are exchanged: known noise, for studies.
    """

    per_prompt: Count = 2
    margin: Annotated[float, Field(ge=0)] = 0.0
    how: Literal["random", "best_worst", "rejection", "easy_first", "hard_first"] = "random"
    stage: Annotated[int, Field(ge=0)] = 0
    keep: Annotated[int, Field(ge=2)] = 4
    beta: Positive = 0.5
    limit: Count | None = None
    flip: Share = 0.0


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


class Select(Settings):
    """Best-of-N at test time: `n` samples from the start policy for each of `prompts` held-out prompts."""

    n: Annotated[int, Field(ge=2)] = 16
    prompts: Count = 300


class Evaluate(Settings):
    """Sample once from every policy on the held-out prompts and compare with the start.

    Args:
        temperature: Sampling temperature.
        samples: Answers a prompt and policy.
        shown: Prompts whose answers are shown side by side in the report.
    """

    temperature: Annotated[float, Field(ge=0)] = 1.0
    samples: Count = 1
    shown: Count = 10


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
