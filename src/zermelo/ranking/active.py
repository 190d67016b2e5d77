"""What to compare next, and how many votes are still needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import Counts
from zermelo.ranking.result import Ratings

__all__ = ["Goal", "NextPair", "Power", "next_pairs", "posterior", "power"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Goal: TypeAlias = Literal["ratings", "order", "top"]
Reason: TypeAlias = Literal["links", "informative", "random"]
MOST = 1000  # players among whom pairs are weighed; of more, the least certain and one of every piece


def posterior(counts: Counts) -> Ratings:
    """Ratings β ~ N(0, 1/λ) with model errors, λ estimated by EM: λ ← P/Σ(β̂² + Var β).

    A fixed weak prior lets early luck spread the ratings; pairs that then look decided are never asked again, and the
    spread stays. Used for choosing pairs, not for the board.

    Args:
        counts: Comparisons so far.
    Source: "Data Analysis Using Stein's Estimator and its Generalizations", 1975 (empirical Bayes).
    """
    size, prior = len(counts.players), 1.0
    for _ in range(12):
        fitted = BradleyTerry(prior=prior, errors="model").fit(counts)
        spread = fitted.covariance if fitted.covariance.ndim == 1 else np.diag(fitted.covariance)
        new = min(max(size / float(fitted.rating @ fitted.rating + spread.sum()), 0.05), 20.0)
        if abs(math.log(new / prior)) < 0.05:
            break
        prior = new
    return fitted


@dataclass(frozen=True)
class NextPair:
    """A comparison worth making.

    Args:
        a: Player.
        b: Player.
        gain: What it is expected to bring per unit of cost: for `ratings` information, ½ log(1 + p(1 − p) Var(β_a −
            β_b)), nat; for `order` and `top` the fall of variance where the order hangs on it; inf where it links two
            pieces.
        reason: `links` two pieces of the graph, `informative`, or `random` (the control arm).
        games: Comparisons of the two so far.
    """

    a: str
    b: str
    gain: float
    reason: Reason
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
    goal: Goal = "order",
    top: int = 5,
    cost: Mapping[str, float] | None = None,
) -> list[NextPair]:
    """Pairs to compare next, by expected gain under the current posterior, one after the other.

        ratings: ½ log(1 + v s²_ij)                                   v = p(1 − p), s² = Var(β_i − β_j)
        order:   v x'ΣWΣx/(1 + v s²_ij),  x = e_i − e_j,  W = Σ_kl w_kl x_kl x_kl',  w_kl = exp(−d²_kl/2s²_kl)/s²_kl
        top:     the same, over pairs of one of the `top` best and one of the others

    `order` is the fall of Σ w_kl Var(β_k − β_l): it asks where an answer settles who is ahead, also through others.
    Each chosen pair updates the posterior covariance as if it had been compared once (Σ ← Σ − Σx xᵀΣ v/(1 + v xᵀΣx)),
    so a batch does not ask the same question twice. Pieces of the graph are linked first. A share of the batch is drawn
    at random: comparing what both arms settle measures the gain of choosing. `fitted` should be a `posterior`: sandwich
    errors of a player with two games say little, and ratings that spread too wide make distant pairs look certain.

    Args:
        counts: Comparisons so far.
        fitted: Ratings fitted to them.
        n: Pairs wanted.
        seed: Of the random arm.
        random_share: Share of the random arm in the batch.
        max_repeats: A pair stands in the batch at most so often.
        prior_variance: Variance of a rating without a finite estimate, logits².
        goal: What is to become certain: all ratings, the order, or who the best are.
        top: How many are the best.
        cost: Player → cost of one answer of it, 1 where not named; a pair costs the sum of its two. Without costs a
            pair costs 1.
    Raises:
        SettingError: n < 1, a share outside [0, 1], an unknown goal or player, a cost that is not positive.
    Source: "Bayesian Experimental Design: A Review", 1995; the gain is that of a logistic comparison.
    """
    if n < 1 or not 0 <= random_share <= 1 or goal not in ("ratings", "order", "top") or top < 1:
        got = f"{n}, {random_share}, {goal!r}, {top}"
        raise SettingError("bad-setting", "next_pairs takes n ≥ 1, random_share in [0, 1], goal ratings, order or top, "
                           f"and top ≥ 1. Got {got}")  # fmt: skip
    price = _prices(counts.players, cost)
    if len(counts.players) > MOST:
        pool = _pool(fitted, top if goal == "top" else 0)
        counts, fitted, price = counts.subset(pool.tolist()), _part(fitted, pool), price[pool]
    state = _State(counts, fitted, prior_variance, goal, top, price)
    found: list[NextPair] = []
    label = fitted.piece.copy()
    while len(found) < n and len(np.unique(label)) > 1:  # link pieces by their best-known members
        index = state.link(label)
        found.append(state.add(index, math.inf, "links"))
        label[label == label[state.b[index]]] = label[state.a[index]]
    rng = np.random.default_rng(seed)
    n_random = round((n - len(found)) * random_share)
    while len(found) < n - n_random:
        gain = np.where(state.repeats < max_repeats, state.gain(), -1.0)
        index = int(np.argmax(gain))
        if gain[index] < 0:
            break
        found.append(state.add(index, float(gain[index]), "informative"))
    gain = state.gain()
    for index in rng.choice(len(gain), size=min(n_random, len(gain)), replace=False).tolist():
        found.append(state.add(index, float(gain[index]), "random"))
    return found


class _State:
    """The posterior while a batch is being chosen. M = P(P − 1)/2 pairs (a, b)."""

    def __init__(
        self, counts: Counts, fitted: Ratings, prior_variance: float, goal: Goal, top: int, price: Floats
    ) -> None:
        size = len(counts.players)
        self.players = counts.players
        self.games = np.zeros((size, size))
        np.add.at(self.games, (counts.first, counts.second), counts.n)
        self.games += self.games.T
        known = np.isfinite(fitted.rating)
        rating = np.where(known, fitted.rating, np.sign(np.nan_to_num(fitted.rating)) * 2.0)
        self.sigma = fitted.covariance.copy() if fitted.covariance.ndim == 2 else np.diag(fitted.covariance)
        unknown = ~np.isfinite(np.diag(self.sigma))
        self.sigma[unknown, :] = self.sigma[:, unknown] = 0.0
        self.sigma[unknown, unknown] = prior_variance
        self.a, self.b = np.triu_indices(size, 1)
        p = 1 / (1 + np.exp(-(rating[self.a] - rating[self.b])))
        self.v, self.repeats = p * (1 - p), np.zeros(len(self.a), dtype=np.int64)
        self.price = price[self.a] + price[self.b]
        self.weight = None if goal == "ratings" else self._weight(rating, None if goal == "order" else top)
        # ΣWΣ, kept up to date pick by pick
        self.target = None if self.weight is None else self.sigma @ self.weight @ self.sigma

    def _weight(self, rating: Floats, top: int | None) -> Floats:
        """W, the Laplacian of how much each pair's order hangs on its variance. [P, P]"""
        spread = np.maximum(self.variance(self.sigma), 1e-12)
        w = np.exp(-0.5 * (rating[self.a] - rating[self.b]) ** 2 / spread) / spread
        if top is not None:
            best = np.zeros(len(rating), dtype=bool)
            best[np.argsort(-rating, kind="stable")[:top]] = True
            w = w * (best[self.a] != best[self.b])
        table = np.zeros_like(self.sigma)
        table[self.a, self.b] = table[self.b, self.a] = -w
        np.fill_diagonal(table, -table.sum(axis=1))
        return table

    def variance(self, table: Floats) -> Floats:
        """x' table x of every pair. [M]"""
        diagonal = np.diag(table)
        return np.asarray(diagonal[self.a] + diagonal[self.b] - 2 * table[self.a, self.b])

    def gain(self) -> Floats:
        """Of every pair, per unit of cost. [M]"""
        spread = np.maximum(self.variance(self.sigma), 0)
        if self.target is None:
            return np.asarray(0.5 * np.log1p(self.v * spread) / self.price)
        return np.asarray(self.v * np.maximum(self.variance(self.target), 0) / (1 + self.v * spread) / self.price)

    def link(self, label: Ints) -> int:
        """The best-known pair of two pieces."""
        apart = label[self.a] != label[self.b]
        spread = np.diag(self.sigma)[self.a] + np.diag(self.sigma)[self.b]
        return int(np.flatnonzero(apart)[np.argmin(spread[apart])])

    def add(self, index: int, gain: float, reason: Reason) -> NextPair:
        """Take a pair: the posterior is that after one comparison of it, whoever wins."""
        i, j = int(self.a[index]), int(self.b[index])
        self.repeats[index] += 1
        column = self.sigma[:, i] - self.sigma[:, j]
        share = self.v[index] / (1 + self.v[index] * (column[i] - column[j]))
        if self.target is not None and self.weight is not None:  # (Σ − s cc')W(Σ − s cc')
            turned = self.sigma @ (self.weight @ column)
            inner = float(column @ self.weight @ column)
            cross = np.outer(turned, column)
            self.target = self.target - share * (cross + cross.T) + share**2 * inner * np.outer(column, column)
        self.sigma = self.sigma - share * np.outer(column, column)
        return NextPair(self.players[i], self.players[j], gain, reason, float(self.games[i, j]))


