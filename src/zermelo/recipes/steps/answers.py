"""The steps that make what training reads: sample, judge, inject, pairs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zermelo.feedback.preferences import preferences
from zermelo.feedback.records import Group, Judgement
from zermelo.recipes.run import Context
from zermelo.recipes.steps.tools import judge_of, load_groups, load_policy, save_groups, seed_of
from zermelo.recipes.steps.tools import sample as draw
from zermelo.worlds.protocol import world

__all__ = ["best_and_worst", "inject", "judge", "pairs", "sample"]


def sample(context: Context) -> dict[str, Any]:
    """`n` answers to each training prompt."""
    settings = context.recipe.sample
    assert settings is not None
    prompts = load_groups(context.file("data", "train.parquet"))
    groups = draw(
        context,
        load_policy(context.recipe),
        prompts,
        n=settings.n,
        purpose="sample",
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        batch=settings.batch,
    )
    save_groups(groups, context.out / "groups.parquet")
    lengths = [len(r.token_ids or ()) for group in groups for r in group.responses]
    return {
        "groups": len(groups),
        "responses": len(lengths),
        "mean_tokens": float(np.mean(lengths)),
        "cut": sum(r.finish == "cut" for group in groups for r in group.responses) / max(len(lengths), 1),
    }


def judge(context: Context) -> dict[str, Any]:
    """What the judge says of each sampled answer, appended to its group."""
    scorer = judge_of(context.recipe)
    assert scorer is not None
    source = "sample" if "sample" in context.done else "data"
    groups = load_groups(context.file(source, "groups.parquet" if source == "sample" else "train.parquet"))
    said = scorer.score(groups)
    judged = [group.with_judgements(own) for group, own in zip(groups, said, strict=True)]
    save_groups(judged, context.out / "groups.parquet")
    labels = [j.value for own in said for j in own if j.kind == "label" and len(j.on) == 1 and j.value is not None]
    mixed = sum(0 < len({j.value for j in own if j.kind == "label"}) > 1 for own in said)
    return {
        "judgements": sum(map(len, said)),
        "right": float(np.mean(labels)) if labels else None,
        "groups_with_both": mixed / max(len(groups), 1),
    }


def inject(context: Context) -> dict[str, Any]:
    """Subtle errors put into a share of the right answers: pairs that differ in one place."""
    from zermelo.synthesis.errors import inject_errors

    settings, recipe = context.recipe.inject, context.recipe
    assert settings is not None
    assert recipe.data.world is not None
    groups = load_groups(context.file("judge", "groups.parquet"))
    place: Any = world(recipe.data.world)
    merged = inject_errors(groups, place, seed=seed_of(recipe.seed, "inject"), share=settings.share)
    save_groups(merged, context.out / "groups.parquet")
    added = sum(len(after.responses) - len(before.responses) for after, before in zip(merged, groups, strict=True))
    return {"injected": added}


def pairs(context: Context) -> dict[str, Any]:
    """Comparisons of right with wrong answers (or of higher with lower ratings), at most `per_prompt` a prompt."""
    recipe = context.recipe
    source = (
        context.latest("groups.parquet", "judge", "inject") if recipe.judge else context.file("data", "train.parquet")
    )
    groups = load_groups(source)
    found, kinds = [], {"stated": 0, "from_labels": 0, "from_ratings": 0, "injected": 0}
    for group in groups:
        said = _comparisons(
            group, recipe.pairs.per_prompt, recipe.pairs.margin, seed_of(recipe.seed, f"pairs/{group.id}")
        )
        for _, kind in said:
            kinds[kind] += 1
        if said:
            kept = [j for j in group.judgements if j.kind != "comparison"]
            paired = replace(group, judgements=(*kept, *(j for j, _ in said)))
            found.append(paired.keep_responses(sorted({i for j, _ in said for i in j.on})))
    save_groups(found, context.out / "groups.parquet")
    return {"groups": len(found), "pairs": sum(kinds.values()), "kinds": {k: v for k, v in kinds.items() if v}}


def best_and_worst(group: Group) -> tuple[list[int], list[int]]:
    """Indices of answers labelled right and of answers labelled wrong."""
    value = {j.on[0]: j.value for j in group.judgements if j.kind == "label" and len(j.on) == 1}
    return [i for i, v in value.items() if v == 1], [i for i, v in value.items() if v == 0]


def _comparisons(group: Group, per_prompt: int, margin: float, seed: int) -> list[tuple[Judgement, str]]:
    """Stated comparisons as they are; beside them pairs drawn from labels, or else from ratings and rankings."""
    stated = [(j, "injected" if j.by == "injection" else "stated") for j in group.judgements if j.kind == "comparison"]
    right, wrong = best_and_worst(group)
    texts = [response.content for response in group.responses]
    options: Sequence[tuple[int, int, str]]
    if right or wrong:
        options = [(i, j, "from_labels") for i, j in itertools.product(right, wrong) if texts[i] != texts[j]]
    elif stated:
        options = []
    else:
        rated = {j.on[0]: j.value for j in group.judgements if j.kind == "rating" and j.value is not None}
        options = [
            (p.win, p.lose, "from_ratings")
            for p in preferences(group, derive="all")
            if p.prob > 0.5 and abs((rated.get(p.win) or 0) - (rated.get(p.lose) or 0)) >= margin
        ]
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(options))[:per_prompt]
    made = [
        (Judgement("comparison", options[k][:2], by="pairs", value=1.0, outcome="first"), options[k][2]) for k in drawn
    ]
    return [*stated, *made]
