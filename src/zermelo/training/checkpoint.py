"""Checkpoints: written beside and renamed, complete, and loadable as plain models.

A checkpoint is a Transformers (or PEFT adapter) folder and `training/` in it: optimiser, position, the objective's
state. The learning rate and every random number follow from the step's number and need no state.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from zermelo.training.folder import write_json
from zermelo.training.trainee import Trainee

__all__ = ["Best", "Position", "Saver", "newest"]


@dataclass(frozen=True)
class Best:
    """The best validation so far: its step and value, and how many there have been since without improvement."""

    step: int = 0
    value: float | None = None
    since: int = 0


@dataclass(frozen=True)
class Position:
    """Where a run stands between two steps.

    Args:
        step: Steps done.
        groups: Groups taken, over all epochs.
        state: The objective's state, JSON values.
        best: Of the validations.
    """

    step: int = 0
    groups: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    best: Best = Best()


@dataclass(frozen=True)
class Saver:
    """Writes and reads the checkpoints of a run.

    Args:
        folder: `checkpoints/` of the run.
        limit: How many to keep; None = all. The best is kept besides the newest.
        save_model: Writes the model as a plain folder.
        load_model: Puts the weights of such a folder into the model being trained.
    """

    folder: Path
    limit: int | None
    save_model: Callable[[Path], None]
    load_model: Callable[[Path], None]

    def save(self, trainee: Trainee, position: Position) -> Path:
        """Write a checkpoint; every device must call this."""
        target = self.folder / f"step-{position.step:06d}"
        beside = self.folder / f".step-{position.step:06d}.part"
        if target.exists():
            return target
        if trainee.main:
            shutil.rmtree(beside, ignore_errors=True)
            (beside / "training").mkdir(parents=True)
        trainee.wait()
        if trainee.sharded:
            trainee.accelerator.save_state(str(beside / "training" / "sharded"))
        elif trainee.main:
            torch.save(trainee.optimiser.state_dict(), beside / "training" / "optimiser.pt")
        self.save_model(beside)
        if trainee.main:
            write_json(beside / "training" / "position.json", asdict(position))
            flush(beside)
            os.replace(beside, target)
            self._prune(keep={position.step, position.best.step})
        trainee.wait()
        return target

    def load(self, trainee: Trainee, path: Path) -> Position:
        """Put a checkpoint into the model and its optimiser."""
        if trainee.sharded:
            trainee.accelerator.load_state(str(path / "training" / "sharded"))
        else:
            self.load_model(path)
            saved = torch.load(path / "training" / "optimiser.pt", map_location=trainee.device, weights_only=True)
            trainee.optimiser.load_state_dict(saved)
        return read_position(path)

    def of_step(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"step-{step:06d}"

    def clean(self) -> None:
        """Remove what a kill left half written."""
        for path in self.folder.glob(".*.part"):
            shutil.rmtree(path)

    def _prune(self, keep: set[int]) -> None:
        if self.limit is None:
            return
        steps = sorted((number(path) for path in self.folder.glob("step-*")), reverse=True)
        spared = keep | set(steps[: self.limit])
        for step in steps:
            if step not in spared:
                path = self.of_step(step)
                gone = path.with_name(f".{path.name}.part")  # out of sight first: never half a checkpoint
                os.replace(path, gone)
                shutil.rmtree(gone)


def read_position(path: Path) -> Position:
    """The position that a checkpoint was written at."""
    data = json.loads((path / "training" / "position.json").read_text(encoding="utf-8"))
    return Position(data["step"], data["groups"], data["state"], Best(**data["best"]))


def newest(folder: Path) -> Path | None:
    """The checkpoint to go on from."""
    return max(folder.glob("step-*"), key=number, default=None)


def number(path: Path) -> int:
    """The step in a checkpoint's name."""
    return int(path.name.rpartition("-")[2])


def flush(folder: Path) -> None:
    """Everything in a folder onto the disk, so that the rename never outruns the content."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
