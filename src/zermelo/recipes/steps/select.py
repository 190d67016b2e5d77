"""The `select` step: best-of-N on held-out prompts, chosen by the reward model, judged by the truth."""

from __future__ import annotations

from typing import Any

from zermelo.evaluation.overoptimisation import Overoptimisation
from zermelo.recipes.run import Context
from zermelo.recipes.steps.tools import judge_of, load_groups, load_policy, reward_model, sample, save_groups
from zermelo.search.groups import score_table

__all__ = ["select"]


def select(context: Context) -> dict[str, Any]:
    """Curves of proxy and true reward against n, with intervals over prompts."""
    settings, recipe = context.recipe.select, context.recipe
    assert settings is not None
    prompts = load_groups(context.file("data", "test.parquet"))[: settings.prompts]
    temperature = recipe.sample.temperature if recipe.sample else 1.0
    groups = sample(context, load_policy(recipe), prompts, n=settings.n, purpose="best of n", temperature=temperature)
    proxy = reward_model(context)
    scorers = [scorer for scorer in (proxy, judge_of(recipe)) if scorer is not None]
    for scorer in scorers:
        said = scorer.score(groups)
        groups = [group.with_judgements(own) for group, own in zip(groups, said, strict=True)]
    save_groups(groups, context.out / "groups.parquet")
    if len(scorers) < 2:
        return {"prompts": len(groups), "n": settings.n}
    table = score_table(groups, by=scorers[0].name)
    gold = score_table(groups, by=scorers[1].name)
    sizes = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < settings.n] + [settings.n]
    result = Overoptimisation(n=sizes, seed=recipe.seed).measure(table, gold)
    return {"prompts": len(groups), "n": settings.n, "curve": result.to_json()}
