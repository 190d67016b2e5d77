"""`zermelo reward train|score`: reward models from preference pairs, and what they say of groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, SKIP_HELP
from zermelo.errors import SettingError

if TYPE_CHECKING:
    from zermelo.feedback.records import Group

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Reward models: train one on preference pairs, score groups with it.")


@app.command("train")
def train(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Preference pairs, in any format."),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the reward model."),
    encoder: str = typer.Option(
        None,
        "--encoder",
        help="A head on frozen embeddings: minilm, a sentence-transformers model, or tfidf (no torch).",
        show_default=False,
    ),
    model: str = typer.Option(
        None, "--model", "-m", help="A language model with a scalar head: folder or hub name.", show_default=False
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Everything random derives from it."),
    l2: float = typer.Option(None, "--l2", help="[encoder] Ridge; default: by cross-validation.", show_default=False),
    hidden: int = typer.Option(0, "--hidden", min=0, help="[encoder] Units of a hidden layer."),
    folds: int = typer.Option(5, "--folds", min=2, help="[encoder] Of the cross-validation over prompts."),
    cache: Path = typer.Option(None, "--cache", help="[encoder] Folder for embeddings.", show_default=False),
    lora: int = typer.Option(None, "--lora", min=1, help="[model] Rank of an adapter.", show_default=False),
    lr: float = typer.Option(None, "--lr", help="[model] Learning rate.  [default: 1e-5]", show_default=False),
    epochs: float = typer.Option(None, "--epochs", help="[model] Passes over the data.", show_default=False),
    validation: float = typer.Option(0.1, "--validation", help="[model] Share of the prompts held out."),
    fresh: bool = typer.Option(False, "--fresh", help="[model] Start over in a folder of another run."),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    skip_bad: bool = typer.Option(False, "--skip-bad", help=SKIP_HELP + " They go to OUT.rejects.jsonl."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Train a Bradley–Terry reward model; its figures come from prompts that it was not trained on.

    zermelo reward train pairs.parquet --encoder minilm -o runs/reward
    zermelo reward train pairs.parquet --model Qwen/Qwen2.5-0.5B-Instruct --lora 16 -o runs/reward-lm
    """
    from zermelo.cli.training import read
    from zermelo.feedback.rejects import rejects_path

    if (encoder is None) == (model is None):
        raise SettingError("usage", "name either --encoder or --model", hint="`--encoder minilm` needs no GPU")
    groups = read(files, form=form, columns=columns, skip_bad=skip_bad, rejects=rejects_path(str(out)))
    if model is not None:
        from zermelo.cli.reward_model import train_language_model

        train_language_model(
            groups,
            model,
            out,
            lora=lora,
            validation_share=validation,
            fresh=fresh,
            as_json=as_json,
            seed=seed,
            lr=1e-5 if lr is None else lr,
            epochs=epochs,
        )
        return
    _train_head(groups, encoder, out, seed, l2, hidden, folds, cache, as_json)


@app.command("score")
def score(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Groups, in any format."),
    scorer: str = typer.Option(..., "--scorer", "-s", help="Folder of a reward model, or a scorer's name."),
    out: Path = typer.Option(..., "--out", "-o", help="The same groups with a rating for each response."),
    pairs: bool = typer.Option(False, "--pairs", help="P(a ≻ b) of each pair instead of ratings."),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    skip_bad: bool = typer.Option(False, "--skip-bad", help=SKIP_HELP + " They go to OUT.rejects.jsonl."),
) -> None:
    """Score the responses of groups with a reward model.

    zermelo reward score groups.parquet --scorer runs/reward -o scored.parquet
    """
    from zermelo.cli.judge import judge_files

    judge_files(files, scorer, out, {}, pairs, form, columns, skip_bad)


def _train_head(
    groups: list[Group],
    encoder: str,
    out: Path,
    seed: int,
    l2: float | None,
    hidden: int,
    folds: int,
    cache: Path | None,
    as_json: bool,
) -> None:
    from zermelo.progress import bars
    from zermelo.scorers.embedding_reward import EmbeddingReward

    settings = EmbeddingReward(encoder, hidden=hidden, l2=l2, folds=folds, seed=seed)
    kept = out / "embeddings" if cache is None and encoder != "tfidf" else cache
    with bars() as bar:
        report = settings.cross_validate(groups, cache=kept, bar=bar)
        fitted = settings.fit(groups, cache=kept, bar=bar)
    place = fitted.save(out, report=report)
    if as_json:
        document = {"schema": "zermelo.reward-train/1", "out": str(place), **fitted.trained_on, **report.to_json()}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    rows = [("", "accuracy", "log-loss, nat", "calibration error")]
    rows += [one.row() for one in (report.reward, report.length, report.majority)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    known = report.reward
    typer.echo(f"against length alone: {report.gain.scaled(100).format(digits=1, signed=True)} points of accuracy")
    typer.echo(
        f"{known.pairs:,} pairs of {known.prompts:,} prompts, {report.folds}-fold by prompt, 95 % intervals over "
        f"prompts; left out: {report.ties:,} ties, {report.suspicious:,} suspicious groups"
    )
    typer.echo(f"model: {place}")
