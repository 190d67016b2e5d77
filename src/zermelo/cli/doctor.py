"""`zermelo doctor FILE`, `doctor fix FILE`, `doctor audits`."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zermelo.cli.default import default_group
from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, SKIP_HELP, parse_columns, refuse_same_file
from zermelo.errors import LimitError, SettingError

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.doctor.diagnosis import Diagnosis
    from zermelo.feedback.rejects import Rejects

__all__ = ["app"]

app = typer.Typer(
    cls=default_group("examine"),
    add_completion=False,
    no_args_is_help=True,
    help="""Find what is wrong with preference data before it is trained on.

    zermelo doctor pairs.parquet -o doctor.html -o doctor.json

    zermelo doctor fix pairs.parquet --apply drop-duplicates,relabel-suspects:soft -o clean.parquet
    """,
)


FIX_SCHEMA = "zermelo.doctor.fix/1"


class Limit(StrEnum):
    """From which severity on a finding is a failure."""

    high = "high"
    medium = "medium"
    low = "low"


FILES = typer.Argument(..., metavar="FILE...", help="Files of any format, globs, folders, or - for standard input.")
FORM = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False)
COLUMNS = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False)
SKIP = typer.Option(False, "--skip-bad", help=SKIP_HELP + " With -o they go to FILE.rejects.jsonl.")
ONLY = typer.Option(None, "--only", metavar="AUDIT,...", help="Only these audits or families.", show_default=False)
ENCODER = typer.Option("tfidf", "--encoder", metavar="NAME", help="tfidf, or minilm for sentence embeddings.")
BENCHMARKS = typer.Option([], "--benchmark", metavar="FILE", help="Items that must not be in the data; repeatable.")
POLICY = typer.Option(None, "--policy", metavar="MODEL", help="A model to be trained on the data.", show_default=False)
SAMPLE = typer.Option(20_000, "--sample", min=100, help="Most pairs whose texts are probed.")
SEED = typer.Option(0, "--seed", help="Of samples, folds and bootstraps.")


@app.command()
def examine(
    files: list[str] = FILES,
    only: str = ONLY,
    encoder: str = ENCODER,
    benchmark: list[str] = BENCHMARKS,
    policy: str = POLICY,
    sample: int = SAMPLE,
    output: list[str] = typer.Option([], "-o", "--output", metavar="FILE", help="Write .html or .json; repeatable."),
    fail_on: Limit = typer.Option(
        None, "--fail-on", help="Exit with 5 where a finding is that bad.", show_default=False
    ),
    form: str = FORM,
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    seed: int = SEED,
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Run every audit that applies: verdict, findings with figures, rows concerned, remedies."""
    for path in output:
        if Path(path).suffix not in (".html", ".json"):
            raise SettingError("unknown-suffix", f"{path}: expected a name that ends in .html or .json")
    from zermelo.feedback.rejects import Rejects, rejects_path

    with Rejects(rejects_path(output[0]) if skip_bad and output else None) as rejects:
        case = _case(files, form, columns, skip_bad, rejects, seed, encoder, benchmark, policy, sample)
        for path in output:
            refuse_same_file(path, list(case.files))
        diagnosis = _examined(case, only)
    rows_files = diagnosis.write_rows(Path(output[0]).with_suffix(".rows"), case.feedback) if output else {}
    for path in output:
        diagnosis.write(path, rows_files=rows_files)
        print(f"written: {path}", file=sys.stderr)
    if as_json:
        typer.echo(json.dumps(diagnosis.to_json(rows_files), ensure_ascii=False))
    else:
        _show(diagnosis)
    if fail_on is not None and (found := diagnosis.at_least(fail_on.value)):
        error = LimitError("doctor-findings", f"found {fail_on.value} or worse: {', '.join(i.audit for i in found)}")
        if not as_json:  # stdout holds one document already
            raise error
        print(error, file=sys.stderr)
        raise typer.Exit(error.exit_code)


