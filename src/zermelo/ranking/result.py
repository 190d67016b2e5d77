"""`Ratings`: what a fit gives; small, frozen, and says how it was got."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError

if TYPE_CHECKING:
    from zermelo.report.svg import Svg

__all__ = ["FitInfo", "Ratings"]

Floats = NDArray[np.float64]
ELO = 400 / math.log(10)  # Elo points per nat


@dataclass(frozen=True)
class FitInfo:
    """How a fit was got.

    Args:
        method: Model and settings in words.
        n_battles: Comparisons used.
        iterations: Newton steps.
        gradient_norm: Largest absolute gradient at the end, in wins.
        log_likelihood: At the end, nat.
        seconds: Wall-clock.
        errors: What the intervals rest on: `sandwich`, `model`, `bootstrap`, `order of the games`, …
        warnings: What a reader must know, one line each.
    """

    method: str
    n_battles: int
    iterations: int
    gradient_norm: float
    log_likelihood: float
    seconds: float
    errors: str = "sandwich"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ratings:
    """Ratings of P players with their joint uncertainty.

    Args:
        players: Names. [P]
        rating: In logits, centred on 0 within each piece of the comparison graph; ±inf where the maximum-likelihood
            rating does not exist (a player that won or lost everything, without a prior). [P]
        covariance: Of the ratings, in logits²; rows of infinite ratings are NaN. [P, P]; with more than 2,500 players
            their variances alone. [P]
        fit: How it was got.
        games: Weighted comparisons of each player. [P]
        win_rate: Share won, ties counting ½. [P]
        piece: Which piece of the comparison graph a player belongs to; ratings of two pieces have no common scale. [P]
        extra: Other parameters: name → (estimate, standard error); `tie` (θ or ν), `home` (γ, logit), covariates.
    """

    players: tuple[str, ...]
    rating: Floats
    covariance: Floats
    fit: FitInfo
    games: Floats
    win_rate: Floats
    piece: NDArray[np.int64]
    extra: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def index(self, player: str) -> int:
        """Position of a player.

        Raises:
            SettingError: there is no such player.
        """
        try:
            return self.players.index(player)
        except ValueError:
            from zermelo.errors import nearest

            guess = nearest(player, self.players)
            hint = f"did you mean {guess!r}?" if guess else None
            raise SettingError("unknown-player", f"no player {player!r} among {len(self.players)}", hint=hint) from None

    def standard_error(self) -> Floats:
        """Of each rating, logits. [P]"""
        return np.sqrt(np.diag(self.covariance) if self.covariance.ndim == 2 else self.covariance)

    def interval(self, level: float = 0.95) -> Floats:
        """Wald interval of each rating, logits. [P, 2]"""
        half = NormalDist().inv_cdf(0.5 + level / 2) * self.standard_error()
        return np.stack([self.rating - half, self.rating + half], axis=1)

    def difference(self, a: str, b: str) -> tuple[float, float]:
        """rating(a) − rating(b) and its standard error, logits.

        Raises:
            SettingError: the two have never been compared, not even through others.
        """
        i, j = self.index(a), self.index(b)
        if self.piece[i] != self.piece[j]:
            raise SettingError(
                "no-common-scale",
                f"{a!r} and {b!r} are in different pieces of the comparison graph: no chain of battles links them",
                hint="add battles between the pieces, or a prior",
            )
        if self.covariance.ndim == 1:
            variance = self.covariance[i] + self.covariance[j]
        else:
            variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        return float(self.rating[i] - self.rating[j]), float(np.sqrt(max(variance, 0.0)))

    def ranks(self, level: float = 0.95) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rank by rating, and the best and worst rank that pairwise z tests cannot exclude. Each [P].

        Player j is surely above i where the difference is positive beyond the Holm-free Bonferroni bound over the
        P − 1 comparisons of i, so that a range misses the true rank with probability at most 1 − level.
        Players of other pieces count as undecided.
        """
        size = len(self.players)
        order = np.argsort(-self.rating, kind="stable")
        rank = np.empty(size, dtype=np.int64)
        rank[order] = np.arange(1, size + 1)
        alpha = (1 - level) / max(size - 1, 1)
        bound = NormalDist().inv_cdf(1 - alpha / 2)
        if self.covariance.ndim == 1:
            return rank, *self._ranges_by_intervals(bound)
        with np.errstate(invalid="ignore"):
            gap = self.rating[:, None] - self.rating[None, :]
            diagonal = np.diag(self.covariance)
            variance = diagonal[:, None] + diagonal[None, :] - 2 * self.covariance
            sure = gap > bound * np.sqrt(np.maximum(variance, 0))
        finite = np.isfinite(self.rating)
        sure &= finite[:, None] & finite[None, :] & (self.piece[:, None] == self.piece[None, :])
        return rank, 1 + sure.sum(axis=0), size - sure.sum(axis=1)

    def _ranges_by_intervals(self, bound: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Best and worst rank by intervals that do not overlap: for many players, and wider. Each [P]"""
        half = bound * self.standard_error()
        best, worst = np.ones(len(self.players), dtype=np.int64), np.full(len(self.players), len(self.players))
        for number in range(int(self.piece.max()) + 1) if len(self.piece) else ():
            inside = np.flatnonzero((self.piece == number) & np.isfinite(self.rating))
            low, high = self.rating[inside] - half[inside], self.rating[inside] + half[inside]
            best[inside] += len(inside) - np.searchsorted(np.sort(low), high, side="right")
            worst[inside] -= np.searchsorted(np.sort(high), low, side="left")
        return best, worst

    def predict_proba(self, pairs: NDArray[np.int64]) -> Floats:
        """P(first ≻ second) for index pairs [M, 2], ties split evenly. [M]"""
        gap = self.rating[pairs[:, 0]] - self.rating[pairs[:, 1]]
        return np.asarray(1 / (1 + np.exp(-gap)))

    def rows(self, *, level: float = 0.95, scale: float = ELO, anchor: float = 1000.0) -> list[dict[str, Any]]:
        """One dictionary per player, best first: name, rating and interval, rank and its range, games, win rate.

        Args:
            level: Of the intervals.
            scale: Points per logit (173.7178 for Elo points).
            anchor: Rating of the average player.
        """
        low, high = self.interval(level).T
        rank, best, worst = self.ranks(level)
        found = []
        for i in sorted(range(len(self.players)), key=lambda i: int(rank[i])):
            finite = bool(np.isfinite(self.rating[i]))
            found.append(
                {
                    "name": self.players[i],
                    "rating": anchor + scale * float(self.rating[i]) if finite else None,
                    "ci_low": anchor + scale * float(low[i]) if finite and np.isfinite(low[i]) else None,
                    "ci_high": anchor + scale * float(high[i]) if finite and np.isfinite(high[i]) else None,
                    "rank": int(rank[i]),
                    "rank_low": int(best[i]),
                    "rank_high": int(worst[i]),
                    "games": float(self.games[i]),
                    "win_rate": float(self.win_rate[i]) if self.win_rate[i] == self.win_rate[i] else None,
                }
            )
        return found

    def table(self, *, level: float = 0.95) -> list[dict[str, Any]]:
        """`rows` in Elo points around 1000: for `pandas.DataFrame`, Arrow, or `print_table`."""
        return self.rows(level=level)

    def to_json(self) -> dict[str, Any]:
        """The board as plain data, in the schema that `zermelo rank --json` prints."""
        from zermelo.ranking.board import Board

        return Board(self).to_json()

    def to_html(self) -> str:
        """A page in one file: table, intervals, parameters."""
        from zermelo.ranking.board import Board

        return Board(self).html()

    def plot(self, *, kind: Literal["intervals", "ranks"] = "intervals", level: float = 0.95) -> Svg:
        """Ratings with intervals, best first, Elo points; or how firm the `ranks` are.

        Args:
            kind: `intervals` or `ranks`.
            level: Of the intervals.
        """
        if kind == "ranks":
            if self.covariance.ndim == 1:
                raise SettingError("bad-setting", "ranks are drawn from a whole covariance; there are variances only")
            from zermelo.ranking.pictures import rank_draws, rank_stability

            return rank_stability(*rank_draws(self))
        from zermelo.ranking.board import Board

        return Board(self, level=level).plot()
