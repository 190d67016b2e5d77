"""Methods × starting points × sizes of the data: the table of a comparison study, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Page
from zermelo.report.plots import Line, line_plot
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["AlignmentMatrix", "AlignmentMatrixResult", "MatrixRow", "kendall_w", "nested_subsets"]

Key: TypeAlias = tuple[str, str, int, str]  # scenario, method, number of pairs, metric


@dataclass(frozen=True)
class MatrixRow:
    """One number of the study; the start of a scenario has n = 0 and any method name.

    Args:
        scenario: Where training starts: `pretrained`, `sft`, `instruct`, …
        method: Objective.
        n: Pairs trained on.
        seed: Of the run.
        metric: Name of the task.
        value: Higher is better.
    """

    scenario: str
    method: str
    n: int
    seed: int
    metric: str
    value: float


@dataclass(frozen=True)
class AlignmentMatrixResult:
    """What the table says.

    Args:
        deltas: (scenario, method, n, metric) → value minus the scenario's start, paired by seed, interval over seeds.
        best: (scenario, method) → number of pairs with the best mean over metrics.
        agreement: Scenario → Kendall's W of the methods' ranks over metrics, each at its best n; NaN for one metric.
        ranks: Scenario → method → mean rank over metrics, 1 is best.
    """

    deltas: Mapping[Key, Estimate]
    best: Mapping[tuple[str, str], int]
    agreement: Mapping[str, float]
    ranks: Mapping[str, Mapping[str, float]]

    def table(self) -> list[dict[str, Cell]]:
        """One row a scenario, method and size; one column a metric."""
        rows: dict[tuple[str, str, int], dict[str, Cell]] = {}
        for (scenario, method, n, metric), delta in self.deltas.items():
            row: dict[str, Cell] = {"scenario": scenario, "method": method, "pairs": n}
            row = rows.setdefault((scenario, method, n), row)
            row[metric] = delta
            row["best"] = self.best[scenario, method] == n
        return list(rows.values())

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "deltas": [
                {"scenario": s, "method": m, "n": n, "metric": k, **delta.to_json()}
                for (s, m, n, k), delta in self.deltas.items()
            ],
            "best": [{"scenario": s, "method": m, "n": n} for (s, m), n in self.best.items()],
            "agreement": plain(dict(self.agreement)),
            "ranks": plain({scenario: dict(own) for scenario, own in self.ranks.items()}),
        }

    def show(self, page: Page) -> Page:
        """Add itself to a page."""
        rows = self.table()
        words = ("scenario", "method", "pairs", "best")
        page.table(rows, [Column(key, signed=key not in words) for key in (rows[0] if rows else ())])
        plots = []
        for scenario, metric in dict.fromkeys((s, k) for s, _, _, k in self.deltas):
            lines = []
            for method in dict.fromkeys(m for s, m, _, k in self.deltas if (s, k) == (scenario, metric)):
                n = sorted(n for s, m, n, k in self.deltas if (s, m, k) == (scenario, method, metric))
                own = [self.deltas[scenario, method, size, metric] for size in n]
                lines.append(Line(method, n, [e.value for e in own], [e.low for e in own], [e.high for e in own]))
            plots.append(line_plot(lines, title=f"{scenario}: {metric}", x_label="pairs", log_x=True, level=0.0))
        return page.plot(*plots)

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Alignment matrix")


@dataclass(frozen=True)
class AlignmentMatrix:
    """Summary of a study over scenarios, methods and sizes.

    Args:
        level: Coverage of the intervals over seeds.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    Raises:
        SettingError: level is out of range.
    Source: "Insights into Alignment: Evaluating DPO and its Variants Across Multiple Tasks", 2024, arXiv 2404.14723.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(self, rows: Iterable[MatrixRow]) -> AlignmentMatrixResult:
        """Summarise the tidy table.

        Args:
            rows: Every scenario, method, size, seed and metric once; for each scenario, seed and metric also its start.
        Raises:
            SettingError: a cell is missing or stands twice (`incomplete-matrix`).
        """
        known: dict[tuple[str, str, int, int, str], float] = {}
        start: dict[tuple[str, int, str], float] = {}
        for row in rows:
            into, key = (start, (row.scenario, row.seed, row.metric)) if row.n == 0 else (known, _key(row))
            if key in into:
                raise SettingError("incomplete-matrix", f"{key} stands twice")
            into[key] = row.value  # type: ignore[index]
        axes = [list(dict.fromkeys(key[i] for key in known)) for i in range(5)]
        scenarios, methods, sizes, seeds, metrics = axes
        deltas: dict[Key, Estimate] = {}
        for s, m, n, k in ((s, m, n, k) for s in scenarios for m in methods for n in sizes for k in metrics):
            gap = [_cell(known, (s, m, n, seed, k)) - _cell(start, (s, seed, k)) for seed in seeds]
            made = bootstrap_mean(gap, level=self.level, resamples=self.resamples, seed=self.seed)
            deltas[str(s), str(m), int(n), str(k)] = made.estimate()
        best, ranks, agreement = {}, {}, {}
        for s in scenarios:
            for m in methods:
                mean = {n: np.mean([deltas[s, m, n, k].value for k in metrics]) for n in sizes}  # type: ignore[index]
                best[str(s), str(m)] = int(max(mean, key=lambda n: mean[n]))
            scores = [[deltas[s, m, best[s, m], k].value for m in methods] for k in metrics]  # type: ignore[index]
            table = np.array([_ranks(row) for row in scores])
            ranks[str(s)] = {str(m): float(r) for m, r in zip(methods, table.mean(axis=0), strict=True)}
            agreement[str(s)] = kendall_w(scores)
        return AlignmentMatrixResult(deltas, best, agreement, ranks)


