"""`zermelo convert`: from any format to any other, streaming."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, SKIP_HELP, parse_columns, refuse_same_file
from zermelo.errors import SettingError, warn

if TYPE_CHECKING:
    from zermelo.feedback.records import Group

__all__ = ["convert"]


def convert(
    files: list[str] = typer.Argument(
        ..., metavar="FILE... OUT", help="Inputs, then the output; - is stdin or stdout."
    ),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    to: str = typer.Option(
        None,
        "--to",
        metavar="NAME",
        help="Format of the output; by default .parquet is native, tables csv, the rest trl.",
        show_default=False,
    ),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    pairs: str = typer.Option(
        "stated",
        "--pairs",
        help="For formats of pairs: stated, or also derived from ratings: all, best_worst, adjacent.",
    ),
    skip_bad: bool = typer.Option(False, "--skip-bad", help=SKIP_HELP + " They go to OUT.rejects.jsonl."),
) -> None:
    """Convert preference data; the format is detected, the output is written beside and renamed.

    zermelo convert pairs.jsonl pairs.parquet
    zermelo convert ultrafeedback.parquet pairs.jsonl --to trl --pairs best_worst
    """
    from zermelo.feedback.files import expand
    from zermelo.feedback.reading import ReadReport, read_groups
    from zermelo.feedback.rejects import Rejects, rejects_path
    from zermelo.feedback.writing import default_format, write_groups
    from zermelo.progress import track

    if len(files) < 2:
        raise SettingError("usage", "convert takes one or more inputs and an output", hint="zermelo convert IN OUT")
    *named, output = files
    if pairs not in ("stated", "all", "best_worst", "adjacent"):
        raise SettingError("bad-setting", f"--pairs must be stated, all, best_worst or adjacent. Got {pairs!r}")
    inputs = expand(named)
    place = None if output == "-" or not skip_bad else rejects_path(output)
    refuse_same_file(output, inputs)
    if place is not None:
        refuse_same_file(str(place), inputs)
    report = ReadReport()
    with Rejects(place) as rejects:
        groups: Iterator[Group] = read_groups(
            inputs, format=form, columns=parse_columns(columns), skip_bad=skip_bad, rejects=rejects, report=report
        )
        written = write_groups(
            track(groups, "converting"),
            output,
            format=to or default_format(output),
            derive=pairs,  # type: ignore[arg-type]
        )
    if written.lost:
        what = ", ".join(f"{count:,} {name}" for name, count in written.lost.most_common())
        warn("lossy", f"{written.format} has no place for {what}; the native format (.parquet) keeps everything")
    from zermelo.feedback.visible import visible

    aside = f", {report.n_bad:,} bad rows set aside" if report.n_bad else ""
    where = f" in {place}" if report.n_bad and place is not None else ""
    line = f"{output}: {written.groups:,} groups as {written.rows:,} rows ({written.format}){aside}{where}"
    print(visible(line), file=sys.stderr)
