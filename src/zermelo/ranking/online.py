"""Ratings that are updated game by game: Elo, Glicko, TrueSkill. Their result depends on the order of the games."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import positive
from zermelo.ranking.counts import Counts
from zermelo.ranking.graph import pieces
from zermelo.ranking.result import FitInfo, Ratings

__all__ = ["Elo", "EloSpread", "Glicko", "TrueSkill", "TrueSkillRating", "as_ratings"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NORMAL = NormalDist()


@dataclass(frozen=True)
class EloSpread:
    """Elo ratings over shuffles of the games: the order's share in the result.

    Args:
        median: [P]
        low: 2.5th percentile. [P]
        high: 97.5th percentile. [P]
        ratings: Every shuffle. [R, P]
    """

    median: Floats
    low: Floats
    high: Floats
    ratings: Floats


@dataclass(frozen=True)
class Elo:
    """Online Elo: R_a += K (S − E_a), R_b −= K (S − E_a), E_a = 1/(1 + 10^((R_b − R_a)/400)).

    The sum of ratings is conserved. The result depends on the order of the games: see `shuffled`.

    Args:
        k: Step, rating points; 4 for arenas of language models, 32 as in chess.
        start: Rating of a newcomer.
        scale: Points that make odds of ten to one.
    Source: "The Rating of Chessplayers, Past and Present", 1978.
    """

    k: float = 4.0
    start: float = 1000.0
    scale: float = 400.0

    def __post_init__(self) -> None:
        positive(self, "k", "scale")

    def fit(self, first: Ints, second: Ints, score: Floats, *, size: int) -> Floats:
        """Ratings after the games in their order; score = result of the first (1, 0, ½). → [P]"""
        rating = [self.start] * size
        step, ten = self.k, math.log(10) / self.scale
        for a, b, s in zip(first.tolist(), second.tolist(), score.tolist(), strict=True):
            change = step * (s - 1 / (1 + math.exp(ten * (rating[b] - rating[a]))))
            rating[a] += change
            rating[b] -= change
        return np.array(rating)

    def shuffled(
        self, first: Ints, second: Ints, score: Floats, *, size: int, seed: int, n_permutations: int = 128
    ) -> EloSpread:
        """Ratings over random orders of the same games, all orders updated side by side."""
        rng = np.random.default_rng(seed)
        rating = np.full((n_permutations, size), self.start)
        order = np.stack([rng.permutation(len(score)) for _ in range(n_permutations)])
        row = np.arange(n_permutations)
        for column in order.T:
            a, b = first[column], second[column]
            expected = 1 / (1 + 10 ** ((rating[row, b] - rating[row, a]) / self.scale))
            change = self.k * (score[column] - expected)
            rating[row, a] += change
            rating[row, b] -= change
        low, median, high = np.percentile(rating, [2.5, 50, 97.5], axis=0)
        return EloSpread(median, low, high, rating)


@dataclass(frozen=True)
class Glicko:
    """Glicko-1: a rating r and its deviation RD, updated after a period of games.

        g(RD) = 1/√(1 + 3 q² RD²/π²), q = ln 10/400;  E = 1/(1 + 10^(−g (r − r_j)/400))
        d² = 1/(q² Σ g² E (1 − E));  r' = r + q/(1/RD² + 1/d²) Σ g (s − E);  RD' = 1/√(1/RD² + 1/d²)

    Args:
        start: Rating of a newcomer.
        deviation: RD of a newcomer.
    Source: "Parameter Estimation in Large Dynamic Paired Comparison Experiments", 1999.
    """

    start: float = 1500.0
    deviation: float = 350.0

    def update(
        self, rating: float, deviation: float, games: Sequence[tuple[float, float, float]]
    ) -> tuple[float, float]:
        """New (rating, deviation) after games (opponent's rating, opponent's deviation, own result)."""
        q = math.log(10) / 400
        inverse, pull = 0.0, 0.0
        for other, other_deviation, result in games:
            g = 1 / math.sqrt(1 + 3 * (q * other_deviation / math.pi) ** 2)
            expected = 1 / (1 + 10 ** (-g * (rating - other) / 400))
            inverse += (q * g) ** 2 * expected * (1 - expected)
            pull += g * (result - expected)
        precision = 1 / deviation**2 + inverse
        return rating + q / precision * pull, math.sqrt(1 / precision)

    def fit(self, first: Ints, second: Ints, score: Floats, *, size: int) -> tuple[Floats, Floats]:
        """All games as one period, every player against the others' starting values. → ratings [P], deviations [P]"""
        games: list[list[tuple[float, float, float]]] = [[] for _ in range(size)]
        for a, b, s in zip(first.tolist(), second.tolist(), score.tolist(), strict=True):
            games[a].append((self.start, self.deviation, s))
            games[b].append((self.start, self.deviation, 1 - s))
        found = [self.update(self.start, self.deviation, own) for own in games]
        return np.array([r for r, _ in found]), np.array([d for _, d in found])


