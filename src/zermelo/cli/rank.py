"""`zermelo rank FILE`, `rank next FILE`, `rank power FILE A B`, `rank settled FILE`."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from zermelo.cli.default import default_group
from zermelo.cli.plain import PlainCommand
from zermelo.cli.reading import COLUMNS_HELP, parse_columns, refuse_same_file
from zermelo.errors import SettingError, warn

__all__ = ["app"]

# tables of a few hundred players are solved faster by one thread than by waking several, and in less memory
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    cls=default_group("board"),
    add_completion=False,
    no_args_is_help=True,
    help="""From comparisons to a leaderboard with honest uncertainty.

    zermelo rank battles.parquet

    zermelo rank battles.csv --model davidson --control length,markdown --by language -o board.html -o board.json

    zermelo rank annotations/ --length-controlled --baseline gpt4_1106_preview
    """,
)


class Model(StrEnum):
    """What can be fitted."""

    bradley_terry = "bradley-terry"
    davidson = "davidson"
    rao_kupper = "rao-kupper"
    thurstone = "thurstone"
    elo = "elo"
    glicko = "glicko"
    glicko2 = "glicko2"
    trueskill = "trueskill"
    plackett_luce = "plackett-luce"


class GoalName(StrEnum):
    """What `rank next` is to make certain."""

    order = "order"
    ratings = "ratings"
    top = "top"


FILES = typer.Argument(..., metavar="FILE...", help="Battles, judged groups or pairs with sources; globs too.")
COLUMNS = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False)
SKIP = typer.Option(False, "--skip-bad", help="Leave bad rows out and count them.")
JSON = typer.Option(False, "--json", help="One JSON document on stdout.")
MODEL = typer.Option(Model.bradley_terry, "--model", help="Ties: half a win each, or a model of ties.")
PRIOR = typer.Option(
    None,
    "--prior",
    metavar="GAMES|FILE",
    help="Ridge on the ratings, in games; makes every rating finite. With --length-controlled: a table of published "
    "coefficients (model, phi, psi, theta).",
)
CONTROL = typer.Option(None, "--control", metavar="NAME,...", help="Hold style equal: length, markdown, or columns.")
IN_ORDER = ("elo", "glicko", "glicko2", "trueskill")  # game by game, or period by period
TOP = 1000  # lines of a board in the terminal


@app.command(cls=PlainCommand)
def board(
    files: list[str] = FILES,
    model: Model = MODEL,
    position: bool = typer.Option(False, "--position", help="Fit the advantage of the first position."),
    prior: str = PRIOR,
    control: str = CONTROL,
    by: str = typer.Option(None, "--by", metavar="COLUMN", help="A board for each category too, partially pooled."),
    cluster: str = typer.Option(
        None, "--cluster", metavar="WHAT", help="Errors by prompt, by (annotator) or a column."
    ),
    bootstrap: int = typer.Option(0, "--bootstrap", min=0, metavar="N", help="Intervals from N replicates."),
    seed: int = typer.Option(0, "--seed", help="Of the replicates and shuffles."),
    length_controlled: bool = typer.Option(False, "--length-controlled", help="Win rates at equal length."),
    baseline: str = typer.Option(None, "--baseline", metavar="NAME", help="The opponent of every model."),
    scale: str = typer.Option("elo", "--scale", help="elo (400 points = odds of ten to one) or logit."),
    level: float = typer.Option(0.95, "--level", min=0.5, max=0.9999, help="Of the intervals."),
    out: list[Path] = typer.Option(
        [], "-o", "--output", help="Write the board: .json .html .md .csv .parquet; repeatable."
    ),
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    as_json: bool = JSON,
) -> None:
    """Fit ratings and print the board: rating, 95 % interval, rank range, games, win rate."""
    from zermelo.ranking.board import SUFFIXES, Board
    from zermelo.ranking.result import ELO

    for path in out:
        refuse_same_file(str(path), files)
        if path.suffix not in SUFFIXES:
            known = " ".join(SUFFIXES)
            raise SettingError("unknown-suffix", f"{path}: a board is written as {known}. Got {path.suffix!r}")
    if scale not in ("elo", "logit"):
        raise SettingError("bad-setting", f"--scale must be elo or logit. Got {scale!r}")
    points = (ELO, 1000.0) if scale == "elo" else (1.0, 0.0)
    named = parse_columns(columns)
    controls = [name.strip() for name in (control or "").split(",") if name.strip()]
    if length_controlled:
        unread: dict[str, str | None] = {
            "--control": control,
            "--by": by,
            "--cluster": cluster,
            "--columns": columns,
            "--model": None if model is Model.bradley_terry else model.value,
            "--position": "yes" if position else None,
        }
        _only(unread, "--length-controlled")
        from zermelo.cli.rank_models import length_controlled_board

        made = length_controlled_board(files, baseline, bootstrap or 200, seed, skip_bad, level, points, prior)
    else:
        _only({"--baseline": baseline}, "a board without --length-controlled")
        ridge = _ridge(prior)
        simple = not (controls or by or cluster) and model.value not in (*IN_ORDER, "plackett-luce")
        if simple:
            counts = _counts(files, named, skip_bad)
            fitted = _fit(counts, model, position, ridge)
            if bootstrap:
                from zermelo.cli.rank_models import with_bootstrap

                fitted = with_bootstrap(counts, None, fitted, model.value, bootstrap, seed, ridge, position)
            made = Board(fitted, model=model.value, level=level, scale=points[0], anchor=points[1], counts=counts)
        else:
            from zermelo.cli.rank_models import board_of_records

            made = board_of_records(
                files,
                named,
                skip_bad,
                model.value,
                position,
                ridge,
                controls,
                by,
                cluster,
                bootstrap,
                seed,
                level,
                points,
            )
    for path in out:
        made.write(path)
    if as_json:
        typer.echo(json.dumps(made.to_json(), ensure_ascii=False))
        return
    for line in made.warnings:
        typer.echo(f"warning[ranking]: {line}", err=True)
    lines = made.text().split("\n")
    typer.echo("\n".join(lines[: TOP + 1]))
    if len(lines) > TOP + 1:
        typer.echo(f"… {len(lines) - TOP - 1:,} lines more; `-o board.csv` writes all", err=True)
    for name, (value, error) in made.ratings.extra.items():
        typer.echo(f"{name}: {value:.4g} ± {error:.2g}")


@app.command("next", cls=PlainCommand)
def next_(
    files: list[str] = FILES,
    n: int = typer.Option(10, "-n", min=1, help="How many pairs."),
    goal: GoalName = typer.Option(GoalName.order, "--goal", help="What is to become certain."),
    top: int = typer.Option(5, "--top", min=1, help="With --goal top: how many are the best."),
    cost: str = typer.Option(None, "--cost", metavar="NAME=COST,...", help="Cost of an answer; 1 where not named."),
    seed: int = typer.Option(0, "--seed", help="Of the random arm."),
    random_share: float = typer.Option(0.1, "--random", min=0.0, max=1.0, help="Share drawn at random, as a control."),
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    as_json: bool = JSON,
) -> None:
    """Which pairs to compare next, and why: by expected gain; pieces of the graph are linked first."""
    from dataclasses import asdict

    from zermelo.ranking.active import next_pairs, posterior

    counts = _counts(files, parse_columns(columns), skip_bad)
    found = next_pairs(
        counts, posterior(counts), n=n, seed=seed, random_share=random_share, goal=goal.value, top=top,
        cost=_costs(cost),
    )  # fmt: skip
    if as_json:
        rows = [{**asdict(pair), "gain": None if pair.reason == "links" else pair.gain} for pair in found]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from zermelo.report.terminal import print_table

    told: list[dict[str, Any]] = [
        {"a": p.a, "b": p.b, "games so far": p.games, "gain": _gain(p.gain), "why": p.reason} for p in found
    ]
    print_table(told)


@app.command("settled", cls=PlainCommand)
def settled_(
    files: list[str] = FILES,
    alpha: float = typer.Option(0.05, "--alpha", min=1e-9, max=0.5, help="Probability of any wrong statement."),
    columns: str = COLUMNS,
    skip_bad: bool = SKIP,
    as_json: bool = JSON,
) -> None:
    """Pairs whose own votes settle which is better, however often one looked and whatever was asked next."""
    from zermelo.ranking.sequential import settled

    found = settled(_counts(files, parse_columns(columns), skip_bad), alpha=alpha)
    rows: list[dict[str, Any]] = [
        {"better": one.better, "worse": one.worse, "wins": one.wins, "losses": one.losses, "log_e": one.log_e}
        for one in found
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    elif rows:
        from zermelo.report.terminal import print_table

        print_table([{**row, "log_e": f"{row['log_e']:.1f}"} for row in rows])
    else:
        typer.echo("no pair is settled by its own votes yet", err=True)


@app.command(cls=PlainCommand)
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

    fitted = _fit(_counts([file], parse_columns(columns), skip_bad), Model.bradley_terry, False, 0.0)
    found = votes_needed(fitted, a, b, level=level, chance=chance)
    if as_json:
        votes = None if found.votes == float("inf") else found.votes
        record = {"difference": found.difference, "error": found.error, "separated": found.separated, "votes": votes}
        typer.echo(json.dumps({"schema": "zermelo.power/1", "a": a, "b": b, **record}, ensure_ascii=False))
        return
    typer.echo(f"{a} − {b}: {ELO * found.difference:+.0f} ± {ELO * found.error:.0f} Elo points")
    if found.votes == float("inf"):
        typer.echo("their ratings are equal: no number of votes is known to separate them")
    else:
        typer.echo("separated already" if found.separated else f"about {found.votes:,.0f} more direct votes")


def _counts(files: list[str], columns: dict[str, str] | None, skip_bad: bool) -> Any:
    """Counts of bare battles, or of the comparisons of groups of any format."""
    from zermelo.feedback.opening import is_bare, open_battles, tally
    from zermelo.ranking.reading import counts_of, counts_of_tally

    if is_bare(files, columns):
        found = tally(files, columns=columns)
        if found is not None:
            return counts_of_tally(found)
    view = open_battles(files, columns=columns, skip_bad=skip_bad)
    counts = counts_of(view)
    for reason, number in view.dropped.items() if skip_bad or view.relate is None else ():
        warn("left-out", f"{number:,} comparisons left out: {reason}")
    return counts


def _fit(counts: Any, model: Model, position: bool, prior: float) -> Any:
    from zermelo.ranking.bradley_terry import BradleyTerry, Thurstone

    if model is Model.thurstone:
        return Thurstone(position=position, prior=prior).fit(counts)
    ties: Any = {"bradley-terry": "half"}.get(model.value, model.value)
    return BradleyTerry(ties=ties, position=position, prior=prior).fit(counts)


def _ridge(text: str | None) -> float:
    """The prior of a board without length control: a number of games."""
    if text is None:
        return 0.0
    try:
        found = float(text)
    except ValueError:
        raise SettingError(
            "bad-setting",
            f"--prior must be a number of games. Got {text!r}",
            hint="a file of coefficients goes with --length-controlled",
        ) from None
    if not 0 <= found < float("inf"):
        raise SettingError("bad-setting", f"--prior must be a finite number ≥ 0. Got {text!r}")
    return found


def _costs(text: str | None) -> dict[str, float] | None:
    """`gpt-4=3,other=1` as a map."""
    if text is None:
        return None
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.rpartition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise SettingError("bad-setting", f"--cost {part!r}: expected NAME=NUMBER, comma-separated") from None
    return found


def _only(given: dict[str, str | None], where: str) -> None:
    """Refuse options that a kind of board does not read."""
    for name, value in given.items():
        if value is not None:
            raise SettingError("bad-setting", f"{name} has no effect on {where}; leave it out")


def _gain(value: float) -> str:
    return "–" if value == float("inf") else f"{value:.3g}"
