"""Does a scorer order pairs as people do? Accuracy, log-loss and calibration on pairs, beside the longer answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import SettingError, positive
from zermelo.evaluation.calibration import Calibration, CalibrationResult
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import histogram, reliability_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["RewardModelAccuracy", "RewardModelAccuracyResult"]


@dataclass(frozen=True)
class RewardModelAccuracyResult:
    """A scorer on pairs.

    Args:
        accuracy: Share of decided pairs in which the preferred answer scores higher, equal scores ½.
        length_accuracy: The same of "the longer one is better"; None without lengths.
        beyond_length: accuracy − length_accuracy, paired.
        calibration: Of σ((r_i − r_j) / temperature).
        margins: r_preferred − r_other of the decided pairs. [M]
        n_pairs: Decided pairs.
        n_tied_pairs: Pairs that people called equal; they count in the calibration only.
    """

    accuracy: Estimate
    length_accuracy: Estimate | None
    beyond_length: Estimate | None
    calibration: CalibrationResult
    margins: np.ndarray[Any, np.dtype[np.float64]]
    n_pairs: int
    n_tied_pairs: int

    def table(self) -> list[dict[str, Cell]]:
        """The scorer beside the baseline."""
        rows: list[dict[str, Cell]] = [{"orders pairs by": "scorer", "accuracy": self.accuracy}]
        if self.length_accuracy is not None:
            rows.append({"orders pairs by": "length alone", "accuracy": self.length_accuracy})
        return [*rows, {"orders pairs by": "chance", "accuracy": 0.5}]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "reward_accuracy": plain(self.accuracy.value),
            "ci_low": plain(self.accuracy.low),
            "ci_high": plain(self.accuracy.high),
            "length_accuracy": plain(self.length_accuracy),
            "beyond_length": plain(self.beyond_length),
            "ece": plain(self.calibration.error.value),
            "log_loss": plain(self.calibration.log_loss.value),
            "brier": plain(self.calibration.brier.value),
            "calibration": self.calibration.to_json(),
            "n_pairs": self.n_pairs,
            "n_tied_pairs": self.n_tied_pairs,
        }

    def plot(self) -> Svg:
        """The reliability diagram."""
        return reliability_plot(self.calibration.curve, title="Reliability of the scorer on pairs")

    def show(self, page: Page) -> Page:
        """Tiles, diagrams and table on a page."""
        figures = [Figure("pair accuracy", self.accuracy, percent=True, note=f"{self.n_pairs:,} pairs")]
        if self.length_accuracy is not None:
            figures.append(Figure("length alone", self.length_accuracy, percent=True))
        figures += [
            Figure("calibration error", self.calibration.error),
            Figure("log-loss", self.calibration.log_loss, note="nat; guessing ½ has 0.693"),
        ]
        margins = histogram({"pairs": self.margins}, title="Margin of the preferred answer", x_label="score difference")
        page.figures(figures).plot(self.plot(), margins)
        return page.table(self.table(), ["orders pairs by", Column("accuracy", percent=True)])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Reward model on pairs")


@dataclass(frozen=True)
class RewardModelAccuracy:
    """Accuracy and calibration of a scorer on pairs; P(i ≻ j) = σ((r_i − r_j) / temperature).

    Pairs count in both orders for the calibration, so that it does not matter which side stands first.

    Args:
        temperature: Of the sigmoid, in units of the scores.
        bins: Of the reliability curve.
        level: Coverage.
        resamples: Of the bootstrap over prompts.
        seed: Of the resamples.
    """

    temperature: float = 1.0
    bins: int = 10
    level: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        positive(self, "temperature")

    def measure(
        self,
        margin: ArrayLike,
        prob: ArrayLike | None = None,
        *,
        prompt: ArrayLike | None = None,
        length_margin: ArrayLike | None = None,
    ) -> RewardModelAccuracyResult:
        """Compare score differences with preferences.

        Args:
            margin: r_i − r_j of each pair; NaN = not scored. [M]
            prob: Stated P(i ≻ j): 1, 0, ½ or a probability; default: i is always the preferred one. [M]
            prompt: Prompt of each pair. [M]
            length_margin: length_i − length_j, for the baseline. [M]
        Raises:
            SettingError: shapes differ, or no decided pair has scores.
        """
        gap = np.asarray(margin, dtype=np.float64).ravel()
        said = np.ones(len(gap)) if prob is None else np.asarray(prob, dtype=np.float64).ravel()
        longer = None if length_margin is None else np.asarray(length_margin, dtype=np.float64).ravel()
        unit = np.arange(len(gap)) if prompt is None else np.asarray(prompt)
        sizes = {len(gap), len(said), len(unit), len(gap) if longer is None else len(longer)}
        if len(sizes) != 1:
            raise SettingError(
                "bad-shape", f"pairs, preferences, prompts and lengths differ in number: {sorted(sizes)}"
            )
        known = ~np.isnan(gap) & ~np.isnan(said)
        decided = known & (said != 0.5)
        if not decided.any():
            raise SettingError("nothing-to-measure", "reward model: no decided pair has both scores")
        sign = np.sign(said - 0.5)
        columns = [_right(gap * sign)]
        if longer is not None:
            columns += [_right(longer * sign), _right(gap * sign) - _right(longer * sign)]
        boot = bootstrap_mean(
            np.stack(columns, axis=1)[decided],
            cluster=unit[decided],
            level=self.level,
            resamples=self.resamples,
            seed=self.seed,
        )
        stated = 1 / (1 + np.exp(-np.clip(gap[known] / self.temperature, -700, 700)))
        calibration = Calibration(bins=self.bins, level=self.level, resamples=self.resamples, seed=self.seed).measure(
            stated, said[known], cluster=unit[known], symmetric=True
        )
        return RewardModelAccuracyResult(
            boot.estimate(0),
            boot.estimate(1) if longer is not None else None,
            boot.estimate(2) if longer is not None else None,
            calibration,
            (gap * sign)[decided],
            int(decided.sum()),
            int((known & ~decided).sum()),
        )


def _right(margin: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """1 where positive, ½ where zero, 0 where negative, NaN where unknown."""
    return np.asarray(np.where(np.isnan(margin), np.nan, 0.5 + 0.5 * np.sign(margin)))
