"""Systems ranked by comparing answers two at a time, or by grading each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.evaluation.self_preference import both_orders
from zermelo.report.page import Cell, Page
from zermelo.report.plots import interval_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_counts
from zermelo.stats.estimate import Estimate

__all__ = ["AbsoluteScores", "SideBySide", "SystemScores"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SystemScores:
    """Scores of systems, with resamples over questions.

    Args:
        systems: Names. [S]
        scores: Logits centred on 0 (side by side), or mean grades (absolute). [S]
        draws: Scores in each resample. [R, S]
        consistency: Kendall's τ of the rankings of two random halves of the questions, mean over halvings.
        n_questions: Questions.
        consistent_share: Share of pairs judged alike in both orders; NaN where one order was asked, or none.
        protocol: `side by side` or `absolute`.
    """

    systems: tuple[str, ...]
    scores: tuple[Estimate, ...]
    draws: Floats
    consistency: float
    n_questions: int
    consistent_share: float
    protocol: str

    def separated(self, *, paired: bool = True) -> list[tuple[str, str]]:
        """Pairs (better, worse) that the data tell apart.

        Args:
            paired: The interval of the difference, over the same resamples, excludes 0; otherwise the two intervals do
                not overlap, the paper's count, which punishes what moves all systems alike. A single question
                separates nobody.
        """
        if self.n_questions < 2:
            return []
        tail = (1 - self.scores[0].level) / 2
        found = []
        for i, j in combinations(range(len(self.systems)), 2):
            a, b = (i, j) if self.scores[i].value >= self.scores[j].value else (j, i)
            if paired:
                clear = float(np.quantile(self.draws[:, a] - self.draws[:, b], tail)) > 0
            else:
                clear = self.scores[a].low > self.scores[b].high
            if clear:
                found.append((self.systems[a], self.systems[b]))
        return found

    def win_probability(self, baseline: str) -> dict[str, float]:
        """σ(β_s − β_baseline): chance that a system's answer beats the baseline's. Side by side only."""
        if self.protocol != "side by side" or baseline not in self.systems:
            raise SettingError("unknown-player", f"no win probability against {baseline!r} by {self.protocol} scores")
        base = self.scores[self.systems.index(baseline)].value
        return {
            name: float(1 / (1 + np.exp(base - s.value))) for name, s in zip(self.systems, self.scores, strict=True)
        }

    def table(self) -> list[dict[str, Cell]]:
        """One row a system, best first."""
        rows = sorted(zip(self.systems, self.scores, strict=True), key=lambda row: -row[1].value)
        return [{"system": name, "score": score} for name, score in rows]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "protocol": self.protocol,
            "systems": {str(row["system"]): plain(row["score"]) for row in self.table()},
            "separated": [list(pair) for pair in self.separated()],
            "consistency": plain(self.consistency),
            "consistent_share": plain(self.consistent_share),
            "n_questions": self.n_questions,
        }

    def plot(self) -> Svg:
        """Scores with intervals."""
        rows = [(str(row["system"]), row["score"]) for row in self.table()]
        return interval_plot(rows, title=f"Systems, {self.protocol}")  # type: ignore[arg-type]

    def show(self, page: Page) -> Page:
        """Picture and table on a page."""
        return page.plot(self.plot()).table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, f"Systems, {self.protocol}")


@dataclass(frozen=True)
class SideBySide:
    """Rank systems by comparing their answers to the same questions, each pair in both orders.

        P(s ≻ t) = σ(β_s − β_t); verdicts of the two orders are averaged, so two that disagree count ½ each

    What a question adds to all answers cancels in a comparison. Resamples draw whole questions. A judge that always
    says "the first" gives β = 0 for all.

    Args:
        prior: Ridge on β, in games: keeps a system finite that lost everything in a resample.
        level: Coverage.
        resamples: Of the bootstrap over questions.
        halvings: Random halvings for the consistency.
        seed: Of resamples and halvings.
    Source: "Long-Span Question-Answering: Automatic Question Generation and QA-System Ranking via Side-by-Side
        Evaluation", 2024, arXiv 2406.00179.
    """

    prior: float = 0.1
    level: float = 0.95
    resamples: int = 1000
    halvings: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        positive(self, "prior", "halvings")

    def measure(
        self,
        question: Sequence[Any],
        a: Sequence[str],
        b: Sequence[str],
        when_first: ArrayLike,
        when_second: ArrayLike | None = None,
    ) -> SystemScores:
        """Rank.

        Args:
            question: Of each comparison. [M]
            a: One system. [M]
            b: The other. [M]
            when_first: P(a ≻ b) when a was shown first: 1, 0, ½ for a tie; rows with NaN are left out. [M]
            when_second: P(a ≻ b) when a was shown second; None: one order was asked. [M]
        Raises:
            DataError: different numbers; a system against itself; a verdict outside [0, 1]; no comparison.
        """
        p, same = both_orders(when_first, when_first if when_second is None else when_second)
        if not len(question) == len(a) == len(b) == len(p):
            raise DataError("bad-shape", f"{len(question)} questions, {len(a)}, {len(b)} systems, {len(p)} verdicts")
        known = np.flatnonzero(~np.isnan(p)).tolist()
        if not known:
            raise DataError("no-battles", "side by side: there is no comparison")
        systems = tuple(sorted({*(a[i] for i in known), *(b[i] for i in known)}))
        number = {name: s for s, name in enumerate(systems)}
        first, second = np.array([number[a[i]] for i in known]), np.array([number[b[i]] for i in known])
        if (first == second).any():
            raise DataError("no-battles", f"{systems[first[first == second][0]]!r} is compared with itself")
        units, unit = np.unique(np.array([str(question[i]) for i in known]), return_inverse=True)
        wins = np.zeros((len(units), len(systems), len(systems)))
        np.add.at(wins, (unit, first, second), p[known])
        np.add.at(wins, (unit, second, first), 1 - p[known])
        flat = wins.reshape(len(units), -1)
        share = float("nan") if when_second is None else float(same[known].mean())

        def scores(counts: Floats) -> Floats:
            return _bradley_terry((counts @ flat).reshape(len(counts), len(systems), len(systems)), self.prior)

        return _resampled(systems, scores, len(units), share, "side by side", self)


@dataclass(frozen=True)
class AbsoluteScores:
    """Rank systems by grades of each answer alone: the mean over questions.

    Args:
        level: Coverage.
        resamples: Of the bootstrap over questions.
        halvings: Random halvings for the consistency.
        seed: Of resamples and halvings.
    """

    level: float = 0.95
    resamples: int = 1000
    halvings: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        positive(self, "halvings")

    def measure(self, grades: ArrayLike, *, systems: Sequence[str]) -> SystemScores:
        """Rank.

        Args:
            grades: NaN = missing. [S, Q], or [S, Q, R] for several grades of an answer
            systems: Names. [S]
        Raises:
            DataError: shapes do not match, or a system without a grade.
        """
        table = np.asarray(grades, dtype=np.float64)
        table = table[:, :, None] if table.ndim == 2 else table
        if table.ndim != 3 or len(table) != len(systems) or len(systems) < 2:
            raise DataError("bad-shape", f"grades must be [S, Q] or [S, Q, R] of S ≥ 2 systems. Got {table.shape}")
        there = ~np.isnan(table)
        if not there.any(axis=(1, 2)).all():
            raise DataError("empty-answers", "a system has no grade at all")
        total, number = np.where(there, table, 0.0).sum(axis=2).T, there.sum(axis=2).T.astype(np.float64)  # [Q, S]

        def scores(counts: Floats) -> Floats:
            with np.errstate(invalid="ignore"):
                return np.asarray((counts @ total) / (counts @ number))

        return _resampled(tuple(systems), scores, table.shape[1], float("nan"), "absolute", self)


def _bradley_terry(wins: Floats, prior: float) -> Floats:
    """Ratings of many tables at once by Newton's method; wins[r, i, j]: i over j. [R, S, S] → [R, S], centred"""
    n = wins + wins.transpose(0, 2, 1)
    beta = np.zeros(wins.shape[:2])
    size = wins.shape[1]
    for _ in range(50):
        p = 1 / (1 + np.exp(beta[:, None, :] - beta[:, :, None]))
        gradient = (wins - n * p).sum(axis=2) - prior * beta
        v = n * p * (1 - p)
        hessian = -v + np.eye(size) * (v.sum(axis=2) + prior)[:, :, None]
        move = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        # the likelihood is flat far out: a step of more than 2 logits would overshoot
        beta += move * np.minimum(1, 2 / np.maximum(np.abs(move).max(axis=1, keepdims=True), 1e-300))
        if np.abs(gradient).max() < 1e-9 * max(1.0, float(n.max())):
            break
    return np.asarray(beta - beta.mean(axis=1, keepdims=True))


def _resampled(
    systems: tuple[str, ...],
    scores: Any,
    n_questions: int,
    share: float,
    protocol: str,
    settings: SideBySide | AbsoluteScores,
) -> SystemScores:
    from scipy.stats import kendalltau

    boot = bootstrap_counts(scores, n_questions, level=settings.level, resamples=settings.resamples, seed=settings.seed)
    consistency = float("nan")
    if n_questions >= 2:
        rng = np.random.default_rng([settings.seed, 1])
        half = np.zeros((settings.halvings, n_questions))
        for row in half:
            row[rng.permutation(n_questions)[: n_questions // 2]] = 1.0
        pairs = zip(scores(half), scores(1 - half), strict=True)
        with np.errstate(invalid="ignore"):
            consistency = float(np.mean([kendalltau(one, other).statistic for one, other in pairs]))
    found = tuple(boot.estimate(s) for s in range(len(systems)))
    return SystemScores(systems, found, boot.draws, consistency, n_questions, share, protocol)
