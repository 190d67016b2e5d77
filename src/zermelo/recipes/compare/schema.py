"""What a comparison's YAML may say: a recipe without `align`, the methods, their grids, variants of the data, seeds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from zermelo.recipes.schema import Count, Evaluate, Objective, Recipe, Rounds, Settings

__all__ = ["Comparison", "Method", "Variant"]


class Method(Objective):
    """One row of the comparison: an alignment, and the settings that are tried.

    Args:
        grid: Setting → values; every combination is run. `beta` is the objective's, `lr` the training's; in a sum or a
            wrapper the way is spelt out (`simpo.beta`, `lcpo.base.dpo.beta`).
        rounds: Instead of one alignment, rounds; what stands here besides is their objective and training.
    """

    grid: dict[str, list[Any]] = {}
    rounds: dict[str, Any] | None = None

    @field_validator("grid")
    @classmethod
    def _values(cls, value: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for name, values in value.items():
            if not values:
                raise ValueError(f"grid.{name} has no value")
        return value

    @model_validator(mode="after")
    def _rounds(self) -> Method:
        if self.rounds is not None:
            try:
                self.plain()
            except ValidationError as error:
                raise ValueError(f"rounds: {told(error)}") from None
        return self

    def plain(self) -> Objective | Rounds:
        """The alignment without its grid."""
        shared = {field: getattr(self, field) for field in Objective.model_fields}
        return Objective(**shared) if self.rounds is None else Rounds(**(shared | self.rounds))


class Variant(Settings):
    """Another side of the data: what differs from the recipe's own steps. `null` takes a step out.

    Args:
        model: Another start.
        data: Changes of `data`.
        sample: Changes of `sample`.
        judge: Changes of `judge`.
        inject: Changes of `inject`.
        pairs: Changes of `pairs`.
        reward: Changes of `reward`.
    """

    model: str | None = None
    data: dict[str, Any] | None = {}
    sample: dict[str, Any] | None = {}
    judge: dict[str, Any] | None = {}
    inject: dict[str, Any] | None = {}
    pairs: dict[str, Any] | None = {}
    reward: dict[str, Any] | None = {}


class Comparison(Recipe):
    """A recipe whose alignments are compared.

    Args:
        methods: What is compared, by name.
        variants: Name → another side of the data; every method is run on each.
        seeds: Of the alignments and of the answers to the held-out prompts; data, samples and pairs are shared.
        baseline: The method that every other one is compared with; None = every pair of methods.
        level: Coverage of all intervals.
        jobs: Processes; changes no figure.
    """

    methods: dict[str, Method]
    variants: dict[str, Variant] = {"data": Variant()}
    seeds: list[int] = [0, 1, 2]
    baseline: str | None = None
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    jobs: Count = 1
    evaluate: Evaluate | None = Evaluate()

    @model_validator(mode="after")
    def _grid(self) -> Comparison:
        if not self.methods:
            raise ValueError("methods: name at least one")
        if self.align or self.rounds or self.select:
            raise ValueError("a comparison has methods in place of align, rounds and select")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("seeds: different whole numbers, none below 0")
        if self.baseline is not None and self.baseline not in self.methods:
            raise ValueError(f"baseline: {self.baseline!r} is none of the methods")
        if self.evaluate is None:
            raise ValueError("a comparison needs evaluate")
        if "start" in self.methods:
            raise ValueError("methods: `start` is the name of the policy that all start from")
        for name in self.variants:
            self.base(name)
        return self

    def base(self, variant: str) -> Recipe:
        """The recipe of a variant's shared steps."""
        changes = self.variants[variant]
        plain = {field: getattr(self, field) for field in Recipe.model_fields}
        for step in ("data", "sample", "judge", "inject", "pairs", "reward"):
            change = getattr(changes, step)
            if change is None:
                plain[step] = None
            elif change:
                known = getattr(self, step)
                plain[step] = ({} if known is None else known.model_dump(exclude_unset=True)) | change
        if changes.model is not None:
            plain["model"] = changes.model
        try:
            return Recipe(**(plain | {"align": {}, "evaluate": None}))
        except ValidationError as error:
            raise ValueError(f"variants.{variant}: {told(error)}") from None


def told(error: ValidationError) -> str:
    """The first problem of settings within settings, in one line."""
    from zermelo.recipes.load import advice

    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{where}: no such setting; {advice(tuple(first['loc']), Recipe)}"
    return (f"{where}: " if where else "") + first["msg"].removeprefix("Value error, ")
