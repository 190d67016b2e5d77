"""`zermelo claims list|run|report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from zermelo.claims.runner import KEPT, claims, keep, kept_results, load_claim, run_claim, with_seeds
from zermelo.errors import MissingError, SettingError
from zermelo.progress import bars

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Run the published claims in miniature and compare: the paper's figure beside ours.",
)
RUNS = Path("runs/claims")


@app.command("list")
def list_(as_json: bool = typer.Option(False, "--json", help="One JSON list on stdout.")) -> None:
    """List the claims that can be run."""
    rows = [{"id": entry.id, "title": entry.title, "claim": entry.claim} for entry in claims().values()]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        typer.echo(f"{row['id']}  {row['title']}")
    typer.echo(f"{len(rows)} claims")


@app.command()
def run(
    ids: list[str] = typer.Argument(None, metavar="[ID]...", help="Claims to run, such as M086."),
    every: bool = typer.Option(False, "--all", help="Run every claim."),
    seeds: str = typer.Option("", help="Comma-separated seeds instead of the claim's own (for tuning)."),
    out: Path = typer.Option(RUNS, "--out", help="Folder for the results, one JSON file each."),
    keep_: bool = typer.Option(False, "--keep", help="Also keep the results in the package (for its developers)."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Run claims and print the paper's figure beside ours, with an interval over seeds and a verdict."""
    wanted = list(claims()) if every else list(ids or ())
    if not wanted:
        raise SettingError("usage", "name the claims to run, or pass --all", hint="`zermelo claims list` shows them")
    if keep_ and seeds:
        raise SettingError("bad-setting", "--keep takes the claim's own seeds: other seeds are for tuning")
    if seeds and not all(word.strip().isdigit() for word in seeds.split(",")):
        raise SettingError("bad-setting", f"--seeds takes whole numbers separated by commas. Got {seeds!r}")
    loaded = [load_claim(claim_id) for claim_id in wanted]
    results: list[dict[str, Any]] = []
    for claim in loaded:
        chosen = with_seeds(claim, [int(word) for word in seeds.split(",")]) if seeds else claim
        try:
            with bars() as bar:
                result = run_claim(chosen, advance=bar(claim.id, 1 if chosen.exact else len(chosen.seeds)))
        except MissingError as error:
            if not every:
                raise
            typer.echo(f"{claim.id}: skipped: {error.message}", err=True)
            continue
        keep(result, out)
        if keep_:
            keep(result, KEPT)
        results.append(result)
        if not as_json:
            _show(result)
    if as_json:
        typer.echo(json.dumps(results[0] if len(wanted) == 1 else results, ensure_ascii=False, indent=1))


@app.command()
def report(
    out: Path = typer.Option(RUNS, "--out", help="Folder of own results, beside those of the package."),
    as_json: bool = typer.Option(False, "--json", help="One JSON list on stdout."),
) -> None:
    """Print the results that are kept: those that ship with the package, and your own runs."""
    results = kept_results(out)
    if as_json:
        typer.echo(json.dumps(results, ensure_ascii=False, indent=1))
        return
    for result in results:
        _show(result)
    verdicts = [result["verdict"] for result in results]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("reproduced", "partly", "not reproduced"))
    typer.echo(f"{len(results)} claims: {counts}")


def _show(result: dict[str, Any]) -> None:
    typer.echo(f"{result['id']} · {result['title']}")
    typer.echo(f"  paper     {result['paper']}")
    typer.echo(
        f"  measured  {result['measured']:.4g} [{result['ci_low']:.4g}, {result['ci_high']:.4g}] {result['measures']}"
    )
    typer.echo(f"  verdict   {result['verdict']}: {result['rule']}")
    typer.echo(
        f"  seeds {len(result['seeds'])}, {result['seconds']:.0f} s"
        + (f"; {result['notes']}" if result["notes"] else "")
    )
