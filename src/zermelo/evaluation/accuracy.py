"""Accuracy before and after on the same prompts, and the paired gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import SettingError
from zermelo.evaluation.present import by_prompt, check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import interval_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import newcombe_paired, wilson
from zermelo.stats.paired import PairedTest, mcnemar, sign_test

__all__ = ["Accuracy", "PairedAccuracy", "PairedAccuracyResult"]


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers of one system: mean over prompts of the share of its samples that are right.

    Wilson's interval where every prompt has one sample, else a bootstrap over prompts.

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

    def measure(self, correct: ArrayLike) -> Estimate:
        """The accuracy.

        Args:
            correct: 1 right, 0 wrong, NaN no sample. [G] or [G, N]
        """
        table = by_prompt(correct, "correct")
        known = ~np.isnan(table)
        table, known = table[known.any(axis=1)], known[known.any(axis=1)]
        if len(table) and (known.sum(axis=1) == 1).all() and np.isin(table[known], (0, 1)).all():
            return wilson(float(table[known].sum()), len(table), level=self.level)
        mean = np.nanmean(table, axis=1) if len(table) else np.zeros(0)
        if len(mean) and mean.min() == mean.max() and mean[0] in (0.0, 1.0):
            return wilson(float(mean.sum()), len(mean), level=self.level)  # resamples would never differ
        return bootstrap_mean(mean, level=self.level, resamples=self.resamples, seed=self.seed).estimate()


@dataclass(frozen=True)
class PairedAccuracyResult:
    """Accuracy before and after on the same prompts.

    Args:
        before: Accuracy of the first system.
        after: Accuracy of the second.
        gain: after − before, paired by prompt.
        test: McNemar's test with one sample a prompt, else the sign test over prompts.
        n_prompts: Prompts that both answered.
        n_unpaired: Prompts left out because one system has no sample.
    """

    before: Estimate
    after: Estimate
    gain: Estimate
    test: PairedTest
    n_prompts: int
    n_unpaired: int

    def table(self) -> list[dict[str, Cell]]:
        """One row for each figure."""
        return [
            {"what": "accuracy before", "estimate": self.before},
            {"what": "accuracy after", "estimate": self.after},
            {"what": "gain", "estimate": self.gain},
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; shares as fractions, the interval that of the gain."""
        return {
            "accuracy_before": plain(self.before.value),
            "accuracy_after": plain(self.after.value),
            "accuracy_gain": plain(self.gain.value),
            "ci_low": plain(self.gain.low),
            "ci_high": plain(self.gain.high),
            "before": plain(self.before),
            "after": plain(self.after),
            "gain": plain(self.gain),
            "test": plain(self.test.to_json()),
            "n_prompts": self.n_prompts,
            "n_unpaired": self.n_unpaired,
        }

    def plot(self) -> Svg:
        """Both accuracies with their intervals."""
        rows = [("before", self.before), ("after", self.after)]
        return interval_plot(rows, title="Accuracy", x_label="share right", percent_x=True)

    def show(self, page: Page) -> Page:
        """Tiles, picture and table on a page."""
        tone = "plain" if not self.gain.excludes(0) else "good" if self.gain.value > 0 else "bad"
        page.figures(
            [
                Figure("before", self.before, percent=True),
                Figure("after", self.after, percent=True),
                Figure("gain, points", self.gain.scaled(100), signed=True, tone=tone),  # type: ignore[arg-type]
                Figure(f"p, {self.test.name}", self.test.p_value, note=f"{self.n_prompts:,} prompts"),
            ]
        )
        return page.plot(self.plot()).table(self.table(), ["what", Column("estimate", "", percent=True)])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Accuracy before and after")


@dataclass(frozen=True)
class PairedAccuracy:
    """Gain in accuracy on the same prompts.

        gain = (1/G) Σ_g (mean_j after_gj − mean_j before_gj)

    With one sample a prompt the interval is Newcombe's for paired proportions and the test McNemar's; with several,
    whole prompts are resampled (samples of one prompt are no independent trials) and the test is the sign test.

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

    def measure(self, before: ArrayLike, after: ArrayLike) -> PairedAccuracyResult:
        """Compare two systems; row g of both is the same prompt.

        Args:
            before: 1 right, 0 wrong, NaN no sample. [G] or [G, N]
            after: The same of the other system; may have another number of samples. [G] or [G, M]
        Raises:
            SettingError: the numbers of prompts differ, or no prompt has samples of both.
        """
        first, second = by_prompt(before, "before"), by_prompt(after, "after")
        if len(first) != len(second):
            raise SettingError("bad-shape", f"before has {len(first)} prompts, after {len(second)}; expected as many")
        both = ~np.isnan(first).all(axis=1) & ~np.isnan(second).all(axis=1)
        if not both.any():
            raise SettingError("nothing-to-measure", "paired accuracy: no prompt has samples of both systems")
        first, second = first[both], second[both]
        a, b = np.nanmean(first, axis=1), np.nanmean(second, axis=1)
        alone = Accuracy(self.level, self.resamples, self.seed)
        if _single(first) and _single(second):
            counts = [int(((a == x) & (b == y)).sum()) for x, y in ((1, 1), (0, 1), (1, 0), (0, 0))]
            gain, test = newcombe_paired(*counts, level=self.level), mcnemar(b, a)
        else:
            boot = bootstrap_mean(b - a, level=self.level, resamples=self.resamples, seed=self.seed)
            gain, test = boot.estimate(), sign_test(b, a)
        return PairedAccuracyResult(
            alone.measure(first), alone.measure(second), gain, test, int(both.sum()), int((~both).sum())
        )


def _single(table: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    known = ~np.isnan(table)
    return bool((known.sum(axis=1) == 1).all() and np.isin(table[known], (0, 1)).all())