def _prices(players: tuple[str, ...], cost: Mapping[str, float] | None) -> Floats:
    """Half the price of a pair, by player, so that without costs a pair costs 1. [P]"""
    price = np.ones(len(players))
    place = {name: i for i, name in enumerate(players)}
    for name, value in (cost or {}).items():
        if name not in place:
            raise SettingError("unknown-player", f"cost of {name!r}: no such player among {len(players)}")
        if not value > 0 or not math.isfinite(value):
            raise SettingError("bad-setting", f"the cost of {name!r} must be a positive number. Got {value!r}")
        price[place[name]] = value
    return price / 2 if cost is None else price


def _pool(fitted: Ratings, top: int) -> Ints:
    """Of many players, the best known of each piece, the `top` best and the least certain. [≤ MOST]"""
    error = np.where(np.isfinite(fitted.rating), fitted.standard_error(), np.inf)
    order = np.lexsort((error, fitted.piece))
    leads = order[np.unique(fitted.piece[order], return_index=True)[1]][: MOST // 2]
    best = np.argsort(-np.nan_to_num(fitted.rating, nan=-np.inf), kind="stable")[: min(top, MOST // 4)]
    wanted = np.concatenate([leads, best, np.argsort(-error, kind="stable")])
    return np.sort(wanted[np.sort(np.unique(wanted, return_index=True)[1])][:MOST])


def _part(fitted: Ratings, keep: Ints) -> Ratings:
    """Only some players."""
    from dataclasses import replace

    wide = fitted.covariance.ndim == 2
    return replace(
        fitted,
        players=tuple(fitted.players[i] for i in keep.tolist()),
        rating=fitted.rating[keep],
        covariance=fitted.covariance[np.ix_(keep, keep)] if wide else fitted.covariance[keep],
        games=fitted.games[keep],
        win_rate=fitted.win_rate[keep],
        piece=fitted.piece[keep],
    )


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
    Raises:
        SettingError: the two have no common scale, or one has no finite rating.
    """
    difference, error = fitted.difference(a, b)
    for name in (a, b):
        if not math.isfinite(fitted.rating[fitted.index(name)]):
            raise SettingError(
                "no-finite-rating",
                f"{name!r} has no finite rating: it won or lost everything against the rest",
                hint="one battle that ends otherwise gives it one; `zermelo rank next` says which to play",
            )
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + level / 2)
    separated = abs(difference) > z * error
    if separated or difference == 0:
        return Power(difference, error, separated, 0.0 if separated else math.inf)
    wanted = ((z + normal.inv_cdf(chance)) / difference) ** 2
    p = 1 / (1 + math.exp(-difference))
    votes = max(0.0, (wanted - 1 / error**2) / (p * (1 - p)))
    return Power(difference, error, separated, math.ceil(votes))
