"""Which method is better, when each was run with several seeds and several settings on the same prompts?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Page
from zermelo.report.plots import interval_plot
from zermelo.stats.crossed import crossed_mean, holm
from zermelo.stats.estimate import Estimate
from zermelo.stats.paired import permutation_test

__all__ = ["Difference", "MethodComparison", "MethodComparisonResult", "MethodFigures", "columns"]

Floats: TypeAlias = NDArray[np.float64]
Runs: TypeAlias = Mapping[str, Mapping[str, Mapping[int, ArrayLike | None]]]  # method → setting → seed → scores [G]


@dataclass(frozen=True)
class MethodFigures:
    """One method over its settings.

    Args:
        name: Of the method.
        score: Mean over seeds and prompts, each half of the prompts under the setting chosen on the other half.
        gain: The same minus the start; None without one.
        chosen: The setting of either half (one where they agree).
        settings: Setting → mean score over seeds and prompts; NaN where a seed failed.
        best: Largest of them, by the very prompts it is reported on: flattering.
        median: Their median; a failed setting counts as the worst.
        worst: Smallest of them; NaN where a setting failed.
        failed: Runs without a result.
        setting_sd: Standard deviation between settings, the share of seeds taken out; NaN for one setting.
        seed_sd: Standard deviation between seeds of one setting (training and sampling of answers); NaN for one seed.
    """

    name: str
    score: Estimate
    gain: Estimate | None
    chosen: tuple[str, ...]
    settings: Mapping[str, float]
    best: float
    median: float
    worst: float
    failed: int
    setting_sd: float
    seed_sd: float

    @property
    def spread(self) -> float:
        """Best minus worst."""
        return self.best - self.worst


@dataclass(frozen=True)
class Difference:
    """Two methods on the same prompts and seeds.

    Args:
        first: A method.
        second: Another.
        difference: Mean of first − second, interval over prompts and seeds.
        p_value: Of that interval's test.
        p_adjusted: Holm's, over all pairs of the comparison.
        p_prompts: Of a sign-flip permutation of prompts, seeds averaged: about these trained models alone.
        wins: Prompts on which the first is better.
        losses: Prompts on which the second is better.
        ties: Prompts without a difference.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float
    p_adjusted: float
    p_prompts: float
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class MethodComparisonResult:
    """Methods side by side, and every pair of them.

    Args:
        methods: In the order given.
        pairs: All pairs, or those with the baseline.
        n_prompts: On which all were measured.
        n_seeds: With which all were run.
    """

    methods: tuple[MethodFigures, ...]
    pairs: tuple[Difference, ...]
    n_prompts: int
    n_seeds: int

    @property
    def fractions(self) -> bool:
        """Whether scores look like shares, and are shown in percent."""
        means = [value for own in self.methods for value in own.settings.values() if math.isfinite(value)]
        return bool(means) and all(0 <= value <= 1 for value in means)

    def table(self) -> list[dict[str, Cell]]:
        """One row a method."""
        rows: list[dict[str, Cell]] = []
        for own in self.methods:
            row: dict[str, Cell] = {"method": own.name, "score": own.score}
            if own.gain is not None:
                row["gain"] = own.gain
            rows.append(
                row
                | {
                    "setting": " / ".join(own.chosen),
                    "best": own.best,
                    "median": own.median,
                    "worst": own.worst,
                    "sd of settings": own.setting_sd,
                    "sd of seeds": own.seed_sd,
                    "failed": own.failed,
                }
            )
        return rows

    def pair_table(self) -> list[dict[str, Cell]]:
        """One row a pair."""
        return [
            {
                "first": own.first,
                "second": own.second,
                "difference": own.difference,
                "p (Holm)": own.p_adjusted,
                "p (prompts)": own.p_prompts,
                "wins": own.wins,
                "losses": own.losses,
                "ties": own.ties,
            }
            for own in self.pairs
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        methods = [
            {
                **{name: getattr(own, name) for name in ("name", "score", "gain", "best", "median", "worst")},
                **{name: getattr(own, name) for name in ("spread", "setting_sd", "seed_sd", "failed")},
                "chosen": list(own.chosen),
                "settings": dict(own.settings),
            }
            for own in self.methods
        ]
        pairs = [{name: getattr(own, name) for name in own.__dataclass_fields__} for own in self.pairs]
        return {
            "n_prompts": self.n_prompts,
            "n_seeds": self.n_seeds,
            "methods": plain(methods),
            "pairs": plain(pairs),
        }

    def show(self, page: Page) -> Page:
        """Add itself to a page."""
        whole = self.fractions
        page.table(self.table(), columns(self.table(), percent=whole), caption="Methods")
        if self.pairs:
            page.table(self.pair_table(), columns(self.pair_table(), percent=whole), caption="Pairs of methods")
        gains = [(own.name, own.gain if own.gain is not None else own.score) for own in self.methods]
        started = all(own.gain is not None for own in self.methods)
        title = "Gain over the start" if started else "Score"
        return page.plot(interval_plot(gains, title=title, reference=0.0 if started else None, percent_x=whole))

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Comparison of methods")


SHARES = ("score", "gain", "best", "median", "worst", "sd of settings", "sd of seeds", "difference")


def columns(rows: Sequence[Mapping[str, Cell]], *, percent: bool) -> list[Column]:
    """Columns of either table; `percent` where scores are fractions."""
    return [
        Column(
            name,
            percent=percent and name in SHARES,
            signed=name in ("gain", "difference"),
            digits=3 if name.startswith("p ") else None,
        )
        for name in (rows[0] if rows else ())
    ]


@dataclass(frozen=True)
class MethodComparison:
    """Paired comparison of methods over common prompts and seeds, and their robustness to settings.

        y*[m, s, g] = y[m, k(half of g), s, g],  k(half) = the setting of m with the best mean on the *other* half
        difference of a and b: mean over s, g of y*[a] − y*[b]; interval and p over both (`stats.crossed_mean`)

    Choosing a setting on the prompts that the winner is then measured on flatters whoever has the larger grid; so the
    prompts are parted in two by the seed, and each half is measured under the setting that the other half chose. With
    one setting a method nothing is parted. A setting of which a run failed (diverged) is never chosen, and counts as
    the worst.

    Args:
        level: Coverage of the intervals.
        baseline: The method that the others are compared with; None = every pair.
        seed: Parts the prompts; permutations.
    Raises:
        SettingError: level is out of range.
    Source: intervals: two-way random effects; several tests: Holm, 1979; the protocol of "Unpacking DPO and PPO", 2024,
        arXiv 2406.09279, and "Insights into Alignment", 2024, arXiv 2404.14723, with seeds and tuning accounted for.
    """

    level: float = 0.95
    baseline: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(self, runs: Runs, *, start: Mapping[int, ArrayLike] | None = None) -> MethodComparisonResult:
        """Compare.

        Args:
            runs: method → setting → seed → score of each prompt, in one order for all; None where a run failed. [G]
            start: seed → scores of the policy that all started from. [G]
        Raises:
            SettingError: shapes or seeds differ; a method has no setting that every seed finished
                (`no-whole-setting`).
        """
        tables = {name: _tables(name, settings) for name, settings in runs.items()}
        shapes = {table.shape for settings in tables.values() for table in settings.values() if table is not None}
        seeds = {tuple(sorted(of_seed)) for settings in runs.values() for of_seed in settings.values()}
        if len(shapes) != 1 or len(seeds) != 1:
            raise SettingError("bad-shape", "methods were run with different seeds, or on different prompts")
        (shape,), (order,) = shapes, seeds
        if self.baseline is not None and self.baseline not in runs:
            raise SettingError("bad-setting", f"baseline {self.baseline!r} is none of the methods")
        half = np.random.default_rng(self.seed).permutation(shape[1]) % 2
        own = {name: _composite(name, settings, half) for name, settings in tables.items()}
        origin = None if start is None else np.array([np.asarray(start[s], dtype=np.float64) for s in order])
        methods = tuple(self._figures(name, tables[name], *own[name], origin) for name in runs)
        names = list(runs)
        couples = list(itertools.combinations(names, 2))
        if self.baseline is not None:
            couples = [(name, self.baseline) for name in names if name != self.baseline]
        return MethodComparisonResult(methods, self._pairs(couples, own), shape[1], shape[0])

    def _figures(
        self,
        name: str,
        settings: Mapping[str, Floats | None],
        composite: Floats,
        chosen: tuple[str, ...],
        origin: Floats | None,
    ) -> MethodFigures:
        known = {key: table for key, table in settings.items() if table is not None}
        means = {key: math.nan if table is None else float(table.mean()) for key, table in settings.items()}
        per_seed = np.array([table.mean(axis=1) for table in known.values()])  # [K, S]
        n_seeds = per_seed.shape[1]
        seed_variance = float(per_seed.var(axis=1, ddof=1).mean()) if n_seeds > 1 else math.nan
        setting_sd = math.nan
        if len(known) > 1:
            noise = seed_variance / n_seeds if n_seeds > 1 else 0.0
            setting_sd = math.sqrt(max(float(per_seed.mean(axis=1).var(ddof=1)) - noise, 0.0))
        failed = len(settings) - len(known)
        ordered = [-math.inf] * failed + sorted(value for value in means.values() if not math.isnan(value))
        middle = median(ordered)
        return MethodFigures(
            name,
            crossed_mean(composite, level=self.level).estimate,
            None if origin is None else crossed_mean(composite - origin, level=self.level).estimate,
            chosen,
            means,
            best=ordered[-1],
            median=middle if math.isfinite(middle) else math.nan,
            worst=ordered[0] if math.isfinite(ordered[0]) else math.nan,
            failed=failed,
            setting_sd=setting_sd,
            seed_sd=math.sqrt(seed_variance) if n_seeds > 1 else math.nan,
        )

    def _pairs(
        self, couples: Sequence[tuple[str, str]], own: Mapping[str, tuple[Floats, tuple[str, ...]]]
    ) -> tuple[Difference, ...]:
        found = [crossed_mean(own[a][0] - own[b][0], level=self.level) for a, b in couples]
        adjusted = holm([one.p_value for one in found])
        pairs = []
        for (a, b), one, p in zip(couples, found, adjusted, strict=True):
            flipped = permutation_test(own[a][0].mean(axis=0), own[b][0].mean(axis=0), seed=self.seed)
            counts = (flipped.wins, flipped.losses, flipped.ties)
            pairs.append(Difference(a, b, one.estimate, one.p_value, float(p), flipped.p_value, *counts))
        return tuple(pairs)


def _tables(name: str, settings: Mapping[str, Mapping[int, ArrayLike | None]]) -> dict[str, Floats | None]:
    """Setting → scores [S, G], seeds in ascending order; None where a seed failed."""
    found: dict[str, Floats | None] = {}
    for key, of_seed in settings.items():
        rows = [of_seed[seed] for seed in sorted(of_seed)]
        if any(row is None for row in rows):
            found[key] = None
            continue
        arrays = [np.asarray(row, dtype=np.float64) for row in rows]
        if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
            raise SettingError("bad-shape", f"{name} ({key}): the seeds have different prompts")
        found[key] = np.stack(arrays)
    if all(table is None for table in found.values()):
        raise SettingError(
            "no-whole-setting", f"{name}: every setting failed with some seed", hint="a smaller lr; fewer extremes"
        )
    return found


def _composite(
    name: str, settings: Mapping[str, Floats | None], half: NDArray[np.int64]
) -> tuple[Floats, tuple[str, ...]]:
    """Scores of the tuned method [S, G], each half of the prompts under the setting that the other half chose."""
    known = {key: table for key, table in settings.items() if table is not None}
    if len(known) == 1:
        (key,) = known
        return known[key], (key,)
    out = np.empty_like(next(iter(known.values())))
    chosen = []
    for side in (0, 1):
        key = max(known, key=lambda key: float(known[key][:, half != side].mean()))
        out[:, half == side] = known[key][:, half == side]
        chosen.append(key)
    return out, tuple(dict.fromkeys(chosen))
