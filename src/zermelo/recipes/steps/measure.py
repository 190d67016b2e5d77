"""The `measure` step of a comparison: one policy on the held-out prompts, every figure by prompt."""

from __future__ import annotations

from typing import Any

import numpy as np

from zermelo.recipes.run import Context
from zermelo.recipes.steps.evaluate import START, answered
from zermelo.recipes.steps.tools import load_policy
from zermelo.recipes.steps.training import model_folder

__all__ = ["measure"]


def measure(context: Context) -> dict[str, Any]:
    """The policy that this run trained, or the start where it trained none.

    `scores` and `lengths` are means over the samples of each prompt, in the order of the held-out prompts.
    """
    recipe = context.recipe
    start = load_policy(recipe)
    name = next(iter(recipe.policies), START)
    policy = start if name == START else load_policy(recipe, model_folder(context, name))
    found = answered(context, name, policy, start)
    cut = [response.finish == "cut" for group in found.groups for response in group.responses]
    return {
        "scores": None if found.scores is None else _by_prompt(found.scores),
        "lengths": _by_prompt(found.lengths),
        "cut": sum(cut) / max(len(cut), 1),
        "kl": None if found.kl is None else found.kl["k1"],
    }


def _by_prompt(table: Any) -> list[float]:
    return [float(value) for value in np.nanmean(table, axis=1)]