@app.command()
def fix(
    files: list[str] = FILES,
    apply: str = typer.Option(..., "--apply", metavar="FIX,...", help="Remedies in order; `doctor fixes` lists them."),
    output: str = typer.Option(..., "-o", "--output", metavar="FILE", help="The mended data; native where .parquet."),
    encoder: str = ENCODER,
    benchmark: list[str] = BENCHMARKS,
    sample: int = typer.Option(None, "--sample", min=100, help="Most pairs whose texts are probed; all by default."),
    form: str = FORM,
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    seed: int = SEED,
    as_json: bool = typer.Option(False, "--json", help="What each remedy did, as one JSON object on stdout."),
) -> None:
    """Apply remedies: rows set aside go to OUTPUT.dropped.parquet with the reason; changed rows keep both versions."""
    from zermelo.doctor.fixes import apply as applied
    from zermelo.doctor.fixes import dropped_beside, dropped_rows, load_fix
    from zermelo.feedback.rejects import Rejects, rejects_path
    from zermelo.report.terminal import print_table

    names = [name.strip() for name in apply.split(",") if name.strip()]
    for name in names:
        load_fix(name)
    with Rejects(rejects_path(output) if skip_bad else None) as rejects:
        case = _case(files, form, columns, skip_bad, rejects, seed, encoder, benchmark, None, sample or sys.maxsize)
        refuse_same_file(output, list(case.files))
        mended, changes = applied(case.feedback, None, names, seed=seed, case=case)
        mended.write(output)
        aside = dropped_rows(mended, changes)
        if aside is not None:
            aside.write(dropped_beside(output))
    rows: list[dict[str, Any]] = [change.to_json() for change in changes]
    if as_json:
        dropped = None if aside is None else dropped_beside(output)
        typer.echo(json.dumps({"schema": FIX_SCHEMA, "output": output, "dropped": dropped, "fixes": rows}))
        return
    print_table(rows)
    print(f"written: {output}" + ("" if aside is None else f", {dropped_beside(output)}"), file=sys.stderr)


@app.command()
def fixes(as_json: bool = typer.Option(False, "--json", help="A list on stdout.")) -> None:
    """List the remedies."""
    from zermelo.doctor.fixes import FIXES, load_fix
    from zermelo.report.terminal import print_table

    rows: list[dict[str, Any]] = [
        {"fix": name, "what it does": (type(load_fix(name)).__doc__ or "").partition("\n")[0]}
        for name in FIXES
        if name != "drop-flagged"
    ]
    rows.append({"fix": "drop-flagged:AUDIT", "what it does": "Sets aside the rows that an audit names."})
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    print_table(rows)


@app.command()
def audits(as_json: bool = typer.Option(False, "--json", help="A list on stdout.")) -> None:
    """List the audits and what each asks."""
    from zermelo.doctor.registry import AUDITS, load_audit
    from zermelo.report.terminal import print_table

    rows: list[dict[str, Any]] = [{"audit": name, "asks": load_audit(name).asks} for name in AUDITS]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    print_table(rows)


def _case(
    files: list[str],
    form: str | None,
    columns: str | None,
    skip_bad: bool,
    rejects: Rejects,
    seed: int,
    encoder: str,
    benchmark: list[str],
    policy: str | None,
    sample: int,
) -> Case:
    from zermelo.doctor.case import Case
    from zermelo.feedback import Feedback
    from zermelo.feedback.files import expand

    inputs = expand(files)
    kept = rejects if skip_bad else None
    data = Feedback.read(files, format=form, columns=parse_columns(columns), skip_bad=skip_bad, rejects=kept)
    return Case(data, inputs, seed, encoder, tuple(expand(benchmark)) if benchmark else (), policy, sample)


def _examined(case: Case, only: str | None) -> Diagnosis:
    from zermelo.doctor.examine import examine as run
    from zermelo.doctor.registry import audits as named
    from zermelo.progress import bars

    chosen = tuple(name.strip() for name in (only or "").split(",") if name.strip())
    with bars() as bar:
        return run(case, only=chosen, advance=bar("audits", total=len(named(chosen))))


def _show(diagnosis: Diagnosis) -> None:
    from zermelo.feedback.visible import visible
    from zermelo.report.page import Column
    from zermelo.report.terminal import print_table

    typer.echo(visible(diagnosis.verdict()))
    if diagnosis.findings:
        typer.echo("")
        columns = [Column("severity"), Column("audit"), Column("figure", digits=3), Column("finding")]
        print_table(diagnosis.table(), columns)
    if remedy := diagnosis.remedy():
        typer.echo(f"\nto mend: {visible(remedy)}")
    if diagnosis.skipped:
        names = ", ".join(item.audit for item in diagnosis.skipped)
        typer.echo(f"\nnot applicable ({len(diagnosis.skipped)}; `--json` says why): {names}")