def kendall_w(scores: ArrayLike) -> float:
    """Kendall's W: how much judges (metrics) agree in ranking things (methods); 0 not at all, 1 entirely.

        W = 12 Σ_j (R_j − R̄)² / (m²(k³ − k) − m Σ T),  R_j = sum of ranks, T = Σ (t³ − t) over a judge's ties

    Args:
        scores: Higher is better. [m judges, k things]
    Source: Kendall and Babington Smith, 1939, with the correction for ties.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise SettingError("bad-shape", f"scores must be [judges, things], at least two things. Got {table.shape}")
    m, k = table.shape
    if m < 2:
        return float("nan")
    ranks = np.array([_ranks(row) for row in table])
    sums = ranks.sum(axis=0)
    ties = sum(float((counts**3 - counts).sum()) for counts in (np.unique(r, return_counts=True)[1] for r in ranks))
    divisor = m**2 * (k**3 - k) - m * ties
    return float(12 * ((sums - sums.mean()) ** 2).sum() / divisor) if divisor else float("nan")


def nested_subsets(n: int, sizes: Sequence[int], *, seed: int) -> dict[int, NDArray[np.int64]]:
    """Random subsets of range(n), each a part of every larger one; sorted positions."""
    order = np.random.default_rng(seed).permutation(n)
    if any(not 0 < size <= n for size in sizes):
        raise SettingError("bad-setting", f"sizes must lie in 1 … {n}. Got {list(sizes)}")
    return {size: np.sort(order[:size]) for size in sizes}


def _ranks(row: ArrayLike) -> NDArray[np.float64]:
    """Ranks, 1 = highest score, ties share their mean."""
    from scipy.stats import rankdata

    found: NDArray[np.float64] = rankdata(-np.asarray(row, dtype=np.float64))
    return found


def _key(row: MatrixRow) -> tuple[str, str, int, int, str]:
    return row.scenario, row.method, row.n, row.seed, row.metric


def _cell(table: Mapping[Any, float], key: Any) -> float:
    if key not in table:
        raise SettingError("incomplete-matrix", f"no value for {key}")
    return table[key]
