"""How much of a benchmark difference is noise: seeds, items, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError

__all__ = ["Decision", "ItemAnalysis", "SeedReport", "item_analysis", "monotonicity", "paired_decision", "seed_report"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SeedReport:
    """Scores of S seeds over C checkpoints.

    Args:
        mean: Mean over seeds at the last checkpoint.
        sd: Standard deviation over seeds at the last checkpoint (ddof 1).
        sd_over_checkpoints: Mean over checkpoints of the standard deviation over seeds.
        snr: mean/sd.
        snr_over_chance: (mean − chance)/sd; near chance the plain ratio flatters.
        monotonicity: Mean over seeds of Kendall's τ between score and time.
        half_width: 1.96 √(p(1 − p)/n) of one run over n items, NaN where n is not given.
    """

    mean: float
    sd: float
    sd_over_checkpoints: float
    snr: float
    snr_over_chance: float
    monotonicity: float
    half_width: float


def monotonicity(scores: Floats) -> float:
    """Kendall's τ-b between a score series and time.

    Source: "Quantifying Variance in Evaluation Benchmarks", 2024, arXiv 2406.10229.
    """
    from scipy.stats import kendalltau

    return float(kendalltau(np.arange(len(scores)), scores).statistic)


def seed_report(scores: Floats, *, n_items: int | None = None, chance: float = 0.0) -> SeedReport:
    """Seed noise of one benchmark.

    Args:
        scores: [S] (one checkpoint) or [S, C], later checkpoints last.
        n_items: Items of the benchmark, for the sampling interval of one run.
        chance: Score of guessing.
    Raises:
        DataError: fewer than two seeds.
    Source: "Quantifying Variance in Evaluation Benchmarks", 2024, arXiv 2406.10229.
    """
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    table = table.T if np.ndim(scores) == 1 else table
    if len(table) < 2:
        raise DataError("too-few-seeds", f"seed noise needs at least two seeds. Got {len(table)}")
    last = table[:, -1]
    mean, sd = float(last.mean()), float(last.std(ddof=1))
    ratio = np.inf if sd == 0 else 1 / sd
    several = table.shape[1] > 1
    return SeedReport(
        mean=mean,
        sd=sd,
        sd_over_checkpoints=float(table.std(axis=0, ddof=1).mean()),
        snr=mean * ratio,
        snr_over_chance=(mean - chance) * ratio,
        monotonicity=float(np.mean([monotonicity(row) for row in table])) if several else float("nan"),
        half_width=float("nan") if n_items is None else 1.96 * float(np.sqrt(max(mean * (1 - mean), 0) / n_items)),
    )


@dataclass(frozen=True)
class ItemAnalysis:
    """Classical analysis of items: share right, and correlation with the score (total, or of the other items). [I]"""

    difficulty: Floats
    discrimination: Floats
    discrimination_rest: Floats


def item_analysis(answers: NDArray[np.generic]) -> ItemAnalysis:
    """Items of a table of right (1) and wrong (0) answers, models × items. [T, I]

    An item that all answer alike has no discrimination (NaN).

    Source: "Quantifying Variance in Evaluation Benchmarks", 2024, arXiv 2406.10229.
    """
    y = np.asarray(answers, dtype=np.float64)
    total = y.sum(axis=1)
    whole = np.array([_correlation(column, total) for column in y.T])
    rest = np.array([_correlation(column, total - column) for column in y.T])
    return ItemAnalysis(y.mean(axis=0), whole, rest)


@dataclass(frozen=True)
class Decision:
    """Is A better than B? The difference, its error over items and seeds, and whether |difference| > 1.96 errors."""

    difference: float
    error: float
    significant: bool


def paired_decision(a: NDArray[np.generic], b: NDArray[np.generic], *, seed_sd: float = 0.0) -> Decision:
    """Compare two runs on the same items: √(sd(d)²/n + 2 σ_seed²) is the error of the difference.

    Args:
        a: Item scores of A. [I]
        b: Item scores of B. [I]
        seed_sd: Standard deviation of a benchmark score over seeds; 0 speaks of these two runs only.
    Source: "Quantifying Variance in Evaluation Benchmarks", 2024, arXiv 2406.10229.
    """
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    error = float(np.sqrt(d.var(ddof=1) / len(d) + 2 * seed_sd**2))
    difference = float(d.mean())
    return Decision(difference, error, abs(difference) > 1.96 * error)


def _correlation(x: Floats, y: Floats) -> float:
    if x.std() == 0 or y.std() == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])
