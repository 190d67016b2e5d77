"""Are stated probabilities met? Calibration of judges, reward models and forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import reliability_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.calibration import BrierParts, Reliability, brier_decomposition, calibration_error, reliability_curve
from zermelo.stats.estimate import Estimate
from zermelo.stats.proper_scores import brier_score, log_loss

__all__ = ["Calibration", "CalibrationResult"]


@dataclass(frozen=True)
class CalibrationResult:
    """Stated probabilities against outcomes.

    Args:
        error: Expected calibration error.
        brier: Mean (p − y)².
        log_loss: Mean −log p(y), nat.
        accuracy: Share with the right side of ½; p = ½ or a tie counts ½.
        confidence: Mean of max(p, 1 − p).
        parts: Of the Brier score.
        curve: Reliability.
        n: Forecasts.
    """

    error: Estimate
    brier: Estimate
    log_loss: Estimate
    accuracy: Estimate
    confidence: float
    parts: BrierParts
    curve: Reliability
    n: int

    def table(self) -> list[dict[str, Cell]]:
        """The reliability curve, one row a bin."""
        c = self.curve
        return [
            {
                "stated": float(c.stated[i]),
                "observed": Estimate(float(c.observed[i]), float(c.low[i]), float(c.high[i])),
                "n": int(c.count[i]),
            }
            for i in range(len(c.count))
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "ece": plain(self.error),
            "brier": plain(self.brier),
            "log_loss": plain(self.log_loss),
            "accuracy": plain(self.accuracy),
            "confidence": plain(self.confidence),
            "brier_parts": {
                "reliability": self.parts.reliability,
                "resolution": self.parts.resolution,
                "uncertainty": self.parts.uncertainty,
            },
            "bins": [
                {"stated": row["stated"], "observed": plain(row["observed"]), "n": row["n"]} for row in self.table()
            ],
            "n": self.n,
        }

    def plot(self) -> Svg:
        """The reliability diagram."""
        return reliability_plot(self.curve, title="Reliability")

    def show(self, page: Page) -> Page:
        """Tiles, diagram and bins on a page."""
        page.figures(
            [
                Figure("expected calibration error", self.error),
                Figure("Brier score", self.brier),
                Figure("log-loss", self.log_loss, note="nat"),
                Figure("accuracy", self.accuracy, percent=True, note=f"mean confidence {100 * self.confidence:.1f} %"),
            ]
        )
        columns: list[Column | str] = [Column("stated", percent=True), Column("observed", percent=True), "n"]
        return page.plot(self.plot()).table(self.table(), columns)

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Calibration")


@dataclass(frozen=True)
class Calibration:
    """Calibration of probabilities, with bootstrap intervals over independent units.

    Args:
        bins: Of the reliability curve.
        binning: `width` or `mass`.
        level: Coverage.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    """

    bins: int = 10
    binning: Literal["width", "mass"] = "width"
    level: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(
        self, prob: ArrayLike, outcome: ArrayLike, *, cluster: ArrayLike | None = None, symmetric: bool = False
    ) -> CalibrationResult:
        """Compare stated probabilities with what came.

        Args:
            prob: P(y = 1); NaN = missing. [N]
            outcome: y in 0…1 (a tie ½). [N]
            cluster: Independent unit of each row (prompt). [N]
            symmetric: Rows are pairs whose order means nothing: each also counts turned round (1 − p, 1 − y), in the
                same unit. Needed where the preferred answer always stands first.
        Raises:
            SettingError: shapes differ, or nothing to measure.
        """
        p, y = np.asarray(prob, dtype=np.float64).ravel(), np.asarray(outcome, dtype=np.float64).ravel()
        if p.shape != y.shape:
            raise SettingError("bad-shape", f"{len(p)} probabilities and {len(y)} outcomes; expected as many")
        known = ~np.isnan(p) & ~np.isnan(y)
        p, y = p[known], y[known]
        unit = np.arange(len(p)) if cluster is None else np.asarray(cluster)[known]
        n = len(p)
        if symmetric:
            p, y, unit = np.concatenate([p, 1 - p]), np.concatenate([y, 1 - y]), np.concatenate([unit, unit])
        curve = reliability_curve(p, y, bins=self.bins, binning=self.binning, level=self.level)
        error = calibration_error(
            p,
            y,
            bins=self.bins,
            binning=self.binning,
            cluster=unit,
            level=self.level,
            resamples=self.resamples,
            seed=self.seed,
        )
        right = np.where((p == 0.5) | (y == 0.5), 0.5, (p > 0.5) == (y > 0.5))
        boot = bootstrap_mean(
            np.stack([brier_score(p, y), log_loss(p, y), right], axis=1),
            cluster=unit,
            level=self.level,
            resamples=self.resamples,
            seed=self.seed,
        )
        parts = brier_decomposition(p, y, bins=self.bins, binning=self.binning)
        confidence = float(np.maximum(p, 1 - p).mean())
        return CalibrationResult(
            error, boot.estimate(0), boot.estimate(1), boot.estimate(2), confidence, parts, curve, n
        )
