"""Win rates: how often one answer is preferred to the other, ties counting one half."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.evaluation.present import by_prompt, check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import bar_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean, units_of
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson
from zermelo.stats.paired import PairedTest, sign_test

__all__ = ["WinRate", "WinRateResult", "wins_by_score"]


@dataclass(frozen=True)
class WinRateResult:
    """A win rate.

    Args:
        win_rate: Mean of P(first ≻ second), a tie ½.
        wins: Comparisons above ½.
        ties: Comparisons of exactly ½.
        losses: Comparisons below ½.
        n_prompts: Independent units.
        test: Sign test over prompts against ½.
    """

    win_rate: Estimate
    wins: int
    ties: int
    losses: int
    n_prompts: int
    test: PairedTest

    def table(self) -> list[dict[str, Cell]]:
        """One row."""
        return [{"win rate": self.win_rate, "wins": self.wins, "ties": self.ties, "losses": self.losses}]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "win_rate": plain(self.win_rate.value),
            "ci_low": plain(self.win_rate.low),
            "ci_high": plain(self.win_rate.high),
            "wins": self.wins,
            "ties": self.ties,
            "losses": self.losses,
            "n_prompts": self.n_prompts,
            "p_value": plain(self.test.p_value),
        }

    def plot(self) -> Svg:
        """Wins, ties and losses as bars."""
        total = max(self.wins + self.ties + self.losses, 1)
        shares = [self.wins / total, self.ties / total, self.losses / total]
        return bar_plot(["wins", "ties", "losses"], {"share": shares}, title="Wins, ties, losses", percent_x=True)

    def show(self, page: Page) -> Page:
        """Tiles, picture and table on a page."""
        tone = "plain" if not self.win_rate.excludes(0.5) else "good" if self.win_rate.value > 0.5 else "bad"
        page.figures(
            [
                Figure("win rate", self.win_rate, percent=True, tone=tone),  # type: ignore[arg-type]
                Figure("wins", self.wins),
                Figure("ties", self.ties, note="count one half"),
                Figure("losses", self.losses),
            ]
        )
        return page.plot(self.plot()).table(self.table(), [Column("win rate", percent=True), "wins", "ties", "losses"])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Win rate")


@dataclass(frozen=True)
class WinRate:
    """Mean preference for the first of two, with a bootstrap interval over prompts.

    Where no comparison differs from another the bootstrap has no width; then the interval is Wilson's.

    Args:
        level: Coverage.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(self, prob: ArrayLike, *, prompt: ArrayLike | None = None) -> WinRateResult:
        """The win rate of the first.

        Args:
            prob: P(first ≻ second): 1 won, ½ tie, 0 lost, or a judge's probability; NaN = missing. [M]
            prompt: Prompt of each comparison, any labels; default: each its own. [M]
        Raises:
            SettingError: nothing to measure, or a value outside [0, 1].
        """
        p = np.asarray(prob, dtype=np.float64).ravel()
        known = ~np.isnan(p)
        p = p[known]
        if not len(p):
            raise SettingError("nothing-to-measure", "win rate: there is no comparison")
        if p.min() < 0 or p.max() > 1:
            raise SettingError("bad-setting", f"prob must be in [0, 1]. Got {p.min()} to {p.max()}")
        cluster = None if prompt is None else np.asarray(prompt)[known]
        n_prompts = len(p) if cluster is None else units_of(cluster)[1]
        if p.min() == p.max() or n_prompts == 1:
            rate = wilson(float(p[0]) * n_prompts, n_prompts, level=self.level)
            if n_prompts == 1:
                rate = Estimate(float(p.mean()), rate.low, rate.high, self.level, 1, "wilson")
        else:
            rate = bootstrap_mean(
                p, cluster=cluster, level=self.level, resamples=self.resamples, seed=self.seed
            ).estimate()
        test = sign_test(p, np.full(len(p), 0.5), cluster=cluster)
        wins, losses = int((p > 0.5).sum()), int((p < 0.5).sum())
        return WinRateResult(rate, wins, len(p) - wins - losses, losses, n_prompts, test)


def wins_by_score(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """P(a sample of the first scores above one of the second) on each prompt, over all pairs, ties ½.

    Args:
        first: Scores (or 1 right, 0 wrong), NaN = no sample. [G] or [G, N]
        second: The same of the other system. [G] or [G, M]
    Returns:
        NaN where one has no sample. [G]
    """
    a, b = by_prompt(first, "first"), by_prompt(second, "second")
    gap = a[:, :, None] - b[:, None, :]
    wins = np.where(np.isnan(gap), np.nan, 0.5 + 0.5 * np.sign(gap)).reshape(len(a), -1)
    known = ~np.isnan(wins)
    return np.asarray(np.where(known.any(axis=1), np.nansum(wins, axis=1) / np.maximum(known.sum(axis=1), 1), np.nan))
