"""What a claim is: a published effect, measured in miniature, with a verdict rule that was written before the run.

A claim module is one file, `claims/m103_ln_dpo.py`, whose docstring carries the paper's sentence, what we run instead,
and the rule in words; it holds one `CLAIM`. Tuning happens on seeds that the verdict never sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["Claim", "Figures", "Summary", "Verdict", "above", "interval"]

Verdict: TypeAlias = Literal["reproduced", "partly", "not reproduced"]
Figures: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Summary:
    """Figures over seeds.

    Args:
        mean: figure → mean over seeds.
        low: figure → lower end of the 95 % t interval over seeds (the mean itself where there is one seed).
        high: figure → upper end.
        per_seed: seed → figures.
    """

    mean: Figures
    low: Figures
    high: Figures
    per_seed: Mapping[int, Figures]


@dataclass(frozen=True)
class Claim:
    """One runnable experiment for one published claim.

    Args:
        id: Catalogue id.
        paper: The paper's figure, in words.
        measures: What the headline figure is, with its unit.
        headline: Key of the figure that `measured`, `ci_low`, `ci_high` report.
        run: seed → figures. Everything random in it comes from the seed.
        verdict: The rule: summary → verdict.
        rule: The rule in words.
        seeds: Seeds of the verdict; never used for tuning.
        exact: True where the figures do not depend on a seed (real data, closed forms): one run, and the figures
            `ci_low` and `ci_high` of the run itself are reported.
        data: Folder of the public data it needs, '' for none; absent data skips the claim with a reason.
        notes: What a reader of the result should know.
    """

    id: str
    paper: str
    measures: str
    headline: str
    run: Callable[[int], Figures]
    verdict: Callable[[Summary], Verdict]
    rule: str
    seeds: Sequence[int] = (101, 102, 103, 104, 105)
    exact: bool = False
    data: str = ""
    notes: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Mean and t interval of figures over seeds; (mean, mean, mean) for a single one."""
    import numpy as np
    from scipy.stats import t

    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if array.size < 2:
        return mean, mean, mean
    half = float(t.ppf(0.5 + level / 2, array.size - 1) * array.std(ddof=1) / np.sqrt(array.size))
    return mean, mean - half, mean + half


def above(figure: str, threshold: float = 0.0) -> Callable[[Summary], Verdict]:
    """Reproduced where the whole interval lies above `threshold`, partly where only the mean does."""

    def rule(summary: Summary) -> Verdict:
        if summary.low[figure] > threshold:
            return "reproduced"
        return "partly" if summary.mean[figure] > threshold else "not reproduced"

    return rule
