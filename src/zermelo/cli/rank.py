"""`zermelo rank FILE`, `rank next FILE`, `rank power FILE A B`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from zermelo.cli.default import default_group
from zermelo.cli.reading import COLUMNS_HELP, parse_columns, refuse_same_file
from zermelo.errors import SettingError, warn

__all__ = ["app"]

app = typer.Typer(
    cls=default_group("board"),
    add_completion=False,
    no_args_is_help=True,
    help="""From comparisons to a leaderboard with honest uncertainty.

    zermelo rank battles.parquet

    zermelo rank battles.csv --model davidson -o board.html -o board.json
    """,
)


class Model(StrEnum):
    """What can be fitted."""

    bradley_terry = "bradley-terry"
    davidson = "davidson"
    rao_kupper = "rao-kupper"
    thurstone = "thurstone"


FILES = typer.Argument(..., metavar="FILE...", help="Battles, judged groups or pairs with sources; globs too.")
COLUMNS = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False)
SKIP = typer.Option(False, "--skip-bad", help="Leave bad rows out and count them.")
JSON = typer.Option(False, "--json", help="One JSON document on stdout.")
MODEL = typer.Option(Model.bradley_terry, "--model", help="Ties: half a win each, or a model of ties.")
PRIOR = typer.Option(0.0, "--prior", min=0.0, help="Ridge on the ratings, in games; makes every rating finite.")


@app.command()
def board(
    files: list[str] = FILES,
    model: Model = MODEL,
    position: bool = typer.Option(False, "--position", help="Fit the advantage of the first position."),
    prior: float = PRIOR,
    scale: str = typer.Option("elo", "--scale", help="elo (400 points = odds of ten to one) or logit."),
    level: float = typer.Option(0.95, "--level", min=0.5, max=0.9999, help="Of the intervals."),
    out: list[Path] = typer.Option([], "-o", "--output", help="Write the board: .json .csv .md .html; repeatable."),
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    as_json: bool = JSON,
) -> None:
    """Fit ratings and print the board: rating, 95 % interval, rank range, games, win rate."""
    from zermelo.ranking.board import SUFFIXES, Board

    for path in out:
        refuse_same_file(str(path), files)
        if path.suffix not in SUFFIXES:
            known = " ".join(SUFFIXES)
            raise SettingError("unknown-suffix", f"{path}: a board is written as {known}. Got {path.suffix!r}")
    if scale not in ("elo", "logit"):
        raise SettingError("bad-setting", f"--scale must be elo or logit. Got {scale!r}")
    fitted = _fit(_counts(files, columns, skip_bad), model, position, prior)
    points = {} if scale == "elo" else {"scale": 1.0, "anchor": 0.0}
    made = Board(fitted, model=model.value, level=level, **points)
    for path in out:
        made.write(path)
    if as_json:
        typer.echo(json.dumps(made.to_json(), ensure_ascii=False))
        return
    for line in fitted.fit.warnings:
        typer.echo(f"warning[ranking]: {line}", err=True)
    typer.echo(made.text())
    for name, (value, error) in fitted.extra.items():
        typer.echo(f"{name}: {value:.4g} ± {error:.2g}")


@app.command("next")
def next_(
    files: list[str] = FILES,
    n: int = typer.Option(10, "-n", min=1, help="How many pairs."),
    seed: int = typer.Option(0, "--seed", help="Of the random arm."),
    random_share: float = typer.Option(0.1, "--random", min=0.0, max=1.0, help="Share drawn at random, as a control."),
    prior: float = PRIOR,
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    as_json: bool = JSON,
) -> None:
    """Which pairs to compare next, and why: by expected information; pieces of the graph are linked first."""
    from dataclasses import asdict

    from zermelo.ranking.active import next_pairs

    counts = _counts(files, columns, skip_bad)
    found = next_pairs(
        counts, _fit(counts, Model.bradley_terry, False, prior), n=n, seed=seed, random_share=random_share
    )
    if as_json:
        rows = [{**asdict(pair), "gain": None if pair.reason == "links" else pair.gain} for pair in found]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from zermelo.report.terminal import print_table

    told: list[dict[str, Any]] = [
        {"a": p.a, "b": p.b, "games so far": p.games, "gain (nat)": _gain(p.gain), "why": p.reason} for p in found
    ]
    print_table(told)


@app.command()
def power(
    file: str = typer.Argument(..., help="Battles."),
    a: str = typer.Argument(..., help="A player."),
    b: str = typer.Argument(..., help="Another."),
    level: float = typer.Option(0.95, "--level", min=0.5, max=0.9999, help="Of the interval that is to exclude 0."),
    chance: float = typer.Option(0.8, "--chance", min=0.01, max=0.99, help="Probability that it then does."),
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    as_json: bool = JSON,
) -> None:
    """How many more direct votes would separate two players, if their difference is what it seems."""
    from zermelo.ranking.active import power as votes_needed
    from zermelo.ranking.result import ELO

    fitted = _fit(_counts([file], columns, skip_bad), Model.bradley_terry, False, 0.0)
    found = votes_needed(fitted, a, b, level=level, chance=chance)
    if as_json:
        votes = None if found.votes == float("inf") else found.votes
        record = {"difference": found.difference, "error": found.error, "separated": found.separated, "votes": votes}
        typer.echo(json.dumps({"schema": "zermelo.power/1", "a": a, "b": b, **record}, ensure_ascii=False))
        return
    typer.echo(f"{a} − {b}: {ELO * found.difference:+.0f} ± {ELO * found.error:.0f} Elo points")
    typer.echo("separated already" if found.separated else f"about {found.votes:,.0f} more direct votes")


def _counts(files: list[str], columns: str | None, skip_bad: bool) -> Any:
    """Counts of bare battles, or of the comparisons of groups of any format."""
    from zermelo.feedback.opening import open_battles
    from zermelo.ranking.reading import counts_of

    view = open_battles(files, columns=parse_columns(columns), skip_bad=skip_bad)
    counts = counts_of(view)
    for reason, number in view.dropped.items():
        warn("left-out", f"{number:,} comparisons left out: {reason}")
    return counts


def _fit(counts: Any, model: Model, position: bool, prior: float) -> Any:
    from zermelo.ranking.bradley_terry import BradleyTerry, Thurstone

    if model is Model.thurstone:
        return Thurstone(position=position, prior=prior).fit(counts)
    ties: Any = {"bradley-terry": "half"}.get(model.value, model.value)
    return BradleyTerry(ties=ties, position=position, prior=prior).fit(counts)


def _gain(value: float) -> str:
    return "–" if value == float("inf") else f"{value:.3g}"
