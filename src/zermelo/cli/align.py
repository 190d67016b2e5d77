"""`zermelo align`: train a policy on groups with any objective."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from zermelo.cli.objective import OBJECTIVE_HELP, parse_objectives
from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, SKIP_HELP
from zermelo.cli.training import lora_of, need_out, read, say, settings_of, tell

__all__ = ["align"]


def align(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Preference data of any format."),
    model: str = typer.Option(..., "--model", "-m", help="A folder or hub name to start from."),
    objective: list[str] = typer.Option(["dpo"], "--objective", "-b", help=OBJECTIVE_HELP),
    out: Path = typer.Option(None, "--out", "-o", help="Folder of the run.", show_default=False),
    lr: float = typer.Option(None, "--lr", help="Peak learning rate.  [default: 1e-6]", show_default=False),
    epochs: float = typer.Option(None, "--epochs", help="Passes over the data.  [default: 1]", show_default=False),
    max_steps: int = typer.Option(None, "--max-steps", help="End after so many steps.", show_default=False),
    batch: int = typer.Option(
        None, "--batch", help="Groups of an optimiser step, all devices.  [default: 32]", show_default=False
    ),
    pairs_per_step: int = typer.Option(None, "--pairs-per-step", help="Count pairs instead.", show_default=False),
    tokens: int = typer.Option(
        None,
        "--tokens",
        help="Tokens of a micro-batch; changes memory, no number.  [default: 16384]",
        show_default=False,
    ),
    schedule: str = typer.Option(
        None, "--schedule", help="constant, linear, cosine, inverse_sqrt.", show_default=False
    ),
    warmup: float = typer.Option(None, "--warmup", help="Share of the steps.  [default: 0.1]", show_default=False),
    weight_decay: float = typer.Option(None, "--weight-decay", help="Of matrices.", show_default=False),
    clip: float = typer.Option(None, "--clip", help="Largest norm of the gradient.  [default: 1]", show_default=False),
    lora: int = typer.Option(None, "--lora", metavar="RANK", help="Train a new adapter instead.", show_default=False),
    precision: str = typer.Option(None, "--precision", help="float32 or bfloat16.", show_default=False),
    checkpointing: bool = typer.Option(False, "--checkpointing", help="Less memory, a third more time."),
    seed: int = typer.Option(0, "--seed", min=0, help="Order of the data, dropout, validation split."),
    overlong: str = typer.Option("drop", "--overlong", help="Too long: drop (with its pairs), cut, error."),
    max_tokens: int = typer.Option(None, "--max-tokens", help="Longest response.", show_default=False),
    online: int = typer.Option(
        None,
        "--online",
        metavar="N",
        help="N fresh samples of the policy to each prompt of a step (HyPO).",
        show_default=False,
    ),
    online_tokens: int = typer.Option(256, "--online-tokens", min=1, help="Longest fresh sample."),
    derive: str = typer.Option("stated", "--derive", help="Pairs from ratings too: all, best_worst, adjacent."),
    criterion: str = typer.Option(None, "--criterion", help="Only judgements of this criterion.", show_default=False),
    reference: str = typer.Option(
        None, "--reference", help="Another reference model than the start.", show_default=False
    ),
    validation: list[str] = typer.Option(None, "--validation", help="Files of held-out data.", show_default=False),
    validation_share: float = typer.Option(0.0, "--validation-share", help="Hold out a share, by prompt."),
    patience: int = typer.Option(
        None, "--patience", help="Stop after so many validations without improvement.", show_default=False
    ),
    keep_best: bool = typer.Option(False, "--keep-best", help="End with the best validated model."),
    save_every: int = typer.Option(100, "--save-every", help="Steps between checkpoints."),
    save_total_limit: int = typer.Option(1, "--save-total-limit", help="Checkpoints kept."),
    samples: int = typer.Option(0, "--samples", help="Show what the policy writes to so many prompts, ten times."),
    track: list[str] = typer.Option(None, "--track", help="tensorboard, wandb, …", show_default=False),
    push_to_hub: str = typer.Option(None, "--push-to-hub", metavar="REPO", help="Upload it.", show_default=False),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    skip_bad: bool = typer.Option(False, "--skip-bad", help=SKIP_HELP + " They go to OUT/rejects.jsonl."),
    no_checks: bool = typer.Option(False, "--no-checks", help="Skip the self-checks on the first batch."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what the run needs in memory and time; train nothing."),
    fresh: bool = typer.Option(False, "--fresh", help="Start over in a folder that holds another run."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Train a policy on preference data. The same command goes on where an interrupted run stopped.

    zermelo align pairs.parquet --model Qwen/Qwen2.5-0.5B-Instruct -b dpo:beta=0.1 --lora 16 --lr 1e-4 -o runs/dpo
    zermelo align pairs.parquet --model ./my-model -b simpo:beta=2,gamma=1 -b sft:weight=0.1 -o runs/simpo
    """
    plain = parse_objectives(list(objective))
    settings = settings_of(
        {
            "lr": lr,
            "epochs": epochs,
            "max_steps": max_steps,
            "groups_per_step": batch,
            "pairs_per_step": pairs_per_step,
            "tokens": tokens,
            "schedule": schedule,
            "warmup": warmup,
            "weight_decay": weight_decay,
            "clip": clip,
            "precision": precision,
            "checkpointing": checkpointing,
            "seed": seed,
            "overlong": overlong,
            "max_tokens": max_tokens,
            "derive": derive,
            "criterion": criterion,
            "validation_share": validation_share,
            "patience": patience,
            "keep_best": keep_best,
            "save_every": save_every,
            "save_total_limit": save_total_limit,
            "checks": not no_checks,
        }
    )
    folder = None if dry_run else need_out(out)
    from zermelo.objectives.config import from_config

    loss = from_config(plain)  # a misspelt objective before a long reading
    groups = read(
        files,
        form=form,
        columns=columns,
        skip_bad=skip_bad,
        rejects=None if folder is None else made(folder) / "rejects.jsonl",
    )
    if folder is None:
        show_estimate(model, groups, loss, settings, lora, as_json)
        return
    from zermelo.progress import bars
    from zermelo.training.offline import align as train
    from zermelo.training.online import Online

    callbacks: list[Any] = []
    if samples:
        from zermelo.training.samples import Samples

        callbacks.append(Samples(groups[:samples], every=max(1, (max_steps or 500) // 10)))
    with bars() as bar:
        result = train(
            model,
            groups,
            loss,
            settings=settings,
            out=folder,
            validation=read(list(validation), form=form, columns=columns) if validation else None,
            references=None if reference is None else {"ref": reference},
            lora=lora_of(lora),
            online=None if online is None else Online(n=online, max_tokens=online_tokens),
            callbacks=callbacks,
            trackers=track or (),
            push_to_hub=push_to_hub,
            fresh=fresh,
            bar=bar,
            say=say,
        )
    tell(result, as_json=as_json)


def made(folder: Path) -> Path:
    """The folder, there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def show_estimate(
    model: str, groups: list[Any], objective: Any, settings: Any, rank: int | None, as_json: bool
) -> None:
    """What the run would need."""
    from zermelo.training.budget import estimate

    found = estimate(model, groups, objective, settings=settings, lora=lora_of(rank))
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
        return
    typer.echo(f"{found.groups:,} groups, {found.steps:,} steps, {found.tokens:,} tokens")
    typer.echo(f"parameters  {found.parameters:,}, trained {found.trainable:,}")
    parts = (
        f"{name} {getattr(found, f'{name}_gb'):.3g}" for name in ("weights", "gradients", "optimiser", "activations")
    )
    typer.echo(f"memory      {found.memory_gb:.3g} GB: {', '.join(parts)}")
    typer.echo(f"time        {found.seconds / 60:.3g} min on this device, reference included")
