"""Pointwise scores as telling as comparisons: criteria written for the query after looking at other answers (PC2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["PC2", "pairwise_accuracy", "read_criteria", "read_weighted_score"]

Floats = NDArray[np.float64]
LINE = re.compile(r"^\s*\d+[.)]\s*(.+?)\s*\|\s*(\d+)\s*%?\s*$", re.MULTILINE)
SCORE = re.compile(r"weighted score\D*?(-?\d+(?:\.\d+)?)", re.IGNORECASE)


@dataclass(frozen=True)
class PC2:
    """Criteria for one query, with whole weights that sum to 100; they grade any number of answers, one call each.

        score = min(300, Σ_c w_c s_c),    s_c ∈ {1, 2, 3}: worse than, like, better than the baseline answer

    A judge sees a few auxiliary answers side by side once ("pre-comparison"), writes down what tells them apart, and
    grades each tested answer against the first of them. Equal to the baseline everywhere gives 200.

    Args:
        criteria: Texts. [C]
        weights: Positive, summing to 100. [C]
    Raises:
        DataError: as many weights are not there, one is not positive, or they do not sum to 100.
    Source: "From Rankings to Insights: Evaluation Should Shift Focus from Leaderboard to Feedback", 2025,
        arXiv 2505.06698.
    """

    criteria: tuple[str, ...]
    weights: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.criteria) != len(self.weights) or not self.criteria:
            raise DataError("bad-shape", f"{len(self.criteria)} criteria and {len(self.weights)} weights")
        if min(self.weights) <= 0 or sum(self.weights) != 100:
            raise DataError("bad-weight", f"weights must be positive and sum to 100. Got {list(self.weights)}")

    def score(self, grades: ArrayLike) -> Floats:
        """Scores of answers in [100, 300]; NaN where a grade is missing.

        Args:
            grades: s, 1 … 3, NaN = unparsed. [N, C]
        Raises:
            DataError: other shapes, or a grade outside 1 … 3.
        """
        s = np.asarray(grades, dtype=np.float64)
        if s.ndim != 2 or s.shape[1] != len(self.weights):
            raise DataError("bad-shape", f"grades must be [N, {len(self.weights)}], one a criterion. Got {s.shape}")
        if not (np.isnan(s) | ((s >= 1) & (s <= 3))).all():
            raise DataError("off-scale", "a grade is 1 (worse than the baseline answer), 2 (like it) or 3 (better)")
        return np.minimum(s @ np.asarray(self.weights, dtype=np.float64), 300.0)


def read_criteria(text: str) -> PC2:
    """The criteria in a judge's text, one a line: `1. names the year | 40`.

    Raises:
        DataError: no such line, or weights that do not sum to 100: to be asked again, not rescaled.
    """
    found = LINE.findall(text)
    if not found:
        raise DataError("missing-field", "no criterion found; a line reads `1. what it asks for | 40`")
    return PC2(tuple(name for name, _ in found), tuple(int(weight) for _, weight in found))


def read_weighted_score(text: str) -> float:
    """The last number after "Weighted Score"; NaN where there is none."""
    found = SCORE.findall(text)
    return float(found[-1]) if found else float("nan")


def pairwise_accuracy(
    first: ArrayLike, second: ArrayLike, preferred: ArrayLike, *, query: Sequence[str] | None = None, seed: int = 0
) -> Estimate:
    """Share of pairs in which pointwise scores agree with a stated preference; equal scores count ½.

    Args:
        first: Score of one answer; pairs with NaN are left out. [M]
        second: Score of the other. [M]
        preferred: P(first ≻ second); exactly ½ is left out. [M]
        query: Query of each pair, the independent unit. [M]
        seed: Of the bootstrap.
    """
    a, b, p = (np.asarray(column, dtype=np.float64) for column in (first, second, preferred))
    if not a.shape == b.shape == p.shape or a.ndim != 1:
        raise DataError("bad-shape", f"scores and preferences differ in number: {a.shape}, {b.shape}, {p.shape}")
    known = ~np.isnan(a + b + p) & (p != 0.5)
    if not known.any():
        raise DataError("nothing-to-measure", "pairwise accuracy: no pair has both scores and a preference")
    right = 0.5 + 0.5 * np.sign(a - b) * np.sign(p - 0.5)
    cluster = None if query is None else np.asarray(query)[known]
    return bootstrap_mean(right[known], cluster=cluster, seed=seed).estimate()
