"""The steps that make what training reads: sample, judge, inject, pairs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zermelo.feedback.curricula import pair_curriculum, stage_groups
from zermelo.feedback.preferences import preferences
from zermelo.feedback.records import Group, Judgement
from zermelo.recipes.run import Context
from zermelo.recipes.schema import Pairs
from zermelo.recipes.steps.tools import judge_of, load_groups, load_policy, save_groups, seed_of
from zermelo.recipes.steps.tools import sample as draw
from zermelo.worlds.protocol import world

__all__ = ["best_and_worst", "flip", "inject", "judge", "pairs", "sample", "values_of", "win_rates"]


def sample(context: Context) -> dict[str, Any]:
    """`n` answers to each training prompt."""
    settings = context.recipe.sample
    assert settings is not None
    prompts = load_groups(context.file("data", "train.parquet"))
    if settings.part is not None:
        first, of = settings.part
        prompts = prompts[first::of]
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
    settings, scorer = context.recipe.judge, judge_of(context.recipe, context)
    assert scorer is not None
    source = "sample" if "sample" in context.done else "data"
    groups = load_groups(context.file(source, "groups.parquet" if source == "sample" else "train.parquet"))
    said = scorer.score(groups)
    if settings is not None and settings.wins is not None:
        said = [win_rates(group, own, soft=settings.wins == "soft") for group, own in zip(groups, said, strict=True)]
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


def staged(groups: Sequence[Group], settings: Pairs) -> list[Group]:
    """The groups of one stage of a curriculum: the best answer against one other, by how far they are apart."""
    values = [values_of(group.judgements) for group in groups]
    rows = [[own.get(i) for i in range(len(group.responses))] for own, group in zip(values, groups, strict=True)]
    order: Any = settings.how
    stages = pair_curriculum(rows, order=order, seed=None).stages
    # a stage's group has its pair as the only comparison, and no label or rating from which others could be made
    chosen = stage_groups(groups, stages[settings.stage]) if settings.stage < len(stages) else []
    return [replace(g, judgements=tuple(j for j in g.judgements if j.kind == "comparison")) for g in chosen]


def win_rates(group: Group, said: Sequence[Judgement], *, soft: bool) -> tuple[Judgement, ...]:
    """Labels as they are; in place of ratings the win rate of each answer against the others to the prompt.

    w_i = mean over j ≠ i of P(i ≻ j),  P = σ(s_i − s_j) (soft), or 1, ½, 0 (hard)
    """
    scores = values_of(said)
    kept = tuple(judgement for judgement in said if judgement.kind != "rating")
    made = []
    for i, own in scores.items():
        gaps = np.array([own - other for j, other in scores.items() if j != i])
        if len(gaps):
            won = 0.5 * (1 + np.tanh(gaps / 2)) if soft else 0.5 * (1 + np.sign(gaps))
            made.append(Judgement("rating", (i,), by="wins", value=float(won.mean()), low=0.0, high=1.0))
    return (*kept, *made)


def pairs(context: Context) -> dict[str, Any]:
    """Comparisons of right with wrong answers (or of higher with lower ratings), as the settings choose them."""
    recipe, settings = context.recipe, context.recipe.pairs
    source = (
        context.latest("groups.parquet", "judge", "inject") if recipe.judge else context.file("data", "train.parquet")
    )
    groups = load_groups(source)
    if settings.how in ("easy_first", "hard_first"):
        groups = staged(groups, settings)
    found, kinds = [], {"stated": 0, "from_labels": 0, "from_ratings": 0, "injected": 0}
    for group in groups:
        said = _comparisons(group, settings, seed_of(recipe.seed, f"pairs/{group.id}"))
        if said:
            kept = [j for j in group.judgements if j.kind != "comparison"]
            paired = replace(group, judgements=(*kept, *(j for j, _ in said)))
            found.append(
                (paired.keep_responses(sorted({i for j, _ in said for i in j.on})), [kind for _, kind in said])
            )
    if settings.limit is not None:
        # by a number of the group's own, so that a smaller limit is a subset of a larger one
        rank = sorted(range(len(found)), key=lambda at: seed_of(recipe.seed, f"limit/{found[at][0].id}"))
        found = [found[at] for at in sorted(rank[: settings.limit])]
    for kind in (kind for _, kinds_of in found for kind in kinds_of):
        kinds[kind] += 1
    made = [group for group, _ in found]
    flipped = 0
    if settings.flip:
        made = [flip(group, settings.flip, seed_of(recipe.seed, f"flip/{group.id}")) for group in made]
        before = (j.on for group, _ in found for j in group.judgements)
        flipped = sum(a != b.on for a, b in zip(before, (j for group in made for j in group.judgements), strict=True))
    save_groups(made, context.out / "groups.parquet")
    figures = {"groups": len(made), "pairs": sum(kinds.values()), "kinds": {k: v for k, v in kinds.items() if v}}
    return figures | ({"flipped": flipped} if settings.flip else {})


def flip(group: Group, share: float, seed: int) -> Group:
    """The group with the sides of some of its comparisons exchanged; more of them for a larger share, never others."""
    rng = np.random.default_rng(seed)
    return replace(
        group,
        judgements=tuple(
            replace(j, on=j.on[::-1]) if j.kind == "comparison" and rng.random() < share else j
            for j in group.judgements
        ),
    )


def values_of(said: Sequence[Judgement]) -> dict[int, float]:
    """Mean rating of each answer, or its label where none is rated."""
    for kind in ("rating", "label"):
        found: dict[int, list[float]] = {}
        for judgement in said:
            if judgement.kind == kind and len(judgement.on) == 1 and judgement.value is not None:
                found.setdefault(judgement.on[0], []).append(judgement.value)
        if found:
            return {i: float(np.mean(values)) for i, values in sorted(found.items())}
    return {}


def best_and_worst(group: Group) -> tuple[list[int], list[int]]:
    """Indices of answers labelled right and of answers labelled wrong."""
    value = {j.on[0]: j.value for j in group.judgements if j.kind == "label" and len(j.on) == 1}
    return [i for i, v in value.items() if v == 1], [i for i, v in value.items() if v == 0]


def _comparisons(group: Group, settings: Pairs, seed: int) -> list[tuple[Judgement, str]]:
    """Stated comparisons as they are; beside them pairs made from labels, or else from ratings and rankings."""
    stated = [(j, "injected" if j.by == "injection" else "stated") for j in group.judgements if j.kind == "comparison"]
    rng = np.random.default_rng(seed)
    options = _options(group, settings.margin, stated=bool(stated))
    if settings.how == "best_worst":
        values = values_of(group.judgements)
        options = sorted(options, key=lambda o: values.get(o[1], 0.0) - values.get(o[0], 0.0))[: settings.per_prompt]
    elif settings.how == "rejection":
        kind = options[0][2] if options else ""
        known = {option[:2] for option in options}
        options = [(i, j, kind) for i, j in _accepted(group, settings, rng) if (i, j) in known][: settings.per_prompt]
    else:
        drawn = rng.permutation(len(options))[: settings.per_prompt]
        options = [options[k] for k in drawn]
    made = [(Judgement("comparison", (i, j), by="pairs", value=1.0, outcome="first"), kind) for i, j, kind in options]
    return [*stated, *made]


def _options(group: Group, margin: float, *, stated: bool) -> list[tuple[int, int, str]]:
    """Every pair (better, worse, from what) that the judgements give."""
    right, wrong = best_and_worst(group)
    texts = [response.content for response in group.responses]
    if right or wrong:
        return [(i, j, "from_labels") for i, j in itertools.product(right, wrong) if texts[i] != texts[j]]
    if stated:
        return []
    rated = {j.on[0]: j.value for j in group.judgements if j.kind == "rating" and j.value is not None}
    return [
        (p.win, p.lose, "from_ratings")
        for p in preferences(group, derive="all")
        # equal texts may be rated apart by rounding
        if p.prob > 0.5
        and texts[p.win] != texts[p.lose]
        and abs((rated.get(p.win) or 0) - (rated.get(p.lose) or 0)) >= margin
    ]


def _accepted(group: Group, settings: Pairs, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Disjoint pairs (better, worse) among the answers that statistical rejection accepts."""
    from zermelo.synthesis.rejection import first_round, statistical_rejection

    values = values_of(group.judgements)
    if len(values) < 2:
        return []
    at = list(values)
    kept = statistical_rejection([values[i] for i in at], n=settings.keep, beta=settings.beta, rng=rng)
    return first_round([at[k] for k in kept], lambda a, b: float(values[a] >= values[b]), rng)
