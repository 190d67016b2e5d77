"""When one may stop looking: tests that stay valid however often one looks and whatever one asks next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, one_of, positive
from zermelo.ranking.counts import Counts

__all__ = ["SequentialTest", "Settled", "settled"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Settled:
    """A pair whose order is settled by its own votes.

    Args:
        better: Player.
        worse: Player.
        wins: Votes of `better` over `worse`.
        losses: Votes the other way.
        log_e: Evidence against "better is not better", nat.
    """

    better: str
    worse: str
    wins: float
    losses: float
    log_e: float


def settled(counts: Counts, *, alpha: float = 0.05, shape: float = 1.0) -> list[Settled]:
    """Pairs whose order is settled, jointly with error probability ≤ alpha, at any time and under any choice of pairs.

        E_ij = 2^{w + l} B(w + s, l + s)/B(s, s) · 2 P(X > ½),  X ~ Beta(w + s, l + s)

    is, under "i beats j with probability at most ½", a supermartingale from 1: whoever looks after every vote, chooses
    the next pair by what was seen, and stops when pleased, meets E_ij ≥ 1/α' with probability ≤ α' (Ville). With
    α' = alpha/(P(P − 1)) all statements hold together. Ties are left out: they favour nobody. Only a pair's own votes
    count, so nothing is assumed of the model; ratings need far fewer votes, and an assumption.

    Args:
        counts: Comparisons with outcomes, not probabilities, each of weight 1.
        alpha: Probability of any wrong statement.
        shape: s of the mixture; larger looks for smaller differences.
    Raises:
        SettingError: alpha outside (0, 1), probabilities or weights as outcomes.
    Source: "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021; Ville, 1939.
    """
    if not 0 < alpha < 1 or not shape > 0:
        raise SettingError("bad-setting", f"settled takes alpha in (0, 1) and shape > 0. Got {alpha!r}, {shape!r}")
    if counts.soft or not np.allclose(counts.n, counts.n2):
        raise SettingError("soft-outcomes", "a sequential test needs votes: wins, losses and ties, each of weight 1")
    cells = counts.unordered()
    wins = cells.score - cells.tie / 2
    losses = cells.n - cells.tie - wins
    size = len(counts.players)
    bound = math.log(size * (size - 1) / alpha)
    found = []
    for first, second, w, l in (
        (cells.first, cells.second, wins, losses),
        (cells.second, cells.first, losses, wins),
    ):
        log_e = _one_sided(w, l, shape)
        for k in np.flatnonzero(log_e >= bound).tolist():
            better, worse = counts.players[first[k]], counts.players[second[k]]
            found.append(Settled(better, worse, float(w[k]), float(l[k]), float(log_e[k])))
    return sorted(found, key=lambda one: -one.log_e)


def _one_sided(wins: Floats, losses: Floats, shape: float) -> Floats:
    """log E against "the first is not better"."""
    from scipy.special import betainc, betaln

    n = wins + losses
    share = betainc(losses + shape, wins + shape, 0.5)  # P(Beta(w + s, l + s) > ½)
    plain = n * math.log(2) + betaln(wins + shape, losses + shape) - betaln(shape, shape)
    with np.errstate(divide="ignore"):
        return np.asarray(plain + np.log(2 * share))


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
        positive(self, "shape")
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
