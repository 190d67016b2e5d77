"""Texts on a scale of one concept (hostility, formality, …), from comparisons two at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import count
from zermelo.ranking.result import Ratings
from zermelo.stats.correlation import pearson, spearman
from zermelo.stats.estimate import Estimate

__all__ = ["ConceptScale", "ConceptScores", "breakdown", "random_pairs", "read_comparison"]

Floats = NDArray[np.float64]


def breakdown(text: str, questions: Sequence[str], answers: Sequence[str]) -> str:
    """The text with the answers to the researcher's questions on it, which a comparison then reads instead.

    Args:
        text: The original; it stays in front.
        questions: Ordered, from what it says to how strongly (summary, target, stance, intensity). [J]
        answers: Of a model, in one conversation. [J]
    Raises:
        DataError: as many answers as questions are not there.
    Source: "Concept-Guided Chain-of-Thought Prompting for Pairwise Comparison Scoring of Texts with LLMs", 2023,
        arXiv 2310.12049.
    """
    if len(questions) != len(answers):
        raise DataError("bad-shape", f"{len(questions)} questions and {len(answers)} answers; expected as many")
    if not answers:
        return text
    parts = [f"{number}. {answer.strip()}" for number, answer in enumerate(answers, start=1)]
    return "\n".join([text.strip(), "", "Analysis:", *parts])


def read_comparison(text: str) -> float:
    """P(first ≻ second) of a short answer: 1 for "1", "first" or "Description 1", 0 for the second, ½ for a tie.

    NaN where it names both, or neither: such a comparison is asked again, not guessed.
    """
    low = text.lower()
    one = bool(re.search(r"\b(?:1|one|first)\b", low))
    two = bool(re.search(r"\b(?:2|two|second)\b", low))
    tie = bool(re.search(r"\b(?:tie|tied|equal|equally|same|neither)\b", low))
    if tie and one == two:
        return 0.5
    return float("nan") if tie or one == two else float(one)


def random_pairs(n_texts: int, *, per_text: int = 20, seed: int = 0) -> NDArray[np.int64]:
    """Pairs to compare: every text in about `per_text` of them, all connected, slots at random. [M, 2]

    Random rings: each puts every text beside two others, and one ring alone connects all.

    Args:
        n_texts: Texts, at least 2.
        per_text: Comparisons of each text, an even number (odd ones are rounded up); at most n − 1 distinct ones exist.
        seed: Of the rings and slots.
    Raises:
        SettingError: fewer than two texts, or no comparison.
    """
    if n_texts < 2 or per_text < 1:
        raise SettingError("bad-setting", "random_pairs needs two texts and per_text ≥ 1")
    rng = np.random.default_rng(seed)
    wanted = min(n_texts * ((per_text + 1) // 2), n_texts * (n_texts - 1) // 2)
    found: dict[tuple[int, int], None] = {}
    while len(found) < wanted:
        ring = rng.permutation(n_texts)
        for a, b in zip(ring, np.roll(ring, -1), strict=True):
            if len(found) < wanted or len(found) < n_texts - 1:
                found[(int(min(a, b)), int(max(a, b)))] = None
    pairs = np.array(list(found), dtype=np.int64)
    turned = rng.random(len(pairs)) < 0.5
    pairs[turned] = pairs[turned, ::-1]
    return pairs


@dataclass(frozen=True)
class ConceptScale:
    """Scores of texts.

    Args:
        score: Standardised: mean 0, standard deviation 1. [N]
        low: Lower ends. [N]
        high: Upper ends. [N]
        ratings: The Bradley–Terry fit behind, in logits.
        n_comparisons: Used.
        left_out: Comparisons without a readable verdict.
        level: Of the intervals.
    """

    score: Floats
    low: Floats
    high: Floats
    ratings: Ratings
    n_comparisons: int
    left_out: int
    level: float = 0.95

    def table(self) -> list[dict[str, Any]]:
        """One row a text, the most first."""
        return [
            {"text": self.ratings.players[i], "score": Estimate(*self._of(i), self.level, self.n_comparisons)}
            for i in np.argsort(-self.score, kind="stable")
        ]

    def _of(self, i: int) -> tuple[float, float, float]:
        return float(self.score[i]), float(self.low[i]), float(self.high[i])

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, in the order of the texts."""
        names = ("score", "ci_low", "ci_high")
        texts = {name: dict(zip(names, self._of(i), strict=True)) for i, name in enumerate(self.ratings.players)}
        return {"texts": texts, "n_comparisons": self.n_comparisons, "left_out": self.left_out}

    def validate(self, human: ArrayLike, *, threshold: float | None = None, seed: int = 0) -> dict[str, Estimate]:
        """Against people's ratings of the same texts (NaN = none).

        Args:
            human: Mean ratings. [N]
            threshold: Human rating from which a text has the concept: adds `f1`, of the cut of the scores that is best
                on these texts themselves (choose it on pilot texts if you report it).
            seed: Of the bootstrap.
        Returns:
            `spearman`, `pearson`, and `f1`.
        """
        said = np.asarray(human, dtype=np.float64)
        if said.shape != self.score.shape:
            raise DataError("bad-shape", f"{said.shape} human ratings of {self.score.shape} texts; expected as many")
        found = {"spearman": spearman(self.score, said, seed=seed), "pearson": pearson(self.score, said, seed=seed)}
        if threshold is not None:
            known = ~np.isnan(said)
            has, score = said[known] >= threshold, self.score[known]
            best = max(_f1(score >= cut, has) for cut in np.unique(score))
            found["f1"] = Estimate(best, n=int(known.sum()), method="best cut")
        return found


