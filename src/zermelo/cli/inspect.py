"""`zermelo inspect`: what is in a file, before anything is done with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, parse_columns

if TYPE_CHECKING:
    from zermelo.feedback.inspecting import Summary
    from zermelo.feedback.records import Group

__all__ = ["inspect"]

LISTED = 12


def inspect(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Files, globs, folders, or - for standard input."),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Count bad rows instead of stopping at the first."),
    rows: int = typer.Option(3, "--rows", min=0, help="How many groups to show."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Show what preference data holds: counts, lengths, sources, annotators, criteria, agreement, a few rows.

    zermelo inspect pairs.jsonl
    zermelo inspect 'data/*.parquet' --json
    """
    from zermelo.feedback.inspecting import summarise
    from zermelo.feedback.reading import ReadReport, read_groups
    from zermelo.progress import track

    report = ReadReport()
    groups = read_groups(
        files, format=form, columns=parse_columns(columns), skip_bad=skip_bad, report=report, quiet=not as_json
    )
    summary = summarise(track(groups, "reading"), report, examples=rows)
    if as_json:
        typer.echo(json.dumps(summary.to_json(), ensure_ascii=False, indent=1))
    else:
        _show(summary, report.first_suspicious)


def _show(summary: Summary, first_suspicious: Mapping[str, str]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for label, text in _facts(summary, first_suspicious):
        console.print(f"{label:<12} {text}")
    if summary.lengths:
        console.print(_length_table(summary))
    if summary.criteria:
        console.print(_criteria_table(summary))
    for group in summary.examples:
        console.print()
        _show_group(console, group)


def _facts(summary: Summary, first_suspicious: Mapping[str, str]) -> list[tuple[str, str]]:
    facts = [
        ("files", _listed(dict.fromkeys(summary.files, 0))),
        ("format", ", ".join(f"{name} ({n} files)" if n > 1 else name for name, n in summary.formats.items())),
        ("rows", f"{summary.rows:,}"),
        ("groups", f"{summary.groups:,}" + (f", {summary.prompts:,} different prompts" if summary.prompts else "")),
        ("responses", f"{summary.responses:,}"),
        ("judgements", f"{summary.judgements:,}" + (f": {_listed(summary.kinds)}" if summary.kinds else "")),
        ("pairs", f"{summary.pairs:,} stated" + (f" ({summary.ties:,} ties)" if summary.ties else "")),
    ]
    if summary.derivable_pairs:
        facts.append(("", f"{summary.derivable_pairs:,} more can be derived from ratings and rankings"))
    for label, found in (("sources", summary.sources), ("annotators", summary.annotators)):
        if found:
            facts.append((label, f"{len(found):,}: {_listed(found)}"))
    if summary.users or summary.sessions:
        facts.append(("users", f"{summary.users:,} users, {summary.sessions:,} sessions"))
    if summary.agreement is not None:
        said = summary.agreement
        text = f"{said.share:.1%} of {said.comparisons:,} annotator pairs on {said.pairs:,} pairs agree"
        facts.append(("agreement", f"{text}, Krippendorff's α {said.alpha:.3f}"))
    if summary.missing:
        facts.append(("missing", _listed(summary.missing)))
    if summary.suspicious:
        places = ", ".join(f"{kind} {n:,} (first: {first_suspicious[kind]})" for kind, n in summary.suspicious.items())
        facts.append(("suspicious", places))
    facts.append(("bad rows", f"{summary.rejects:,}" + (f": {_listed(summary.bad)}" if summary.bad else "")))
    from zermelo.feedback.visible import visible

    return [(label, visible(text)) for label, text in facts]


def _listed(found: Mapping[str, int]) -> str:
    shown = [f"{name} {n:,}" if n else name for name, n in list(found.items())[:LISTED]]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _length_table(summary: Summary) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("length of", "in", "mean", "least", "5 %", "25 %", "median", "75 %", "95 %", "most"):
        table.add_column(column, justify="left" if column in ("length of", "in") else "right")
    for name, units in summary.lengths.items():
        for unit, at in units.items():
            values = (at.mean, at.min, at.p05, at.p25, at.p50, at.p75, at.p95, at.max)
            table.add_row(
                name, unit, *(f"{value:,.1f}" if index == 0 else f"{value:,.0f}" for index, value in enumerate(values))
            )
    return table


def _criteria_table(summary: Summary) -> Any:
    from rich.table import Table
    from rich.text import Text

    from zermelo.feedback.visible import shortened

    table = Table(box=None, pad_edge=False)
    for column in ("ratings on", "n", "mean", "least", "most", "scale"):
        table.add_column(column, justify="left" if column == "ratings on" else "right")
    for name, at in summary.criteria.items():
        scale = "not stated" if at.low is None or at.high is None else f"{at.low:g} to {at.high:g}"
        figures = (f"{at.n:,}", f"{at.mean:.3f}", f"{at.least:g}", f"{at.most:g}", scale)
        table.add_row(Text(shortened(name, 40) if name else "(no criterion)"), *figures)
    return table


def _show_group(console: Any, group: Group) -> None:
    from rich.text import Text

    from zermelo.feedback.inspecting import first_lines
    from zermelo.feedback.visible import shortened

    console.print(Text(shortened(group.id, 100), style="bold"))
    width = max(40, min(console.width, 160) - 26)
    for label, text in first_lines(group):
        console.print(Text(f"  {shortened(label, 22):<22}  {shortened(text, width)}"))
