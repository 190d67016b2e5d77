"""The `rounds` step: sample → judge → pairs → align, repeated; each round from the policy of the one before.

A round is a small run of its own, in `rounds/NAME/round-0/`, made of the very steps of a recipe; a round that is done
is found again by its content, an interrupted one goes on where its own steps stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zermelo.objectives.config import from_config
from zermelo.recipes.run import Before, Context, do_steps
from zermelo.recipes.schema import Judge, Objective, Recipe, Rounds
from zermelo.recipes.steps.tools import seed_of, start_model

__all__ = ["one_round", "round_recipe", "rounds"]


def rounds(context: Context) -> dict[str, Any]:
    """Every entry of `rounds`, each from the recipe's model."""
    found = {}
    for name, settings in context.recipe.rounds.items():
        told: list[dict[str, Any]] = []
        model = start_model(context.recipe)
        for number in range(settings.n):
            told.append(one_round(context, name, settings, number, model))
            model = str(context.out / name / f"round-{number}" / "align" / name / "model")
        trained = [one["align"][name] for one in told]
        found[name] = trained[-1] | {
            "steps": sum(own["steps"] for own in trained),
            "rounds": [{step: own for step, own in one.items() if step != "align"} for one in told],
            "series": joined([own["series"] for own in trained], [own["steps"] for own in trained]),
            "alarms": [alarm for own in trained for alarm in own["alarms"]],
            "checks": [line for own in trained for line in own["checks"]],
        }
    return found


def one_round(context: Context, name: str, settings: Rounds, number: int, model: str) -> dict[str, Any]:
    """One round from a model: its steps in a folder of their own; returns the figures of each.

    Args:
        context: Of the `rounds` step.
        name: Of the entry.
        settings: Its settings.
        number: From 0.
        model: The policy of the round before, or the recipe's model.
    """
    recipe = round_recipe(context.recipe, name, settings, number, model)
    before = () if settings.sample is None else ("sample", "judge")
    order = (*before, "pairs", *(("doctor",) if recipe.doctor is not None else ()), "align")
    # what the round makes itself is not taken from the steps before; `inject` made its groups from their answers
    hidden = ("doctor",) if settings.sample is None else ("sample", "judge", "inject", "doctor")
    done = {step: own for step, own in context.done.items() if step not in hidden}
    places = {step: context.places.get(step, context.root) for step in done}
    out = context.out / name / f"round-{number}"
    context.say(f"{name}: round {number + 1} of {settings.n}")
    known = do_steps(
        recipe,
        out,
        [(step, getattr(recipe, step)) for step in order],
        # paths are no content: equal rounds in another folder have equal keys
        before=Before(done, places, context.key).under(name, number, recipe.seed),
        cache=context.cache or context.root,
        bar=context.bar,
        say=context.say,
    )
    return {step: known.done[step].figures for step in order}


def round_recipe(recipe: Recipe, name: str, settings: Rounds, number: int, model: str) -> Recipe:
    """The recipe of one round, as its steps see it."""
    needs = from_config(settings.objective).needs
    against = settings.against or ("first" if "prev" in needs.policies else "previous")
    shared = {field: getattr(settings, field) for field in Objective.model_fields if field != "reference"}
    sample = settings.sample
    if sample is not None and settings.prompts == "parts":
        sample = sample.model_copy(update={"part": (number, settings.n)})
    pairs = settings.pairs
    if settings.curriculum is not None:
        pairs = pairs.model_copy(update={"how": settings.curriculum, "stage": number})
    return recipe.model_copy(
        update={
            "model": model,
            "seed": seed_of(recipe.seed, f"{name}, round {number}"),
            "sample": sample if sample is not None else recipe.sample,
            "judge": settings.judge or recipe.judge or (None if sample is None else Judge()),
            "inject": None,
            "pairs": pairs,
            "align": {name: Objective(**shared, reference=start_model(recipe) if against == "first" else None)},
            "rounds": {},
        }
    )


def joined(series: Sequence[dict[str, list[list[float]]]], steps: Sequence[int]) -> dict[str, list[list[float]]]:
    """The figures of all rounds one after the other, by the number of the step over all of them."""
    found: dict[str, list[list[float]]] = {}
    for number, own in enumerate(series):
        before = sum(steps[:number])
        for figure, points in own.items():
            found.setdefault(figure, []).extend([step + before, value] for step, value in points)
    return found
