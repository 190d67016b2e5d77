"""What a comparison shows: the terminal's table, `compare.md` and `compare.html`, all of the same numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from zermelo.evaluation.method_comparison import MethodComparisonResult, columns
from zermelo.recipes.compare.figures import Compared
from zermelo.recipes.compare.schema import Comparison
from zermelo.report.markdown import markdown_table
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import bar_plot, interval_plot, scatter_plot
from zermelo.report.svg import write_text
from zermelo.report.terminal import print_table

__all__ = ["markdown", "page", "show", "write"]

HOW = (
    "Every method was run with the same seeds on the same pairs and measured on the same held-out prompts. Intervals "
    "and p-values are over prompts and seeds together; p (Holm) is corrected for the number of pairs, p (prompts) is "
    "about these trained models alone. Where a method has several settings, each half of the prompts is measured under "
    "the setting that the other half chose; best, median and worst are of all settings."
)
DIAGNOSTICS = (
    Column("variant"),
    Column("method"),
    Column("setting"),
    Column("score", digits=3),
    Column("kl", "KL (nat)", digits=2),
    Column("length", "tokens", digits=1),
    Column("cut", percent=True),
    Column("chosen moved", "chosen moved (nat)", digits=1, signed=True),
    Column("final rewards/accuracies", "train accuracy", percent=True),
    Column("alarms"),
)


def write(comparison: Comparison, found: Compared, out: Path) -> Path:
    """Write `compare.md` and `compare.html`; returns the page's path."""
    write_text(out / "compare.md", markdown(found))
    return page(comparison, found, out).write(out / "compare.html")


def show(found: Compared) -> None:
    """Print the tables."""
    for variant, result in found.results.items():
        title = f"{variant}: " if len(found.results) > 1 else ""
        start = found.figures["start"][variant]
        print(f"{title}{result.n_prompts:,} prompts, {result.n_seeds} seeds, start {start:.3f}")
        print_table(result.table(), columns(result.table(), percent=result.fractions))
        if result.pairs:
            print_table(result.pair_table(), columns(result.pair_table(), percent=result.fractions))
    if not found.results:
        print_table(diagnostic_rows(found), DIAGNOSTICS)
    for line in found.figures["run"]["failed"]:
        print(f"failed: {line}")


def markdown(found: Compared) -> str:
    """All tables, as Markdown."""
    parts = ["# Comparison\n", HOW + "\n"]
    for variant, result in found.results.items():
        parts.append(f"## {variant}: {result.n_prompts:,} prompts, {result.n_seeds} seeds\n")
        parts.append(markdown_table(result.table(), columns(result.table(), percent=result.fractions)))
        if result.pairs:
            parts.append(markdown_table(result.pair_table(), columns(result.pair_table(), percent=result.fractions)))
    parts += ["## What the runs did\n", markdown_table(diagnostic_rows(found), DIAGNOSTICS)]
    return "\n".join(parts)


def page(comparison: Comparison, found: Compared, out: Path) -> Page:
    """The report."""
    run = found.figures["run"]
    made = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    whole = Page(
        f"Comparison {out.name}",
        f"{comparison.model}: {', '.join(comparison.methods)}; {run['cells']} runs.",
        footer=f"seeds {comparison.seeds} · {run['finished']} · {made}",
    )
    for variant, result in found.results.items():
        of_variant(whole, variant, result, found)
    diagnostics(whole, found)
    whole.section("How it was made", HOW)
    settings = comparison.model_dump(mode="json", exclude={"jobs", "threads"})
    whole.details("The resolved comparison", yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    whole.details("All figures (compare.json)", json.dumps(found.figures, ensure_ascii=False, indent=1))
    return whole


def of_variant(whole: Page, variant: str, result: MethodComparisonResult, found: Compared) -> None:
    """Scores, pairs and robustness on one side of the data."""
    many = len(found.results) > 1
    whole.section(
        f"Which is better{f' on {variant}' if many else ''}?",
        f"{result.n_prompts:,} held-out prompts, {result.n_seeds} seeds; the start has "
        f"{found.figures['start'][variant]:.3f}.",
    )
    percent = result.fractions
    whole.figures(
        [
            Figure(f"gain by {own.name}", own.gain, percent=percent, signed=True, tone=tone(own.gain))
            for own in result.methods
            if own.gain is not None
        ]
    )
    whole.table(result.table(), columns(result.table(), percent=percent), caption="Methods")
    pictures = [
        interval_plot(
            [(own.name, own.gain or own.score) for own in result.methods],
            title="Gain over the start",
            percent_x=percent,
            reference=0.0,
        )
    ]
    if result.pairs:
        whole.table(result.pair_table(), columns(result.pair_table(), percent=percent), caption="Pairs of methods")
        rows = [(f"{own.first} − {own.second}", own.difference) for own in result.pairs]
        pictures.append(interval_plot(rows, title="Paired differences", percent_x=percent, reference=0.0))
    if any(len(own.settings) > 1 for own in result.methods):
        labels = [own.name for own in result.methods]
        spread = {name: [getattr(own, name) for own in result.methods] for name in ("worst", "median", "best")}
        pictures.append(bar_plot(labels, spread, title="Robustness to settings", percent_x=percent))
    whole.plot(*pictures)


def diagnostics(whole: Page, found: Compared) -> None:
    """KL, length, likelihoods and alarms of every setting."""
    whole.section(
        "What the runs did",
        "Means over seeds. A method that is ahead at a far larger KL or with far longer answers is ahead for another "
        "reason than its loss.",
    )
    whole.table(diagnostic_rows(found), DIAGNOSTICS, caption="Each setting")
    known = [row for row in found.diagnostics if row["kl"] is not None and row["score"] is not None]
    if known:
        whole.plot(
            scatter_plot(
                [row["kl"] for row in known],
                [row["score"] for row in known],
                labels=[f"{row['method']} {row['setting']}".strip() for row in known],
                title="Score against distance from the start",
                x_label="KL to the start, nat",
                y_label="score",
            )
        )
    for line in found.figures["run"]["failed"]:
        whole.note(line, warning=True)


def diagnostic_rows(found: Compared) -> list[dict[str, Cell]]:
    """The table of diagnostics."""
    return [{**row, "alarms": alarm_words(row["alarms"])} for row in found.diagnostics]


def alarm_words(raised: Mapping[str, int]) -> str:
    """`likelihood-displacement ×3`."""
    return ", ".join(f"{name} ×{count}" for name, count in raised.items())


def tone(gain: Any) -> Any:
    """Colour of a gain that is one."""
    return "plain" if gain is None or not gain.excludes(0) else "good" if gain.value > 0 else "bad"
