"""Does the model fit? Intransitivity, residuals of pairs, over-dispersion, calibration on held-out battles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import Counts, count, of_outcomes
from zermelo.ranking.likelihood import sigmoid
from zermelo.ranking.result import Ratings
from zermelo.ranking.tables import cyclic_triples

if TYPE_CHECKING:
    from zermelo.report.svg import Svg
    from zermelo.stats.calibration import Reliability

__all__ = ["Goodness", "HeldOut", "goodness_of_fit", "held_out", "held_out_counts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Goodness:
    """How well ratings explain the pairs they were fitted to.

    Args:
        chi_square: Pearson's Σ (observed − expected)²/variance over pairs.
        degrees: Pairs minus free ratings.
        dispersion: chi_square/degrees; 1 where battles are independent and transitive, more where errors are too small.
        p_value: Of chi_square under the model, by the Wilson–Hilferty approximation.
        cycles: Triples whose majorities form a cycle.
        triples: Triples whose three majorities are strict.
        expected_cycles: Cycles that sampling alone would make under the model, mean over simulations.
        worst: Pairs with the largest standardised residuals: (a, b, games, observed, expected, residual).
    """

    chi_square: float
    degrees: int
    dispersion: float
    p_value: float
    cycles: int
    triples: int
    expected_cycles: float
    worst: tuple[tuple[str, str, float, float, float, float], ...]

    def table(self) -> list[dict[str, Any]]:
        """The worst pairs, one row each."""
        names = ("a", "b", "games", "observed", "expected", "residual")
        return [dict(zip(names, row, strict=True)) for row in self.worst]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        names = ("chi_square", "degrees", "dispersion", "p_value", "cycles", "triples", "expected_cycles")
        return {"schema": "zermelo.goodness/1", **{n: getattr(self, n) for n in names}, "worst": self.table()}


@dataclass(frozen=True)
class HeldOut:
    """Predictions on battles that the ratings have not seen.

    Args:
        log_likelihood: Mean nat per battle (a tie scored as half of each).
        baseline: The same of P = ½.
        brier: Mean squared error of P.
        bins: (mean predicted, mean observed, battles) over tenths of the prediction.
        battles: Held-out battles.
    """

    log_likelihood: float
    baseline: float
    brier: float
    bins: tuple[tuple[float, float, int], ...]
    battles: int

    def table(self) -> list[dict[str, Any]]:
        """One row per tenth of the prediction."""
        return [{"predicted": p, "observed": y, "battles": n} for p, y, n in self.bins]

    def curve(self) -> Reliability:
        """Predicted against observed, with Wilson limits (ties make them a little wide)."""
        from zermelo.stats.calibration import Reliability
        from zermelo.stats.intervals import wilson

        p, y, n = (np.array(column, dtype=np.float64) for column in zip(*self.bins, strict=True))
        limits = [wilson(a * b, b) for a, b in zip(y.tolist(), n.tolist(), strict=True)]
        low, high = np.array([e.low for e in limits]), np.array([e.high for e in limits])
        return Reliability(p, y, low, high, n.astype(np.int64), np.linspace(0, 1, 11), "width")

    def plot(self) -> Svg:
        """Predicted against observed wins of the first player."""
        from zermelo.report.plots import reliability_plot

        return reliability_plot(self.curve(), title="Do predictions come true?", x_label="predicted win rate")


def held_out_counts(counts: Counts, *, folds: int = 5, seed: int = 0) -> HeldOut:
    """The same from counts: the wins, ties and losses of every cell are dealt into folds. No battle is looked at.

    Args:
        counts: Comparisons with outcomes, not probabilities, each of weight 1.
        folds: Parts.
        seed: Of the parts.
    Raises:
        SettingError: probabilities or weights.
    """
    if counts.soft or not np.allclose(counts.n, counts.n2):
        raise SettingError("soft-outcomes", "held-out counts need votes: wins, losses and ties, each of weight 1")
    rng = np.random.default_rng(seed)
    win = np.round(counts.score - counts.tie / 2).astype(np.int64)
    tie = np.round(counts.tie).astype(np.int64)
    loss = np.round(counts.n).astype(np.int64) - win - tie
    left, dealt = [win, tie, loss], []
    for fold in range(folds):  # what is left is dealt evenly among the folds to come
        some = [rng.binomial(part, 1 / (folds - fold)) for part in left]
        left = [part - one for part, one in zip(left, some, strict=True)]
        dealt.append(some)
    model, total = BradleyTerry(prior=0.1), np.zeros((3, 10))
    log_likelihood = square = 0.0
    for w, t, lost in dealt:
        rest = of_outcomes(
            counts.first, counts.second, (win - w).astype(float), (tie - t).astype(float), (loss - lost).astype(float),
            players=counts.players,
        )  # fmt: skip
        rating = model.fit(rest).rating
        p = np.clip(sigmoid(rating[counts.first] - rating[counts.second]), 1e-12, 1 - 1e-12)
        n, points = w + t + lost, w + t / 2
        which = np.minimum((p * 10).astype(np.int64), 9)
        total += [np.bincount(which, values, 10) for values in (n * p, points, n)]
        log_likelihood += float((points * np.log(p) + (n - points) * np.log1p(-p)).sum())
        square += float((w * (1 - p) ** 2 + t * (0.5 - p) ** 2 + lost * p**2).sum())
    every = float(total[2].sum())
    stated, seen, size = total
    bins = tuple((float(stated[b] / size[b]), float(seen[b] / size[b]), round(size[b])) for b in np.flatnonzero(size))
    return HeldOut(log_likelihood / every, -math.log(2), square / every, bins, round(every))


def goodness_of_fit(
    counts: Counts, fitted: Ratings, *, seed: int = 0, simulations: int = 200, show: int = 5
) -> Goodness:
    """Compare the pairs' results with what the ratings expect (ties half a win, their smaller variance respected).

    Args:
        counts: What was fitted.
        fitted: `BradleyTerry().fit(counts)`.
        seed: Of the simulations of cycles.
        simulations: Leagues drawn from the model.
        show: Worst pairs listed.
    Source: "The Method of Paired Comparisons", 1963; "The Distribution of Chi-Square", 1931.
    """
    cells = counts.unordered()
    finite = np.isfinite(fitted.rating[cells.first]) & np.isfinite(fitted.rating[cells.second])
    first, second = cells.first[finite], cells.second[finite]
    n, score, tie = cells.n[finite], cells.score[finite], cells.tie[finite]
    p = sigmoid(fitted.rating[first] - fitted.rating[second])
    tie_share = float(tie.sum() / n.sum())
    variance = n * np.maximum(p * (1 - p) - tie_share / 4, 1e-9)  # a share t of half points takes t/4 off
    residual = (score - n * p) / np.sqrt(variance)
    chi = float((residual**2).sum())
    players = len(np.unique(np.concatenate([first, second])))
    degrees = max(len(n) - players + len(np.unique(fitted.piece)), 1)
    wins, _ = counts.matrices()
    cycles, triples = cyclic_triples(wins)
    rng = np.random.default_rng(seed)
    decisive = np.round(n - tie).astype(np.int64)
    size, drawn = len(counts.players), []
    for _ in range(simulations):
        w = rng.binomial(decisive, p)
        table = np.zeros((size, size))
        table[first, second], table[second, first] = w, decisive - w
        drawn.append(cyclic_triples(table)[0])
    order = np.argsort(-np.abs(residual))[:show]
    names = counts.players
    cube = (chi / degrees) ** (1 / 3)
    z = (cube - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))
    return Goodness(
        chi_square=chi,
        degrees=degrees,
        dispersion=chi / degrees,
        p_value=0.5 * math.erfc(z / math.sqrt(2)),
        cycles=cycles,
        triples=triples,
        expected_cycles=float(np.mean(drawn)) if drawn else math.nan,
        worst=tuple(
            (names[first[i]], names[second[i]], float(n[i]), float(score[i] / n[i]), float(p[i]), float(residual[i]))
            for i in order
        ),
    )


def held_out(
    first: Ints,
    second: Ints,
    score: Floats,
    *,
    size: int,
    model: BradleyTerry | None = None,
    folds: int = 5,
    seed: int = 0,
) -> HeldOut:
    """Cross-validated predictions: each fold is predicted by ratings of the others.

    Args:
        first: Index of the player in the first position. [B]
        second: Index of the player in the second position. [B]
        score: P(first ≻ second). [B]
        size: P.
        model: Default `BradleyTerry(prior=0.1)`: with a prior every held-out battle has a finite prediction.
        folds: Parts.
        seed: Of the parts.
    """
    chosen = model or BradleyTerry(prior=0.1)
    part = np.random.default_rng(seed).permutation(len(score)) % folds
    names = [str(i) for i in range(size)]
    p = np.empty(len(score))
    for fold in range(folds):
        train, test = part != fold, part == fold
        rating = chosen.fit(count(first[train], second[train], score[train], players=names)).rating
        p[test] = sigmoid(rating[first[test]] - rating[second[test]])
    p = np.clip(p, 1e-12, 1 - 1e-12)
    which = np.minimum((p * 10).astype(np.int64), 9)
    bins = tuple(
        (float(p[which == b].mean()), float(score[which == b].mean()), int((which == b).sum()))
        for b in range(10)
        if (which == b).any()
    )
    return HeldOut(
        log_likelihood=float((score * np.log(p) + (1 - score) * np.log1p(-p)).mean()),
        baseline=-math.log(2),
        brier=float(((score - p) ** 2).mean()),
        bins=bins,
        battles=len(score),
    )
