"""From the cells of a comparison to its figures: `compare.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from zermelo.evaluation.method_comparison import MethodComparison, MethodComparisonResult
from zermelo.evaluation.present import plain
from zermelo.recipes.compare.cells import START
from zermelo.recipes.compare.run import Outcome
from zermelo.recipes.compare.schema import Comparison
from zermelo.recipes.run import write_json
from zermelo.recipes.summary import versions

__all__ = ["SCHEMA", "Compared", "compared"]

SCHEMA = "zermelo.compare/1"
FINAL = ("rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected", "kl")


@dataclass(frozen=True)
class Compared:
    """A finished comparison.

    Args:
        results: Variant → methods and pairs; empty where nobody judges answers.
        diagnostics: One row for each variant, method and setting, seeds averaged.
        figures: Everything as plain numbers, as in `compare.json`.
    """

    results: Mapping[str, MethodComparisonResult]
    diagnostics: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Any]


def compared(comparison: Comparison, found: Sequence[Outcome], out: Path) -> Compared:
    """Paired statistics and diagnostics of the cells; also written to `compare.json`."""
    results: dict[str, MethodComparisonResult] = {}
    for variant in comparison.variants:
        own = [outcome for outcome in found if outcome.cell.variant == variant]
        if any(one.measured is not None and one.measured["scores"] is not None for one in own):
            results[variant] = of_variant(comparison, own)
    diagnostics = [row for variant in comparison.variants for row in rows_of(comparison, variant, found)]
    starts = {
        variant: fmean(mean_of(o, "scores") for o in found if o.cell.variant == variant and o.cell.method == START)
        for variant in results
    }
    figures = {
        "schema": SCHEMA,
        "seeds": list(comparison.seeds),
        "start": starts,
        "variants": {variant: result.to_json() for variant, result in results.items()},
        "diagnostics": plain(diagnostics),
        "run": {
            "seconds": round(sum(outcome.seconds for outcome in found), 2),
            "cells": len(found),
            "failed": [f"{o.cell.line()}: {o.failed}" for o in found if o.failed],
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "folder": str(out),
            "versions": versions(),
        },
    }
    write_json(out / "compare.json", figures)
    return Compared(results, diagnostics, figures)


def of_variant(comparison: Comparison, found: Sequence[Outcome]) -> MethodComparisonResult:
    """The statistics of one variant."""
    runs: dict[str, dict[str, dict[int, Any]]] = {}
    start: dict[int, Any] = {}
    for outcome in found:
        cell, scores = outcome.cell, None if outcome.measured is None else outcome.measured["scores"]
        if cell.method == START:
            start[cell.seed] = scores
        else:
            runs.setdefault(cell.method, {}).setdefault(cell.setting, {})[cell.seed] = scores
    how = MethodComparison(level=comparison.level, baseline=comparison.baseline, seed=comparison.seed)
    return how.measure(runs, start=start)


def rows_of(comparison: Comparison, variant: str, found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What the runs of each setting did, beside their score: KL, length, likelihoods, alarms; means over seeds."""
    keys = dict.fromkeys((o.cell.method, o.cell.setting) for o in found if o.cell.variant == variant)
    rows: list[dict[str, Any]] = []
    for method, setting in keys:
        own = [o for o in found if (o.cell.variant, o.cell.method, o.cell.setting) == (variant, method, setting)]
        whole = [o for o in own if o.measured is not None]
        row: dict[str, Any] = {"variant": variant, "method": method, "setting": setting, "runs": len(own)}
        row["failed"] = len(own) - len(whole)
        row["score"] = average([mean_of(o, "scores") for o in whole])
        row["length"] = average([mean_of(o, "lengths") for o in whole])
        row["cut"] = average([o.measured["cut"] for o in whole if o.measured])
        row["kl"] = average([o.measured["kl"] for o in whole if o.measured])
        for name in FINAL:
            row[f"final {name}"] = average([(o.trained or {}).get("final", {}).get(name) for o in whole])
        series = [(o.trained or {}).get("series", {}).get("logps/chosen") for o in whole]
        row["chosen moved"] = average([points[-1][1] - points[0][1] for points in series if points])
        raised = Counter(alarm["name"] for o in whole for alarm in (o.trained or {}).get("alarms", ()))
        row["alarms"] = dict(sorted(raised.items()))
        rows.append(row)
    return rows


def mean_of(outcome: Outcome, name: str) -> float:
    """Mean over prompts of one figure of a cell; NaN without it."""
    values = None if outcome.measured is None else outcome.measured[name]
    return float("nan") if values is None else fmean(values)


def average(values: Sequence[float | None]) -> float | None:
    """Mean of what is known, None where nothing is."""
    known = [value for value in values if value is not None and value == value]
    return fmean(known) if known else None
