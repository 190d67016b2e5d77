"""Does a judge favour its own answers, or are they better? The DBG score; and verdicts asked for in both orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, one_of
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Page
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["SelfPreference", "SelfPreferenceResult", "both_orders", "majority"]

Floats = NDArray[np.float64]


def both_orders(when_first: ArrayLike, when_second: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """P(a ≻ b) of a judge that was asked twice, and whether it said the same both times. [N] each

    Args:
        when_first: P(a ≻ b) when a was shown first: 1, 0, ½ for a tie, or a probability; NaN = unparsed. [N]
        when_second: P(a ≻ b), still of a, when a was shown second. [N]
    Returns:
        The mean of the two (½ where two plain verdicts disagree), NaN where either is; consistent is False there.
    Raises:
        DataError: different numbers, or a value outside [0, 1].
    """
    a, b = np.asarray(when_first, dtype=np.float64), np.asarray(when_second, dtype=np.float64)
    if a.shape != b.shape:
        raise DataError("bad-shape", f"{a.shape} verdicts in one order, {b.shape} in the other; expected as many")
    for values in (a, b):
        if not (np.isnan(values) | ((values >= 0) & (values <= 1))).all():
            raise DataError("off-scale", "a verdict is P(a ≻ b): 1, 0, ½ for a tie, or a probability")
    return (a + b) / 2, np.sign(a - 0.5) == np.sign(b - 0.5)


def majority(votes: ArrayLike) -> Floats:
    """The side that most votes are on: 1, 0, or ½ where they are even. votes P(a ≻ b), NaN = none. [N, V] → [N]"""
    table = np.asarray(votes, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    balance = np.nansum(np.sign(table - 0.5), axis=1)
    return np.where(np.isnan(table).all(axis=1), np.nan, 0.5 + 0.5 * np.sign(balance))


@dataclass(frozen=True)
class SelfPreferenceResult:
    """Self-preference of one judge. All in percentage points.

    Args:
        dbg: Judge's win rate of its own answers minus the gold judges'; above 0 it favours itself.
        by_judge: 100 · mean preference for its own answers.
        by_gold: The same by the gold judges, on the same prompts.
        naive: Judge's win rate of its own answers minus what the *other* contestant gives them: confounded by quality;
            NaN without the other's verdicts.
        n: Prompts with verdicts of both.
        left_out: Prompts without.
    """

    dbg: Estimate
    by_judge: Estimate
    by_gold: Estimate
    naive: Estimate
    n: int
    left_out: int

    def table(self) -> list[dict[str, Cell]]:
        """One row a figure."""
        rows: list[dict[str, Cell]] = [
            {"figure": "win rate by the judge itself", "points": self.by_judge},
            {"figure": "win rate by gold judges", "points": self.by_gold},
            {"figure": "self-preference (DBG)", "points": self.dbg},
        ]
        if not np.isnan(self.naive.value):
            rows.append({"figure": "against the other's verdicts (confounded)", "points": self.naive})
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        named = {"dbg": self.dbg, "by_judge": self.by_judge, "by_gold": self.by_gold, "naive": self.naive}
        return {key: plain(value) for key, value in named.items()} | {"n": self.n, "left_out": self.left_out}

    def show(self, page: Page) -> Page:
        """The table on a page."""
        return page.table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Self-preference")


@dataclass(frozen=True)
class SelfPreference:
    """The DBG score: "difference between judge and gold".

        DBG = 100 · mean(own) − 100 · mean(gold),   own, gold ∈ {0, ½, 1}: preference for the judge's own answer

    A judge that finds its own answers better may be right. Gold judges, strong and of other families than both
    contestants, say how good the answers are; what the judge adds to that is self-preference. A judge that is noisier
    than the majority of the gold votes is pulled towards 50 %: with very unequal contestants DBG then strays from 0 by
    some points without any self-preference (5 to 8 in our simulation), upwards for the weaker one. `gold="mean"` takes
    the mean of the gold votes, as noisy as one of them, which mends that where they are as noisy as the judge.

    Args:
        gold: `majority` of the votes (the paper's), or their `mean`.
        level: Coverage.
        resamples: Of the bootstrap over prompts; judge and gold are resampled together.
        seed: Of the resamples.
    Source: "Beyond the Surface: Measuring Self-Preference in LLM Judgments", 2025, arXiv 2506.02592.
    """

    gold: Literal["majority", "mean"] = "majority"
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        one_of(self, "gold", ("majority", "mean"))

    def measure(
        self, own: ArrayLike, gold: ArrayLike, *, other: ArrayLike | None = None, prompt: ArrayLike | None = None
    ) -> SelfPreferenceResult:
        """Measure one judge against gold votes.

        Args:
            own: The judge's P(its own ≻ the other's answer), both orders averaged (`both_orders`): above ½ counts 1,
                below 0, exactly ½ one half. NaN = no verdict. [N]
            gold: P(the same answer ≻ the other) of the gold judges, one column a vote; their majority counts. [N, V] or
                [N]
            other: The other contestant's verdicts, still P(the judge's own ≻ the other's). [N]
            prompt: Prompt of each row, where prompts repeat. [N]
        Raises:
            DataError: different numbers, a value outside [0, 1].
            SettingError: no prompt has verdicts of both.
        """
        columns = [np.asarray(own, dtype=np.float64), np.asarray(gold, dtype=np.float64)]
        columns.append(np.full(columns[0].shape, np.nan) if other is None else np.asarray(other, dtype=np.float64))
        if columns[0].ndim != 1 or any(len(c) != len(columns[0]) for c in columns):
            raise DataError("bad-shape", f"verdicts differ in number: {[c.shape for c in columns]}")
        if any(((c < 0) | (c > 1)).any() for c in columns):
            raise DataError("off-scale", "a verdict is P(own ≻ other): 1, 0, ½ for a tie, or a probability")
        judge, by_gold, rival = (majority(c) for c in columns)
        if self.gold == "mean":
            votes = columns[1][:, None] if columns[1].ndim == 1 else columns[1]
            there = ~np.isnan(votes)
            with np.errstate(invalid="ignore"):
                by_gold = np.where(there, votes, 0.0).sum(axis=1) / there.sum(axis=1)
        known = ~np.isnan(judge) & ~np.isnan(by_gold)
        if not known.any():
            raise SettingError("nothing-to-measure", "self-preference: no prompt has verdicts of judge and gold")
        judge, by_gold, rival = 100 * judge[known], 100 * by_gold[known], 100 * rival[known]
        boot = bootstrap_mean(
            np.stack([judge - by_gold, judge, by_gold], axis=1),
            cluster=None if prompt is None else np.asarray(prompt)[known],
            level=self.level,
            resamples=self.resamples,
            seed=self.seed,
        )
        naive = Estimate(float("nan"))
        if not np.isnan(rival).all():
            both = ~np.isnan(rival)
            unit = None if prompt is None else np.asarray(prompt)[known][both]
            naive = bootstrap_mean(
                (judge - rival)[both], cluster=unit, level=self.level, resamples=self.resamples, seed=self.seed
            ).estimate()
        return SelfPreferenceResult(
            boot.estimate(0), boot.estimate(1), boot.estimate(2), naive, int(known.sum()), int((~known).sum())
        )
