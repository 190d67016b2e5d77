"""Which factor matters? One factor changed at a time from a baseline, category by category."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from zermelo.errors import SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Page
from zermelo.report.plots import interval_plot
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["FactorStudy", "Record", "StudyReport"]

Levels = Mapping[str, str]  # factor → level
OVERALL = "overall"


@dataclass(frozen=True)
class Record:
    """One run of a study.

    Args:
        levels: Factor → level.
        seed: Of the run.
        scores: Category → score, higher is better; `overall` is the mean of categories.
    """

    levels: Levels
    seed: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class StudyReport:
    """What a study found.

    Args:
        records: Every run.
        deltas: (factor, level, category) → level minus baseline, paired by seed, interval over seeds.
        ranges: Factor → largest minus smallest overall score of its levels, the baseline's among them; largest first.
        baseline: The levels that everything else was held at.
    """

    records: tuple[Record, ...]
    deltas: Mapping[tuple[str, str, str], Estimate]
    ranges: Mapping[str, float]
    baseline: Levels

    def table(self) -> list[dict[str, Cell]]:
        """One row a factor and level, one column a category."""
        rows: dict[tuple[str, str], dict[str, Cell]] = {}
        for (factor, level, category), delta in self.deltas.items():
            rows.setdefault((factor, level), {"factor": factor, "level": level})[category] = delta
        return list(rows.values())

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "baseline": dict(self.baseline),
            "ranges": dict(self.ranges),
            "deltas": [
                {"factor": f, "level": v, "category": c, **delta.to_json()} for (f, v, c), delta in self.deltas.items()
            ],
            "records": plain(
                [{"levels": dict(r.levels), "seed": r.seed, "scores": dict(r.scores)} for r in self.records]
            ),
        }

    def show(self, page: Page) -> Page:
        """Add itself to a page."""
        rows = self.table()
        page.table(rows, [Column(key, signed=key not in ("factor", "level")) for key in (rows[0] if rows else ())])
        own = [(f"{f}: {v}", delta) for (f, v, c), delta in self.deltas.items() if c == OVERALL]
        return page.plot(interval_plot(own, title="Overall, against the baseline", reference=0.0))

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Factor study")


@dataclass(frozen=True)
class FactorStudy:
    """A controlled study of factors: one start, one evaluation, one factor changed at a time.

        delta(f, v, c) = mean over seeds of score_c(baseline with f = v, seed) − score_c(baseline, seed)
        range(f)       = max − min over the levels of f of the overall score;  overall = mean of categories

    Categories are plain means of their tasks, whatever their number, so that a category of ten tasks does not weigh ten
    times one of one. What is compared must not differ in anything else: the same number of pairs, epochs, seeds.

    Args:
        factors: Factor → levels; the first level is the baseline.
        categories: Category → names of its tasks.
        level: Coverage of the intervals.
        resamples: Of the bootstrap over seeds.
        seed: Of the resamples.
    Raises:
        SettingError: a factor without levels, or a category without tasks.
    Source: "Unpacking DPO and PPO: Disentangling Best Practices for Learning from Preference Feedback", 2024,
        arXiv 2406.09279.
    """

    factors: Mapping[str, Sequence[str]]
    categories: Mapping[str, Sequence[str]]
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        for what, table in (("factors", self.factors), ("categories", self.categories)):
            for name, values in table.items():
                if not values or len(set(values)) < len(values):
                    raise SettingError(
                        "bad-setting", f"FactorStudy.{what}[{name!r}] needs different names, at least one"
                    )
        if not self.factors or not self.categories or OVERALL in self.categories:
            raise SettingError("bad-setting", f"FactorStudy needs factors and categories, none named {OVERALL!r}")

    @property
    def baseline(self) -> dict[str, str]:
        """The first level of every factor."""
        return {factor: levels[0] for factor, levels in self.factors.items()}

    def cells(self) -> list[dict[str, str]]:
        """The baseline, then every other level of each factor with the rest held at the baseline."""
        others = [{**self.baseline, factor: level} for factor, levels in self.factors.items() for level in levels[1:]]
        return [self.baseline, *others]

    def run(self, evaluate: Callable[[Levels, int], Mapping[str, float]], *, seeds: Sequence[int]) -> StudyReport:
        """Run every cell with every seed.

        Args:
            evaluate: (levels, seed) → score of each task, higher is better.
            seeds: The same for every cell: deltas are paired by seed.
        Raises:
            SettingError: a task of a category has no score.
        """
        records = [self._record(levels, seed, evaluate(levels, seed)) for levels in self.cells() for seed in seeds]
        return self.report(records)

    def report(self, records: Sequence[Record]) -> StudyReport:
        """Deltas and ranges of runs that were made (by `zermelo compare`, for one)."""
        known = {(tuple(sorted(r.levels.items())), r.seed): r.scores for r in records}
        seeds = list(dict.fromkeys(r.seed for r in records))

        def scores(levels: Levels, category: str) -> list[float]:
            return [known[tuple(sorted(levels.items())), seed][category] for seed in seeds]

        deltas: dict[tuple[str, str, str], Estimate] = {}
        overall: dict[str, list[float]] = {f: [fmean(scores(self.baseline, OVERALL))] for f in self.factors}
        for levels in self.cells()[1:]:
            (factor,) = [name for name in self.factors if levels[name] != self.baseline[name]]
            overall[factor].append(fmean(scores(levels, OVERALL)))
            for category in (*self.categories, OVERALL):
                gap = np.subtract(scores(levels, category), scores(self.baseline, category))
                made = bootstrap_mean(gap, level=self.level, resamples=self.resamples, seed=self.seed)
                deltas[factor, levels[factor], category] = made.estimate()
        spans = {factor: max(values) - min(values) for factor, values in overall.items()}
        ranges = dict(sorted(spans.items(), key=lambda item: -item[1]))
        return StudyReport(tuple(records), deltas, ranges, self.baseline)

    def _record(self, levels: Levels, seed: int, tasks: Mapping[str, float]) -> Record:
        for category, names in self.categories.items():
            for name in names:
                if name not in tasks:
                    raise SettingError("bad-setting", f"the evaluation gives no score of {name!r} ({category})")
        means = {category: fmean(tasks[name] for name in names) for category, names in self.categories.items()}
        return Record(dict(levels), seed, means | {OVERALL: fmean(means.values())})