def as_ratings(
    points: Floats,
    deviation: Floats,
    counts: Counts,
    *,
    method: str,
    centre: float,
    errors: str,
    warnings: Sequence[str],
) -> Ratings:
    """Ratings in points (400 = odds of ten to one) as `Ratings` in logits, without covariances between players.

    Args:
        points: [P]
        deviation: Standard deviations, points; NaN where unknown. [P]
        counts: The games, collapsed.
        method: Name of the system.
        centre: Points of a newcomer: logit 0.
        errors: What the deviations mean.
        warnings: What a reader must know.
    """
    points_per_nat = 400 / math.log(10)
    info = FitInfo(method, counts.battles, 1, math.nan, math.nan, 0.0, errors, tuple(warnings))
    return Ratings(
        players=counts.players,
        rating=(points - centre) / points_per_nat,
        covariance=np.diag((deviation / points_per_nat) ** 2),
        fit=info,
        games=counts.games(),
        win_rate=counts.win_rate(),
        piece=pieces(counts.first, counts.second, len(counts.players)),
    )


@dataclass(frozen=True)
class TrueSkillRating:
    """Mean and standard deviation of a skill."""

    mean: float = 25.0
    deviation: float = 25.0 / 3


@dataclass(frozen=True)
class TrueSkill:
    """TrueSkill for one against one: Gaussian skills, updated by moment matching.

        c² = 2β² + s_a² + s_b², t = (μ_a − μ_b)/c, ε = Φ⁻¹((d + 1)/2) √2 β/c
        win: v = φ(t − ε)/Φ(t − ε), w = v (v + t − ε);  draw: the two-sided truncated moments
        μ ± s²/c v,  s² ← s² (1 − s²/c² w)

    Args:
        performance: β, standard deviation of one performance.
        drift: τ, added to a skill's deviation before a game.
        draw: d, probability of a draw between equals.
    Source: "TrueSkill: A Bayesian Skill Rating System", 2006.
    """

    performance: float = 25.0 / 6
    drift: float = 25.0 / 300
    draw: float = 0.1

    def update(
        self, a: TrueSkillRating, b: TrueSkillRating, *, drawn: bool = False
    ) -> tuple[TrueSkillRating, TrueSkillRating]:
        """New skills after a win of `a`, or a draw."""
        va, vb = a.deviation**2 + self.drift**2, b.deviation**2 + self.drift**2
        c = math.sqrt(2 * self.performance**2 + va + vb)
        t = (a.mean - b.mean) / c
        margin = NORMAL.inv_cdf((self.draw + 1) / 2) * math.sqrt(2) * self.performance / c
        if drawn:
            size = abs(t)
            mass = NORMAL.cdf(margin - size) - NORMAL.cdf(-margin - size)
            v = (NORMAL.pdf(-margin - size) - NORMAL.pdf(margin - size)) / mass
            w = (
                v * v
                + ((margin - size) * NORMAL.pdf(margin - size) + (margin + size) * NORMAL.pdf(margin + size)) / mass
            )
            v = v if t >= 0 else -v
        else:
            v = NORMAL.pdf(t - margin) / NORMAL.cdf(t - margin)
            w = v * (v + t - margin)
        return (
            TrueSkillRating(a.mean + va / c * v, math.sqrt(va * (1 - va / c**2 * w))),
            TrueSkillRating(b.mean - vb / c * v, math.sqrt(vb * (1 - vb / c**2 * w))),
        )

    def fit(self, first: Ints, second: Ints, score: Floats, *, size: int) -> tuple[Floats, Floats]:
        """Skills after the games in their order, a score of ½ being a draw. → means [P], deviations [P]"""
        skills = [TrueSkillRating()] * size
        for a, b, s in zip(first.tolist(), second.tolist(), score.tolist(), strict=True):
            winner, loser = (a, b) if s >= 0.5 else (b, a)
            skills[winner], skills[loser] = self.update(skills[winner], skills[loser], drawn=s == 0.5)
        return np.array([skill.mean for skill in skills]), np.array([skill.deviation for skill in skills])
