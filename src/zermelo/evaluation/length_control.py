"""The win rate had both answers the same length: a logistic model of one pair of systems, read at equal lengths.

The model of many systems with instruction difficulties is in length_glm.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError, positive
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import interval_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_counts, units_of
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson

__all__ = ["LengthControlledWinRate", "LengthControlledWinRateResult"]

Floats = NDArray[np.float64]
STEEPEST = 12.0  # |a|, |b| beyond which a logistic curve is a step: P within 1e-5 of 0 or 1


@dataclass(frozen=True)
class LengthControlledWinRateResult:
    """A win rate, raw and at equal lengths.

    Args:
        raw: Mean preference.
        controlled: σ(a): the preference at equal lengths.
        slope: b: what a difference of one standard deviation (tanh) adds in logits; > 0: longer answers win.
        longer: Share of comparisons in which the first is the longer one, equal lengths ½.
        n_prompts: Independent units.
        change: controlled − raw, from the same resamples.
    """

    raw: Estimate
    controlled: Estimate
    slope: Estimate
    longer: float
    n_prompts: int
    change: Estimate

    def table(self) -> list[dict[str, Cell]]:
        """Raw and controlled."""
        return [
            {"win rate": "raw", "estimate": self.raw},
            {"win rate": "length-controlled", "estimate": self.controlled},
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "win_rate": plain(self.raw.value),
            "win_rate_length_controlled": plain(self.controlled.value),
            "raw": plain(self.raw),
            "controlled": plain(self.controlled),
            "change": plain(self.change),
            "slope": plain(self.slope),
            "longer": plain(self.longer),
            "n_prompts": self.n_prompts,
        }

    def plot(self) -> Svg:
        """Both win rates with their intervals against one half."""
        rows = [("raw", self.raw), ("length-controlled", self.controlled)]
        return interval_plot(rows, title="Win rate, raw and length-controlled", percent_x=True, reference=0.5)

    def show(self, page: Page) -> Page:
        """Tiles and picture on a page."""
        page.figures(
            [
                Figure("win rate, raw", self.raw, percent=True),
                Figure("win rate at equal lengths", self.controlled, percent=True),
                Figure("effect of length, logits", self.slope, signed=True, note="above 0: longer answers win"),
                Figure("first is the longer one", self.longer, percent=True),
            ]
        )
        return page.plot(self.plot()).table(self.table(), ["win rate", Column("estimate", "", percent=True)])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Length-controlled win rate")


@dataclass(frozen=True)
class LengthControlledWinRate:
    """Win rate at equal lengths.

        logit P(first ≻ second) = a + b · tanh(Δ / sd(Δ)),   Δ = length(first) − length(second)
        length-controlled win rate = σ(a)

    Maximum likelihood with fractional outcomes and a slight ridge on b (so that lengths that separate the outcomes
    still have a slope); sd(Δ) is the sample standard deviation, not centred, of the data at hand. The interval is a
    bootstrap over prompts of the whole fit. Where all lengths are equal it is the raw win rate. It corrects for
    length and nothing else: constant nonsense can still win, and a difference of lengths that comes with a
    difference of quality is partly taken away.

    Args:
        ridge: ½·ridge·b² is added to the negative log-likelihood, > 0.
        level: Coverage.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    Source: after "Length-Controlled AlpacaEval", 2024, arXiv 2404.04475, without difficulties and gamed baselines.
    """

    ridge: float = 0.1
    level: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        positive(self, "ridge")

    def measure(
        self, prob: ArrayLike, length: ArrayLike, other_length: ArrayLike, *, prompt: ArrayLike | None = None
    ) -> LengthControlledWinRateResult:
        """Fit one pair of systems.

        Args:
            prob: P(first ≻ second), a tie ½; NaN = missing. [M]
            length: Of the first's answers, any unit. [M]
            other_length: Of the second's. [M]
            prompt: Prompt of each comparison; default: each its own. [M]
        Raises:
            SettingError: shapes differ, nothing to measure, or a value outside [0, 1].
        """
        p = np.asarray(prob, dtype=np.float64).ravel()
        gap = np.asarray(length, dtype=np.float64).ravel() - np.asarray(other_length, dtype=np.float64).ravel()
        if p.shape != gap.shape:
            raise SettingError("bad-shape", f"{len(p)} comparisons and {len(gap)} lengths; expected as many")
        known = ~np.isnan(p) & ~np.isnan(gap)
        p, gap = p[known], gap[known]
        if not len(p):
            raise SettingError("nothing-to-measure", "length control: there is no comparison with both lengths")
        if p.min() < 0 or p.max() > 1:
            raise SettingError("bad-setting", f"prob must be in [0, 1]. Got {p.min()} to {p.max()}")
        unit, n_units = units_of(np.asarray(prompt)[known]) if prompt is not None else (np.arange(len(p)), len(p))
        spread = float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
        z = np.tanh(gap / spread) if spread > 0 else np.zeros(len(gap))

        start = _fit(p, z, np.ones((1, len(p))), self.ridge, (0.0, 0.0), tolerance=1e-10)

        def fitted(counts: Floats) -> Floats:
            weight = counts[:, unit]
            raw = weight @ p / weight.sum(axis=1)
            a, b = _fit(p, z, weight, self.ridge, (float(start[0][0]), float(start[1][0])), tolerance=1e-6)
            # without any difference of lengths the fit is the raw rate, whatever the Newton steps left over
            controlled = 1 / (1 + np.exp(-a)) if spread > 0 else raw
            return np.stack([raw, controlled, b, controlled - raw], axis=1)

        boot = bootstrap_counts(fitted, n_units, level=self.level, resamples=self.resamples, seed=self.seed)
        raw, controlled, slope, change = (boot.estimate(i) for i in range(4))
        if p.min() == p.max():  # resamples never differ; that is no certainty
            raw = controlled = wilson(float(p[0]) * n_units, n_units, level=self.level)
        longer = float(np.mean(0.5 + 0.5 * np.sign(gap)))
        return LengthControlledWinRateResult(raw, controlled, slope, longer, n_units, change)


def _fit(
    p: Floats, z: Floats, weight: Floats, ridge: float, start: tuple[float, float], *, tolerance: float
) -> tuple[Floats, Floats]:
    """a [B] and b [B] by Newton's method, all resamples at once; steps and parameters are bounded."""
    a, b = np.full(len(weight), start[0]), np.full(len(weight), start[1])
    for _ in range(60):
        q = 1 / (1 + np.exp(-(a[:, None] + b[:, None] * z)))
        residual, curvature = weight * (p - q), weight * q * (1 - q)
        g_a, g_b = residual.sum(axis=1), residual @ z - ridge * b
        # a floor keeps the step finite where every outcome is sure
        h_aa, h_ab, h_bb = curvature.sum(axis=1) + 1e-9, curvature @ z, curvature @ (z * z) + ridge
        determinant = h_aa * h_bb - h_ab**2
        step_a, step_b = (h_bb * g_a - h_ab * g_b) / determinant, (h_aa * g_b - h_ab * g_a) / determinant
        scale = np.minimum(1.0, 2.0 / np.maximum(np.maximum(np.abs(step_a), np.abs(step_b)), 1e-12))
        a, b = (
            np.clip(a + scale * step_a, -STEEPEST, STEEPEST),
            np.clip(b + scale * step_b, -STEEPEST, STEEPEST),
        )
        if max(np.abs(step_a * scale).max(), np.abs(step_b * scale).max()) < tolerance:
            break
    return a, b
