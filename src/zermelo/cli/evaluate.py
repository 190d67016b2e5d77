"""`zermelo evaluate`: what a file of judged groups says about the systems in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, SKIP_HELP, parse_columns, refuse_same_file
from zermelo.errors import SettingError

if TYPE_CHECKING:
    from zermelo.evaluation.judged_result import JudgedGroupsResult

__all__ = ["evaluate"]

SUFFIXES = (".html", ".json", ".md")


def evaluate(
    files: list[str] = typer.Argument(..., metavar="GROUPS...", help="Files, globs, folders, or - for standard input."),
    baseline: str = typer.Option(None, "--baseline", metavar="NAME", help="Compare every system with this one."),
    by: str = typer.Option(None, "--by", metavar="NAME", help="Use only judgements of this annotator."),
    proxy: str = typer.Option(None, "--proxy", metavar="NAME", help="Annotator whose ratings choose in best-of-n."),
    truth: str = typer.Option(None, "--truth", metavar="NAME", help="Annotator that best-of-n is read by."),
    output: list[str] = typer.Option(
        [], "-o", "--output", metavar="FILE", help="Write .html, .json or .md; repeatable."
    ),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    skip_bad: bool = typer.Option(False, "--skip-bad", help=SKIP_HELP + " With -o they go to FILE.rejects.jsonl."),
    level: float = typer.Option(0.95, "--level", help="Coverage of the intervals."),
    resamples: int = typer.Option(1000, "--resamples", help="Of the bootstraps."),
    seed: int = typer.Option(0, "--seed", help="Of the bootstraps."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Evaluate systems by what was said of their responses, with intervals over prompts.

    Accuracy by source, win rates raw and at equal lengths, pass@k, best-of-n, scorers and judges against stated
    preferences: whatever the file holds.

    zermelo evaluate judged.parquet --baseline start -o report.html
    zermelo evaluate annotations.jsonl --json
    """
    from zermelo.evaluation.judged import JudgedGroups
    from zermelo.feedback.files import expand
    from zermelo.feedback.reading import read_groups
    from zermelo.feedback.rejects import Rejects, rejects_path
    from zermelo.progress import track

    settings = JudgedGroups(baseline, by, proxy, truth, level, resamples, seed)
    inputs = expand(files)
    for path in output:
        if Path(path).suffix not in SUFFIXES:
            raise SettingError("unknown-suffix", f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
        refuse_same_file(path, inputs)
    place = rejects_path(output[0]) if skip_bad and output else None
    with Rejects(place) as rejects:
        groups = read_groups(
            inputs, format=form, columns=parse_columns(columns), skip_bad=skip_bad, rejects=rejects, quiet=as_json
        )
        result = settings.measure(track(groups, "reading"))
    title = "Evaluation of " + ", ".join(Path(path).name for path in inputs[:3]) + (" …" if len(inputs) > 3 else "")
    for path in output:
        _write(result, path, title)
    if as_json:
        typer.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=1))
    else:
        _show(result)
    for path in output:
        print(f"written: {path}", file=sys.stderr)


def _show(result: JudgedGroupsResult) -> None:
    from zermelo.evaluation.judged_page import parts_of
    from zermelo.feedback.visible import visible
    from zermelo.report.terminal import print_table

    typer.echo(f"{result.n_groups:,} groups, {result.n_prompts:,} prompts, {result.n_responses:,} responses")
    if result.longer is not None:
        typer.echo(f"the longer response won {result.longer.format(percent=True)} of the decided comparisons")
    for part in parts_of(result):
        typer.echo(f"\n{part.title}")
        print_table(part.rows, part.columns)
    for note in result.notes:
        typer.echo(f"\nnote: {visible(note)}")


def _write(result: JudgedGroupsResult, path: str, title: str) -> None:
    from zermelo.evaluation.judged_page import page_of, parts_of
    from zermelo.report.markdown import markdown_table, markdown_text
    from zermelo.report.svg import write_text

    if path.endswith(".html"):
        page_of(result, title).write(path)
    elif path.endswith(".json"):
        write_text(path, json.dumps(result.to_json(), ensure_ascii=False, indent=1) + "\n")
    else:
        parts = [
            f"## {p.title}\n\n{markdown_text(p.text)}\n\n{markdown_table(p.rows, p.columns)}" for p in parts_of(result)
        ]
        notes = "".join(f"- {markdown_text(note)}\n" for note in result.notes)
        write_text(path, "\n".join([f"# {markdown_text(title)}\n", *parts, *([notes] if notes else [])]))
