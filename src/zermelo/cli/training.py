"""What the two commands that train have in common: reading, settings, telling how it went."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zermelo.errors import SettingError, warn

if TYPE_CHECKING:
    from zermelo.feedback.records import Group
    from zermelo.training.result import TrainResult
    from zermelo.training.settings import OfflineSettings

__all__ = ["read", "say", "settings_of", "tell"]


def read(
    files: list[str],
    *,
    form: str | None = None,
    columns: str | None = None,
    skip_bad: bool = False,
    rejects: Path | None = None,
) -> list[Group]:
    """All groups of files; bad rows set aside in `rejects` where asked."""
    from zermelo.cli.reading import parse_columns
    from zermelo.feedback.reading import ReadReport, read_groups
    from zermelo.feedback.rejects import Rejects
    from zermelo.progress import track

    report = ReadReport()
    with Rejects(rejects if skip_bad and first() else None) as aside:
        groups = list(
            track(
                # the trainer says itself what it leaves out
                read_groups(
                    files,
                    format=form,
                    columns=parse_columns(columns),
                    skip_bad=skip_bad,
                    rejects=aside,
                    report=report,
                    quiet=True,
                ),
                "reading",
            )
        )
    if report.n_bad:
        warn("bad-rows", f"{report.n_bad:,} bad rows set aside" + ("" if rejects is None else f" in {rejects}"))
    return groups


def settings_of(values: Mapping[str, Any]) -> OfflineSettings:
    """Settings from the options that were given; the others keep their defaults."""
    from zermelo.training.settings import OfflineSettings

    return OfflineSettings(**{name: value for name, value in values.items() if value is not None})


def lora_of(rank: int | None) -> Any:
    """A new adapter of that rank, or none."""
    if rank is None:
        return None
    from zermelo.policies.load import LoRA

    return LoRA(rank=rank)


def first() -> bool:
    """Whether this is the process that speaks and writes, of several that a launcher started."""
    return os.environ.get("RANK", "0") == "0"


def say(line: str) -> None:
    """A line for the person at the terminal; text from data shows as text."""
    from zermelo.feedback.visible import visible

    typer.echo(visible(line), err=True)


def tell(result: TrainResult[Any], *, as_json: bool) -> None:
    """How a run went, on stdout."""
    if not first():
        return
    if as_json:
        typer.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=1))
        return
    shown = ("loss", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected", "kl", "eval/loss")
    for name in (*shown, "eval/rewards/accuracies"):
        series = result.series(name)
        if series:
            typer.echo(f"{name:26} {series[0][1]:10.4f} → {result.final[name]:10.4f}")
    counts = result.counts
    typer.echo(
        f"{result.steps:,} steps on {counts['groups']:,} groups of {counts['groups_read']:,}, {result.seconds:.0f} s"
    )
    if result.stopped:
        typer.echo(f"stopped: {result.stopped}")
    if result.out is not None:
        typer.echo(f"model: {result.out / 'model'}")


def need_out(out: Path | None) -> Path:
    """The folder of the run.

    Raises:
        SettingError: none was named.
    """
    if out is None:
        raise SettingError("usage", "name the folder of the run", hint="-o runs/NAME")
    return out
