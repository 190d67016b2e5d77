"""The settings of each step of a recipe that trains nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "Count",
    "Data",
    "Doctor",
    "Evaluate",
    "Inject",
    "Judge",
    "Pairs",
    "Positive",
    "Sample",
    "Select",
    "Settings",
    "Share",
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


class Doctor(Settings):
    """Examine the pairs before anything is trained on them, and mend them.

    Args:
        only: Audits or families; all that apply by default.
        apply: Remedies, in order: `[drop-duplicates, "relabel-suspects:soft"]`.
        fail_on: Stop the run (exit code 5) where a finding is that bad after mending.
        encoder: Text features of the probes: `tfidf` or `minilm`.
    """

    only: list[str] = []
    apply: list[str] = []
    fail_on: Literal["high", "medium", "low"] | None = None
    encoder: str = "tfidf"


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
