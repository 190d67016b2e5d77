"""`zermelo run RECIPE` and `zermelo quickstart`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
import yaml

from zermelo.progress import bars
from zermelo.recipes.load import load_recipe, shipped
from zermelo.recipes.run import plan, run_recipe
from zermelo.recipes.schema import Recipe

__all__ = ["quickstart", "run"]


def run(
    recipe: str = typer.Argument(None, help="A YAML file, or the name of a shipped recipe.", show_default=False),
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="Such as align.dpo.lr=1e-5 seed=1."),
    out: Path = typer.Option(None, "--out", "-o", help="Folder of the run.  [default: runs/NAME]", show_default=False),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan and the resolved settings, run nothing."),
    fresh: bool = typer.Option(False, "--fresh", help="Start over: remove what an earlier run left in the folder."),
    listing: bool = typer.Option(False, "--list", help="List the shipped recipes."),
    as_json: bool = typer.Option(False, "--json", help="Print summary.json on stdout, and nothing else there."),
) -> None:
    """Run a recipe step by step in one folder. The same command goes on where an interrupted run stopped.

    zermelo run recipe.yaml --dry-run
    zermelo run recipe.yaml model=Qwen/Qwen2.5-0.5B-Instruct data=my_pairs.parquet --out runs/mine
    """
    if listing or recipe is None:
        for name, path in shipped().items():
            typer.echo(f"{name:12} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")
        return
    resolved = load_recipe(recipe, overrides or ())
    _run(resolved, out or Path("runs") / Path(recipe).stem, dry_run, fresh, as_json)


def quickstart(
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="Such as align.dpo.lr=1e-5."),
    out: Path = typer.Option(Path("runs/quickstart"), "--out", "-o", help="Folder of the run."),
    seed: int = typer.Option(None, "--seed", min=0, help="Everything random derives from it.  [default: 0]"),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan and the resolved settings, run nothing."),
    fresh: bool = typer.Option(False, "--fresh", help="Start over: remove what an earlier run left in the folder."),
    as_json: bool = typer.Option(False, "--json", help="Print summary.json on stdout, and nothing else there."),
) -> None:
    """The main job in miniature: sample, verify, inject errors, train, align, select, evaluate, report.

    zermelo quickstart
    zermelo quickstart --out runs/second --seed 1
    """
    chosen = [] if seed is None else [f"seed={seed}"]
    resolved = load_recipe("quickstart", [*(overrides or ()), *chosen])
    _run(resolved, out, dry_run, fresh, as_json)


def _run(recipe: Recipe, out: Path, dry_run: bool, fresh: bool, as_json: bool) -> None:
    if dry_run:
        _show_plan(recipe, out, as_json)
        return
    from zermelo.recipes.report import report
    from zermelo.recipes.summary import show, summary

    say = (lambda line: None) if as_json else (lambda line: typer.echo(line, err=True))
    with bars() as bar:
        done = run_recipe(recipe, out, fresh=fresh, bar=bar, say=say)
    figures = summary(recipe, done, out)
    page = report(recipe, done, figures, out)
    if as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False, indent=1))
        return
    show(figures)
    typer.echo(f"report: {page}")


def _show_plan(recipe: Recipe, out: Path, as_json: bool) -> None:
    settings: dict[str, Any] = recipe.model_dump(mode="json")
    steps = [step for step, _ in plan(recipe)]
    if as_json:
        typer.echo(json.dumps({"schema": "zermelo.plan/1", "out": str(out), "steps": steps, "recipe": settings}))
        return
    typer.echo(f"{out}: " + " → ".join([*steps, "report"]))
    typer.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).rstrip())
