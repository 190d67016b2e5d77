"""Preference data conditioned on a goal: every pair twice, once for each side's own score (reward augmentation)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from zermelo.errors import SettingError, one_of
from zermelo.feedback.curricula import mean_ratings
from zermelo.feedback.preferences import preferences
from zermelo.feedback.records import Group, Judgement, Message, Prompt

__all__ = ["Goal", "Relabelled", "RewardAugment", "goal_prompt"]

Goal: TypeAlias = float | Mapping[str, float]


@dataclass(frozen=True)
class Relabelled:
    """What relabelling gave.

    Args:
        groups: Two groups for each usable pair.
        ties: Pairs left out because both sides have the same score.
        inverted: Pairs left out because the chosen side has the lower score.
        unscored: Pairs left out because a side has no score.
    """

    groups: tuple[Group, ...]
    ties: int
    inverted: int
    unscored: int


def goal_prompt(
    prompt: Prompt, goal: Goal, *, low: float = 1, high: float = 10, mode: Literal["system", "user"] = "system"
) -> tuple[Message, ...]:
    """The prompt with the quality that the answer should reach; at test time ask for `high`.

    Args:
        prompt: Text or messages.
        goal: A number on the scale, or one for each attribute.
        low: Lowest score.
        high: Highest score.
        mode: A system message (before the words of one that is there), or, for models without a system role, before
            the first user turn.
    """
    lines = (
        [f"Target {name}: {_number(value)}" for name, value in goal.items()]
        if isinstance(goal, Mapping)
        else [f"Target overall score: {_number(goal)}"]
    )
    text = (
        f"Write an answer whose quality meets this target, on a scale from {_number(low)} to {_number(high)}, "
        "without mentioning it.\n" + "\n".join(lines)
    )
    turns = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
    place = next((i for i, turn in enumerate(turns) if turn.role == mode), None)
    if place is not None:
        turns[place] = replace(turns[place], content=f"{text}\n\n{turns[place].content}")
    elif mode == "system":
        turns.insert(0, Message("system", text))
    else:
        raise SettingError("bad-setting", "mode='user' needs a prompt with a user turn")
    return tuple(turns)


@dataclass(frozen=True)
class RewardAugment:
    """Relabel scored pairs so that the policy is conditioned on the quality asked for.

    A pair with scores s_c > s_r becomes two: told to reach s_c, the chosen side is preferred; told to reach s_r, the
    rejected one. Good rejected answers are no longer unlearnt. A policy that ignores the goal gains nothing: the two
    losses softplus(−βh) + softplus(βh) are least at h = 0. Works with every pairwise objective; the authors used DPO
    with β = 0.01. Goals outside the seen range are extrapolation.

    Args:
        criteria: Attributes that become the goal, one line each; empty = the mean of all ratings.
        low: Lowest score.
        high: Highest score, the goal at test time.
        mode: See `goal_prompt`.
    Raises:
        SettingError: mode is none of its choices.
    Source: "Reward-Augmented Data Enhances Direct Preference Alignment of LLMs", 2024, arXiv 2410.08067.
    """

    criteria: tuple[str, ...] = ()
    low: float = 1
    high: float = 10
    mode: Literal["system", "user"] = "system"

    def __post_init__(self) -> None:
        one_of(self, "mode", ("system", "user"))

    def relabel(self, groups: Iterable[Group]) -> Relabelled:
        """Two groups of two responses for each stated pair whose scores agree with it; ids get `:goal` and the side."""
        made: list[Group] = []
        ties = inverted = unscored = 0
        for group in groups:
            overall = self._overall(group)
            for number, pair in enumerate(preferences(group)):
                win, lose = overall[pair.win], overall[pair.lose]
                if pair.tie or (win is not None and win == lose):
                    ties += 1
                elif win is None or lose is None or group.prompt is None:
                    unscored += 1
                elif win < lose:
                    inverted += 1
                else:
                    made += [self._told(group, number, told, other) for told, other in _both_ways(pair.win, pair.lose)]
        return Relabelled(tuple(made), ties, inverted, unscored)

    def _overall(self, group: Group) -> list[float | None]:
        if not self.criteria:
            return mean_ratings(group)
        tables = [mean_ratings(group, criterion=name) for name in self.criteria]
        rows: list[float | None] = []
        for row in zip(*tables, strict=True):
            known = [value for value in row if value is not None]
            rows.append(sum(known) / len(known) if len(known) == len(row) else None)
        return rows

    def _told(self, group: Group, number: int, told: int, other: int) -> Group:
        """The group in which the response `told` is preferred, because its own score was asked for."""
        goal: Goal
        if self.criteria:
            tables = {name: mean_ratings(group, criterion=name)[told] for name in self.criteria}
            goal = {name: value for name, value in tables.items() if value is not None}
        else:
            goal = mean_ratings(group)[told] or 0.0
        assert group.prompt is not None
        prompt = goal_prompt(group.prompt, goal, low=self.low, high=self.high, mode=self.mode)
        two = group.keep_responses([told, other])
        others = tuple(judgement for judgement in two.judgements if judgement.kind not in ("comparison", "ranking"))
        stated = Judgement("comparison", on=(0, 1), value=1.0, by="reward_augment")
        return replace(
            two,
            id=f"{group.id}:{number}:goal{told}",
            prompt=prompt,
            judgements=(*others, stated),
            meta={**group.meta, "goal": dict(goal) if isinstance(goal, Mapping) else goal},
        )


def _both_ways(win: int, lose: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (win, lose), (lose, win)


def _number(value: float) -> str:
    return f"{value:g}"
