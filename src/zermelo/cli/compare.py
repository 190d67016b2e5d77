"""`zermelo compare RECIPE`: objectives × settings × data × seeds, with paired statistics."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from zermelo.progress import bars

__all__ = ["compare"]


def compare(
    recipe: str = typer.Argument(None, help="A YAML file, or the name of a shipped comparison.", show_default=False),
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="Such as methods.dpo.lr=1e-5."),
    out: Path = typer.Option(None, "--out", "-o", help="Folder.  [default: runs/NAME]", show_default=False),
    jobs: int = typer.Option(None, "--jobs", "-j", min=1, help="Processes.  [default: 1]", show_default=False),
    dry_run: bool = typer.Option(False, "--dry-run", help="List the runs, do nothing."),
    fresh: bool = typer.Option(False, "--fresh", help="Start over: remove what an earlier comparison left there."),
    listing: bool = typer.Option(False, "--list", help="List the shipped comparisons."),
    as_json: bool = typer.Option(False, "--json", help="Print compare.json on stdout, and nothing else there."),
) -> None:
    """Compare objectives on the same data, prompts and seeds. The same command resumes.

    zermelo compare comparison.yaml -o runs/comparison --jobs 2
    zermelo compare comparison.yaml --dry-run
    """
    from zermelo.recipes.compare.cells import cells
    from zermelo.recipes.compare.schema import Comparison
    from zermelo.recipes.load import load_recipe, shipped

    if listing or recipe is None:
        for name, path in shipped("compare").items():
            typer.echo(f"{name:20} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")
        return
    comparison = load_recipe(recipe, overrides or (), kind=Comparison)
    todo = cells(comparison)
    out = out or Path("runs") / Path(recipe).stem
    if dry_run:
        if as_json:
            typer.echo(json.dumps({"schema": "zermelo.plan/1", "out": str(out), "cells": [c.line() for c in todo]}))
            return
        for cell in todo:
            typer.echo(cell.line())
        typer.echo(f"{len(todo)} runs in {out}")
        return
    from zermelo.recipes.compare.figures import compared
    from zermelo.recipes.compare.report import show, write
    from zermelo.recipes.compare.run import run_comparison

    say = (lambda line: None) if as_json else (lambda line: typer.echo(line, err=True))
    with bars() as bar:
        found = run_comparison(comparison, out, fresh=fresh, jobs=jobs, bar=bar, say=say)
    result = compared(comparison, found, out)
    page = write(comparison, result, out)
    if as_json:
        typer.echo(json.dumps(result.figures, ensure_ascii=False, indent=1))
        return
    show(result)
    typer.echo(f"report: {page}")