@dataclass(frozen=True)
class ConceptScores:
    """Concept-guided comparisons to scores: Bradley–Terry with ties as half wins, standardised.

        P(i ≻ j) = σ(β_i − β_j),     score = (β − mean β) / sd β

    What the comparisons read is the caller's: raw texts, or `breakdown`s. A small ridge keeps texts finite that won or
    lost everything (the paper reduces the bias instead; with 20 comparisons a text the two differ little).

    Args:
        prior: Ridge on β, in comparisons.
        level: Of the intervals, which treat comparisons as independent.
    Source: "Concept-Guided Chain-of-Thought Prompting for Pairwise Comparison Scoring of Texts with LLMs", 2023,
        arXiv 2310.12049.
    """

    prior: float = 0.1
    level: float = 0.95

    def __post_init__(self) -> None:
        positive(self, "prior")
        if not 0 < self.level < 1:
            raise SettingError("bad-setting", f"ConceptScores.level must be between 0 and 1. Got {self.level!r}")

    def fit(self, pairs: ArrayLike, verdict: ArrayLike, *, texts: Sequence[str]) -> ConceptScale:
        """Score texts.

        Args:
            pairs: Index of the first and of the second text. [M, 2]
            verdict: P(first ≻ second): 1, 0, ½ for a tie; NaN = unreadable, left out and counted. [M]
            texts: Names of the texts. [N]
        Raises:
            DataError: shapes do not match, or the comparisons fall into pieces that share no scale.
        """
        index, said = np.asarray(pairs, dtype=np.int64), np.asarray(verdict, dtype=np.float64)
        if index.ndim != 2 or index.shape[1] != 2 or said.shape != index.shape[:1]:
            raise DataError("bad-shape", f"pairs must be [M, 2] and verdict [M]. Got {index.shape} and {said.shape}")
        known = ~np.isnan(said)
        fitted = BradleyTerry(prior=self.prior).fit(count(index[known, 0], index[known, 1], said[known], players=texts))
        if fitted.piece.max() > 0 or (fitted.games == 0).any():
            pieces = int(fitted.piece.max()) + 1
            raise DataError(
                "no-common-scale",
                f"the comparisons fall into {pieces} pieces: texts of two pieces have no common scale",
                hint="`random_pairs` gives pairs that connect all texts",
            )
        spread = float(fitted.rating.std())
        unit = spread if spread > 0 else 1.0
        half = NormalDist().inv_cdf(0.5 + self.level / 2) * fitted.standard_error() / unit
        score = (fitted.rating - fitted.rating.mean()) / unit
        left_out = int((~known).sum())
        return ConceptScale(score, score - half, score + half, fitted, int(known.sum()), left_out, self.level)


def _f1(said: NDArray[np.bool_], has: NDArray[np.bool_]) -> float:
    right = float((said & has).sum())
    return 2 * right / max(float(said.sum() + has.sum()), 1.0)
