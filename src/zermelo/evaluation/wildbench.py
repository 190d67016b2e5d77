"""WildBench: five-class pairwise reward with the length-margin rule, and graded scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError

__all__ = ["MACRO_WEIGHTS", "ClassCounts", "five_classes", "macro_score", "wb_mix", "wb_reward", "wb_score"]

Floats = NDArray[np.float64]
# of the published board, recovered exactly from its figures
MACRO_WEIGHTS = {
    "Coding & Debugging": 5.0,
    "Creative Tasks": 2.0,
    "Information/Advice seeking": 3.0,
    "Math & Data Analysis": 4.0,
    "Planning & Reasoning": 5.0,
}


@dataclass(frozen=True)
class ClassCounts:
    """Verdicts on a model against a reference, in five classes; `total` counts every item, judged or lost."""

    win_much: int
    win: int
    tie: int
    lose: int
    lose_much: int
    total: int

    @property
    def reward(self) -> float:
        """(win_much + ½ win − ½ lose − lose_much)/total, in [−1, 1]; lost verdicts count as ties.

        Source: "WildBench: Benchmarking LLMs with Challenging Tasks from Real Users in the Wild", 2024, 2406.04770.
        """
        if self.total <= 0:
            raise DataError("no-battles", "no item: a reward needs at least one")
        return (self.win_much + 0.5 * self.win - 0.5 * self.lose - self.lose_much) / self.total

    def swapped(self) -> ClassCounts:
        """The same verdicts seen from the reference."""
        return ClassCounts(self.lose_much, self.lose, self.tie, self.win, self.win_much, self.total)


def five_classes(
    strength: NDArray[np.generic],
    length: NDArray[np.generic],
    length_reference: NDArray[np.generic],
    *,
    margin: int = 500,
) -> ClassCounts:
    """Count verdicts after the length-margin rule: a *slight* win by an answer longer by more than `margin` is a tie.

    Args:
        strength: +2 much better, +1 better, 0 tie, −1 worse, −2 much worse, NaN = verdict lost. [items]
        length: Characters of the model's answer. [items]
        length_reference: Characters of the reference's answer. [items]
        margin: Characters; negative = no rule.
    Raises:
        DataError: a strength is none of these.
    Source: "WildBench: Benchmarking LLMs with Challenging Tasks from Real Users in the Wild", 2024, arXiv 2406.04770.
    """
    s = np.asarray(strength, dtype=np.float64)
    known = ~np.isnan(s)
    if not np.isin(s[known], (-2, -1, 0, 1, 2)).all():
        raise DataError("bad-judgement", "a strength is −2, −1, 0, 1, 2 or NaN")
    longer = np.asarray(length, dtype=np.float64) - np.asarray(length_reference, dtype=np.float64)
    if margin >= 0:
        s = np.where((s == 1) & (longer > margin) | (s == -1) & (-longer > margin), 0.0, s)
    number = {value: int((s == value).sum()) for value in (2, 1, 0, -1, -2)}
    return ClassCounts(number[2], number[1], number[0], number[-1], number[-2], len(s))


def wb_reward(
    strength: NDArray[np.generic],
    length: NDArray[np.generic],
    length_reference: NDArray[np.generic],
    *,
    margin: int = 500,
) -> float:
    """WB-Reward against one reference, in [−1, 1]: `five_classes(...).reward`.

    Source: "WildBench: Benchmarking LLMs with Challenging Tasks from Real Users in the Wild", 2024, arXiv 2406.04770.
    """
    return five_classes(strength, length, length_reference, margin=margin).reward


def wb_mix(rewards: Mapping[str, float], *, model: str | None = None) -> float:
    """Mean reward over the references; a model that is itself a reference gets 0 there."""
    if not rewards:
        raise SettingError("bad-setting", "wb_mix needs the reward against at least one reference")
    return float(np.mean([0.0 if name == model else value for name, value in rewards.items()]))


def wb_score(grades: Sequence[float] | Floats) -> float:
    """WB-Score: mean of 2 (S − 5) over grades S in 1…10, so −8…10.

    Raises:
        DataError: a grade outside 1…10, or none.
    Source: "WildBench: Benchmarking LLMs with Challenging Tasks from Real Users in the Wild", 2024, arXiv 2406.04770.
    """
    s = np.asarray(grades, dtype=np.float64)
    if not len(s) or not ((s >= 1) & (s <= 10)).all():
        raise DataError("off-scale", "WB-Score takes grades from 1 to 10, at least one")
    return float(2 * (s.mean() - 5))


def macro_score(by_category: Mapping[str, float]) -> float:
    """Weighted mean over the five task groups (coding and planning 5, maths 4, information 3, creative 2, of 19)."""
    missing = sorted(set(MACRO_WEIGHTS) - set(by_category))
    if missing:
        raise DataError("missing-field", f"no figure for {', '.join(missing)}")
    return sum(weight * by_category[name] for name, weight in MACRO_WEIGHTS.items()) / sum(MACRO_WEIGHTS.values())
