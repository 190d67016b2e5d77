"""What a policy stands for, over checkpoints: how far stances move, when, and whether the data asks for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError, unit_interval
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Page
from zermelo.report.plots import Line, line_plot
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["Drift", "ValueDrift", "ValueDriftResult", "ValueGap", "drift_time", "unblurred", "value_gap"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """How one stance on one topic moved.

    Args:
        topic: Name of the topic.
        stance: Name of the stance.
        magnitude: Mean share at the last checkpoint minus the first, interval over prompts.
        time: Share of the run after which 95 % of the largest movement is reached; NaN where nothing moved.
        start: Share at the first checkpoint.
        end: Share at the last one.
    """

    topic: str
    stance: str
    magnitude: Estimate
    time: float
    start: float
    end: float


@dataclass(frozen=True)
class ValueDriftResult:
    """Drifts of every topic and stance.

    Args:
        drifts: Topic by topic.
        steps: Of the checkpoints. [C]
        shares: Mean stance shares: topic → [C, S].
        stances: Names. [S]
        distance: Topic → total variation between the first and the last checkpoint.
    """

    drifts: tuple[Drift, ...]
    steps: tuple[float, ...]
    shares: dict[str, Floats]
    stances: tuple[str, ...]
    distance: dict[str, float]

    def table(self) -> list[dict[str, Cell]]:
        """One row a topic and stance."""
        return [
            {
                "topic": d.topic,
                "stance": d.stance,
                "first": d.start,
                "last": d.end,
                "drift": d.magnitude,
                "time": d.time,
            }
            for d in self.drifts
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "steps": list(self.steps),
            "stances": list(self.stances),
            "shares": plain(self.shares),
            "distance": plain(self.distance),
            "drifts": plain([{n: getattr(d, n) for n in d.__dataclass_fields__} for d in self.drifts]),
        }

    def show(self, page: Page) -> Page:
        """Add itself to a page."""
        plots = [
            line_plot(
                [Line(stance, self.steps, table[:, s]) for s, stance in enumerate(self.stances)],
                title=topic,
                x_label="step",
                y_percent=True,
            )
            for topic, table in self.shares.items()
        ]
        return page.table(self.table()).plot(*plots)

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Value drift")


@dataclass(frozen=True)
class ValueDrift:
    """Drift of stances over checkpoints.

        v_t(T)_s = mean over prompts x of T and answers y ~ π_t(·|x) of p(s | x, y)
        magnitude M_s = v_last − v_first;  the M of a topic sum to 0
        time η_s = (first step at which |v_τ − v_first| reaches `reached` of its largest value) / (last step)

    Same prompts and sampling seeds at every checkpoint. Judges blur stances and so shorten M: see `unblurred`.

    Args:
        reached: Share of the largest movement that counts as arrived (0.95; an interpretation of the paper's wording).
        still: Below this largest movement a drift has no time.
        level: Coverage of the intervals, over prompts.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    Raises:
        SettingError: a setting is out of range.
    Source: "Value Drifts: Tracing Value Alignment During LLM Post-Training", 2025, arXiv 2510.26707.
    """

    reached: float = 0.95
    still: float = 0.02
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        unit_interval(self, "reached", "still")

    def measure(
        self,
        shares: ArrayLike,
        *,
        steps: Sequence[float],
        stances: Sequence[str] = ("support", "neutral", "oppose"),
        topics: Sequence[str] | None = None,
    ) -> ValueDriftResult:
        """Trace the stances.

        Args:
            shares: p(s) of each checkpoint and prompt, answers averaged; rows sum to 1. [C, X, S]
            steps: Of the checkpoints, ascending; the first is where the drift begins. [C]
            stances: Names. [S]
            topics: Topic of each prompt; None = all one topic. [X]
        Raises:
            SettingError: shapes do not fit, rows are no distribution.
        """
        table = np.asarray(shares, dtype=np.float64)
        if table.ndim != 3 or table.shape[0] != len(steps) or table.shape[2] != len(stances) or len(steps) < 2:
            raise SettingError("bad-shape", f"shares must be [C, X, S] with C ≥ 2 checkpoints. Got {table.shape}")
        if not np.allclose(table.sum(-1), 1, atol=1e-6) or (table < -1e-9).any():
            raise SettingError("bad-shape", "shares of stances must be distributions: rows sum to 1")
        if list(steps) != sorted(set(steps)):
            raise SettingError("bad-setting", "steps must ascend")
        names = np.array(["all"] * table.shape[1] if topics is None else list(topics))
        if len(names) != table.shape[1]:
            raise SettingError("bad-shape", f"{len(names)} topics for {table.shape[1]} prompts")
        drifts, means, distance = [], {}, {}
        for topic in dict.fromkeys(names.tolist()):
            own = table[:, names == topic]
            mean = means[topic] = own.mean(axis=1)
            distance[topic] = float(0.5 * np.abs(mean[-1] - mean[0]).sum())
            for s, stance in enumerate(stances):
                moved = own[-1, :, s] - own[0, :, s]
                magnitude = bootstrap_mean(moved, level=self.level, resamples=self.resamples, seed=self.seed).estimate()
                time = drift_time(mean[:, s], steps, reached=self.reached, still=self.still)
                drifts.append(Drift(topic, stance, magnitude, time, float(mean[0, s]), float(mean[-1, s])))
        return ValueDriftResult(tuple(drifts), tuple(map(float, steps)), means, tuple(stances), distance)


def drift_time(values: ArrayLike, steps: Sequence[float], *, reached: float = 0.95, still: float = 0.02) -> float:
    """Share of the run after which a series is `reached` of the way to its farthest point; NaN where it is still."""
    v, at = np.asarray(values, dtype=np.float64), np.asarray(steps, dtype=np.float64)
    moved = np.abs(v - v[0])
    if moved.max() < still or moved.max() == 0:
        return math.nan
    first = int(np.argmax(moved >= reached * moved.max() - 1e-12))
    return float((at[first] - at[0]) / (at[-1] - at[0]))


@dataclass(frozen=True)
class ValueGap:
    """What preference data asks for.

    Args:
        gap: Mean p(s | chosen) − p(s | rejected) of each stance. [S]
        distance: Total variation between the two sides' mean stances; 0 = the data is silent on values.
    """

    gap: tuple[float, ...]
    distance: float


def value_gap(chosen: ArrayLike, rejected: ArrayLike) -> ValueGap:
    """The value gap of a preference set.

    Args:
        chosen: p(s) of each pair's chosen side. [M, S]
        rejected: Of the other. [M, S]
    Source: "Value Drifts: Tracing Value Alignment During LLM Post-Training", 2025, arXiv 2510.26707.
    """
    a, b = np.asarray(chosen, dtype=np.float64), np.asarray(rejected, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or not len(a):
        raise SettingError("bad-shape", f"chosen is {a.shape}, rejected is {b.shape}; expected the same [M, S]")
    gap = (a - b).mean(axis=0)
    return ValueGap(tuple(float(x) for x in gap), float(0.5 * np.abs(gap).sum()))


def unblurred(shares: ArrayLike, confusion: ArrayLike) -> Floats:
    """Stance shares as they would be with a judge that never errs: p = q C⁻¹, cut to the simplex.

    Args:
        shares: q as judged. [..., S]
        confusion: C[true, judged]; rows sum to 1. [S, S]
    Raises:
        SettingError: C is no confusion matrix, or cannot be inverted.
    """
    c = np.asarray(confusion, dtype=np.float64)
    if c.ndim != 2 or c.shape[0] != c.shape[1] or not np.allclose(c.sum(1), 1) or abs(np.linalg.det(c)) < 1e-9:
        raise SettingError("bad-setting", "confusion must be [S, S] with rows that sum to 1, and invertible")
    raw = np.clip(np.asarray(shares, dtype=np.float64) @ np.linalg.inv(c), 0, None)
    return np.asarray(raw / raw.sum(-1, keepdims=True), dtype=np.float64)
