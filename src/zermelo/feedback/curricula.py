"""The order in which pairs are learnt: easy ones first, in stages (Curry-DPO)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement

__all__ = ["Curriculum", "RatedPair", "mean_ratings", "pair_curriculum", "stage_groups"]

Order: TypeAlias = Literal["easy_first", "hard_first", "pooled", "best_worst"]


@dataclass(frozen=True, slots=True)
class RatedPair:
    """One pair of a group: `win` is its best response.

    Args:
        group: Position of the group in the input.
        win: Index of the best response.
        lose: Index of the other.
        gap: Difference of their difficulty scores; a large gap is easy.
    """

    group: int
    win: int
    lose: int
    gap: float


@dataclass(frozen=True)
class Curriculum:
    """Stages of pairs, in the order of training.

    Args:
        stages: The pairs of each stage.
        ties: Pairs left out because both responses had the same rating.
    """

    stages: tuple[tuple[RatedPair, ...], ...]
    ties: int


def mean_ratings(group: Group, *, criterion: str | None = None) -> list[float | None]:
    """Mean rating of each response, None where it has none. `criterion`: only ratings of that one."""
    found: list[list[float]] = [[] for _ in group.responses]
    for judgement in group.judgements:
        rated = judgement.kind == "rating" and judgement.value is not None
        if rated and (criterion is None or judgement.criterion == criterion):
            found[judgement.on[0]].append(float(judgement.value))  # type: ignore[arg-type]
    return [sum(values) / len(values) if values else None for values in found]


def pair_curriculum(
    ratings: Iterable[Sequence[float | None]],
    *,
    order: Order = "easy_first",
    gaps: Iterable[Sequence[float]] | None = None,
    seed: int | None = 0,
) -> Curriculum:
    """Pairs of every group's best response with each other one, cut into stages by difficulty.

    A group with K rated responses gives K − 1 pairs; its s-th easiest goes to stage s, so that a stage holds about one
    pair of every prompt. Each stage is trained from the model of the one before, which is also its reference
    (`recipes` does that); the same stages with the first reference are the fixed variant.

    Args:
        ratings: Ratings of each group's responses, None = unrated.
        order: `easy_first` (large gap first), `hard_first` (the anti-curriculum), `pooled` (one stage of all pairs),
            `best_worst` (one stage, the easiest pair of each group).
        gaps: Another measure of difficulty per response (log-probabilities under the reference, similarity to the
            best one, …): the gap is its difference; default: the ratings.
        seed: Shuffles within a stage; None = by falling gap.
    Raises:
        SettingError: order is none of its choices.
    Source: "Curry-DPO: Enhancing Alignment using Curriculum Learning & Ranked Preferences", 2024, arXiv 2403.07230.
    """
    if order not in ("easy_first", "hard_first", "pooled", "best_worst"):
        raise SettingError("bad-setting", f"order must be easy_first, hard_first, pooled or best_worst. Got {order!r}")
    rows = [list(row) for row in ratings]
    measures: list[Sequence[float | None]] = rows if gaps is None else [list(row) for row in gaps]  # type: ignore[assignment]
    stages: list[list[RatedPair]] = []
    ties = 0
    for number, row in enumerate(rows):
        rated = [(value, index) for index, value in enumerate(row) if value is not None]
        if len(rated) < 2:
            continue
        top, win = max(rated, key=lambda item: (item[0], -item[1]))
        pairs = []
        for value, lose in rated:
            if lose == win:
                continue
            if value == top:
                ties += 1
                continue
            gap = float(measures[number][win] or 0.0) - float(measures[number][lose] or 0.0)
            pairs.append(RatedPair(number, win, lose, gap))
        pairs.sort(key=lambda pair: (-pair.gap, pair.lose))
        if order == "hard_first":
            pairs.reverse()
        elif order == "best_worst":
            pairs = pairs[:1]
        for place, pair in enumerate(pairs):
            at = 0 if order == "pooled" else place
            while len(stages) <= at:
                stages.append([])
            stages[at].append(pair)
    for number, stage in enumerate(stages):
        stage.sort(key=lambda pair: (-pair.gap, pair.group, pair.lose))
        if seed is not None:
            random.Random(f"{seed}:{number}").shuffle(stage)
    return Curriculum(tuple(tuple(stage) for stage in stages), ties)


def stage_groups(groups: Sequence[Group], stage: Iterable[RatedPair]) -> list[Group]:
    """The groups of one stage, in its order: each keeps all responses and gets the pair as its only comparison."""
    found = []
    for pair in stage:
        group = groups[pair.group]
        stated = Judgement("comparison", on=(pair.win, pair.lose), value=1.0, by="curriculum", strength=pair.gap)
        others = tuple(judgement for judgement in group.judgements if judgement.kind != "comparison")
        found.append(replace(group, id=f"{group.id}:{pair.win}>{pair.lose}", judgements=(*others, stated)))
    return found
