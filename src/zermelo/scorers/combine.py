"""Several scorers as one: a weighted mean, or the least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, one_of
from zermelo.feedback.records import Group, Judgement
from zermelo.scorers.judging import ratings, values_of
from zermelo.scorers.protocol import Scorer

__all__ = ["Minimum", "WeightedMean"]


@dataclass(frozen=True)
class WeightedMean:
    """r = Σ_k w_k r_k / Σ_k |w_k|; a response that one of them did not judge gets no rating.

    Args:
        scorers: At least one; ratings and labels are read as numbers.
        weights: One each, negative where less is better; None = all 1.
        scale: `none`, or `z`: each scorer's values first get mean 0 and variance 1 over all responses handed over, so
            that scales do not decide.
        name: Stands as `by`.
    Source: "Fine-Grained Human Feedback Gives Better Rewards for Language Model Training", 2023, arXiv 2306.01693.
    """

    scorers: tuple[Scorer, ...]
    weights: tuple[float, ...] | None = None
    scale: Literal["none", "z"] = "none"
    name: str = "mean"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scorers", tuple(self.scorers))
        one_of(self, "scale", ("none", "z"))
        weights = (1.0,) * len(self.scorers) if self.weights is None else tuple(self.weights)
        if not self.scorers or len(weights) != len(self.scorers) or not sum(map(abs, weights)):
            raise SettingError(
                "bad-setting",
                f"WeightedMean: {len(self.scorers)} scorers need as many weights, not all 0. Got {weights}",
            )
        object.__setattr__(self, "weights", weights)

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """A rating for each response. See `Scorer`."""
        weights = np.array(self.weights)[:, None]
        values = _all_values(self.scorers, groups)
        if self.scale == "z":
            values = _standardised(values)
        mixed = (weights * values).sum(axis=0) / np.abs(weights).sum()
        return _cut(mixed, groups, self.name)


@dataclass(frozen=True)
class Minimum:
    """r = min_k r_k: as good as its worst side. A response that one of them did not judge gets no rating.

    Args:
        scorers: At least one.
        scale: `none` or `z`, see `WeightedMean`.
        name: Stands as `by`.
    Source: the worst-case ensemble of "Reward Model Ensembles Help Mitigate Overoptimization", 2023, arXiv 2310.02743.
    """

    scorers: tuple[Scorer, ...]
    scale: Literal["none", "z"] = "none"
    name: str = "minimum"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scorers", tuple(self.scorers))
        one_of(self, "scale", ("none", "z"))
        if not self.scorers:
            raise SettingError("bad-setting", "Minimum needs at least one scorer")

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """A rating for each response. See `Scorer`."""
        values = _all_values(self.scorers, groups)
        if self.scale == "z":
            values = _standardised(values)
        return _cut(values.min(axis=0), groups, self.name)  # NaN spreads


def _all_values(scorers: Sequence[Scorer], groups: Sequence[Group]) -> NDArray[np.float64]:
    """[S, N]: each scorer's value of each response of all groups, in order."""
    rows = []
    for scorer in scorers:
        said = scorer.score(groups)
        rows.append(np.concatenate([values_of(g, j) for g, j in zip(groups, said, strict=True)] or [np.zeros(0)]))
    return np.stack(rows)


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, values, 0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=1, keepdims=True) / count)
    return (values - mean) / np.where(spread > 0, spread, 1.0)


def _cut(values: NDArray[np.float64], groups: Sequence[Group], name: str) -> list[tuple[Judgement, ...]]:
    ends = np.cumsum([len(group.responses) for group in groups])
    return [ratings(part, name) for part in np.split(values, ends[:-1])] if groups else []
