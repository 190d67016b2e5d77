"""What to compare next, how many votes are still needed, and when one may stop looking."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, one_of
from zermelo.ranking.counts import Counts
from zermelo.ranking.result import Ratings

__all__ = ["NextPair", "Power", "SequentialTest", "next_pairs", "power"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NextPair:
    """A comparison worth making.

    Args:
        a: Player.
        b: Player.
        gain: Expected information, nat: ½ log(1 + p(1 − p) Var(β_a − β_b)); inf where it links two pieces.
        reason: `links` two pieces of the graph, `informative`, or `random` (the control arm).
        games: Comparisons of the two so far.
    """

    a: str
    b: str
    gain: float
    reason: Literal["links", "informative", "random"]
    games: float


def next_pairs(
    counts: Counts,
    fitted: Ratings,
    *,
    n: int = 10,
    seed: int = 0,
    random_share: float = 0.1,
    max_repeats: int = 3,
    prior_variance: float = 4.0,
) -> list[NextPair]:
    """Pairs to compare next, by expected information under the current posterior, one after the other.

    Each chosen pair updates the posterior covariance as if it had been compared once (Σ ← Σ − Σx xᵀΣ v/(1 + v xᵀΣx)),
    so a batch does not ask the same question twice. Pieces of the graph are linked first. A share of the batch is drawn
    at random: comparing what both arms settle measures the gain of choosing.

    Args:
        counts: Comparisons so far.
        fitted: Ratings fitted to them.
        n: Pairs wanted.
        seed: Of the random arm.
        random_share: Share of the random arm in the batch.
        max_repeats: A pair stands in the batch at most so often.
        prior_variance: Variance of a rating without a finite estimate, logits².
    Source: "Bayesian Experimental Design: A Review", 1995; the gain is that of a logistic comparison.
    """
    size = len(counts.players)
    if n < 1 or not 0 <= random_share <= 1:
        raise SettingError("bad-setting", f"next_pairs takes n ≥ 1 and random_share in [0, 1]. Got {n}, {random_share}")
    games = np.zeros((size, size))
    np.add.at(games, (counts.first, counts.second), counts.n)
    games += games.T
    rating = np.where(np.isfinite(fitted.rating), fitted.rating, np.sign(np.nan_to_num(fitted.rating)) * 2.0)
    sigma = fitted.covariance.copy()
    unknown = ~np.isfinite(np.diag(sigma))
    sigma[unknown, :] = sigma[:, unknown] = 0.0
    sigma[unknown, unknown] = prior_variance
    upper = np.triu_indices(size, 1)
    p = 1 / (1 + np.exp(-(rating[upper[0]] - rating[upper[1]])))
    v = p * (1 - p)
    found: list[NextPair] = []
    repeats = np.zeros(len(v), dtype=np.int64)

    def add(index: int, gain: float, reason: Literal["links", "informative", "random"]) -> None:
        i, j = int(upper[0][index]), int(upper[1][index])
        found.append(NextPair(counts.players[i], counts.players[j], gain, reason, float(games[i, j])))
        repeats[index] += 1

    label = fitted.piece.copy()
    while len(found) < n and len(np.unique(label)) > 1:  # link pieces by their best-known members
        apart = label[upper[0]] != label[upper[1]]
        spread = np.diag(sigma)[upper[0]] + np.diag(sigma)[upper[1]]
        index = int(np.flatnonzero(apart)[np.argmin(spread[apart])])
        add(index, math.inf, "links")
        label[label == label[upper[1][index]]] = label[upper[0][index]]
    rng = np.random.default_rng(seed)
    n_random = round((n - len(found)) * random_share)
    while len(found) < n - n_random:
        diagonal = np.diag(sigma)
        variance = diagonal[upper[0]] + diagonal[upper[1]] - 2 * sigma[upper]
        gain = np.where(repeats < max_repeats, 0.5 * np.log1p(v * np.maximum(variance, 0)), -1.0)
        index = int(np.argmax(gain))
        if gain[index] < 0:
            break
        add(index, float(gain[index]), "informative")
        column = sigma[:, upper[0][index]] - sigma[:, upper[1][index]]
        sigma = sigma - np.outer(column, column) * (v[index] / (1 + v[index] * variance[index]))
    for index in rng.choice(len(v), size=min(n_random, len(v)), replace=False):
        i, j = upper[0][index], upper[1][index]
        spread_ij = float(sigma[i, i] + sigma[j, j] - 2 * sigma[i, j])
        add(int(index), 0.5 * math.log1p(float(v[index]) * max(spread_ij, 0.0)), "random")
    return found


@dataclass(frozen=True)
class Power:
    """Votes still needed to separate two players.

    Args:
        difference: rating(a) − rating(b), logits.
        error: Its standard error now.
        separated: Whether the interval excludes 0 already.
        votes: Direct comparisons of the two still needed; inf where the ratings are equal.
    """

    difference: float
    error: float
    separated: bool
    votes: float


def power(fitted: Ratings, a: str, b: str, *, level: float = 0.95, chance: float = 0.8) -> Power:
    """How many more direct votes separate two players, if the difference is what it seems.

    A direct vote adds p(1 − p) of information about the difference d; wanted is (z_{1−α/2} + z_chance)²/d².

    Args:
        fitted: Ratings.
        a: Player.
        b: Player.
        level: Of the interval that is to exclude 0.
        chance: Probability that it then does.
    """
    difference, error = fitted.difference(a, b)
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + level / 2)
    separated = abs(difference) > z * error
    if difference == 0:
        return Power(difference, error, separated, math.inf)
    wanted = ((z + normal.inv_cdf(chance)) / difference) ** 2
    p = 1 / (1 + math.exp(-difference))
    votes = max(0.0, (wanted - 1 / error**2) / (p * (1 - p)))
    return Power(difference, error, separated, 0.0 if separated else math.ceil(votes))


@dataclass(frozen=True)
class SequentialTest:
    """Is one of two players better? A test that may be looked at after every vote.

    The e-value of w wins and l losses against P(win) = ½ under a Beta(s, s) mixture,

        E = 2^(w + l) B(w + s, l + s)/B(s, s),

    is a non-negative martingale from 1 under the null, so stopping when E ≥ 1/alpha errs with probability ≤ alpha at
    any stopping time (Ville). Ties are left out.

    Args:
        alpha: Probability of a false alarm.
        shape: s; larger looks for smaller differences.
    Source: "Testing exchangeability on-line", 2003; mixture martingales: Ville, 1939, and Robbins, 1970.
    """

    alpha: float = 0.05
    shape: float = 1.0
    side: Literal["two-sided", "first"] = "two-sided"

    def __post_init__(self) -> None:
        one_of(self, "side", ("two-sided", "first"))
        if not 0 < self.alpha < 1:
            raise SettingError("bad-setting", f"SequentialTest.alpha must be in (0, 1). Got {self.alpha!r}")

    def log_e(self, wins: int, losses: int) -> float:
        """log E after `wins` and `losses`; for side `first` the mixture is over P(win) > ½ only."""

        def log_beta(x: float, y: float) -> float:
            return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)

        s = self.shape
        both = (wins + losses) * math.log(2) + log_beta(wins + s, losses + s) - log_beta(s, s)
        if self.side == "two-sided":
            return both
        # the half of the posterior above ½, by Simpson's rule on a fine grid; doubling renormalises the half prior
        x = np.linspace(0.5, 1 - 1e-9, 2001)
        log_density = (wins + s - 1) * np.log(x) + (losses + s - 1) * np.log1p(-x) - log_beta(wins + s, losses + s)
        weight = np.ones_like(x)
        weight[1:-1:2], weight[2:-1:2] = 4, 2
        share = float((weight * np.exp(log_density)).sum() * (x[1] - x[0]) / 3)
        return both + math.log(max(2 * share, 1e-300))

    def stop(self, wins: int, losses: int) -> bool:
        """Whether one may stop and call a winner."""
        return self.log_e(wins, losses) >= -math.log(self.alpha)
