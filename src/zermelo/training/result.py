"""What a run of training gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from zermelo.training.alarms import Alarm

__all__ = ["TrainResult"]

Trained = TypeVar("Trained")


@dataclass(frozen=True)
class TrainResult(Generic[Trained]):
    """A trained model and how it came about.

    Args:
        policy: What was trained: a `Policy`, or a reward model.
        steps: Optimiser steps done.
        history: Rows of `metrics.jsonl`; those of validations have names that begin with `eval/`.
        counts: Groups read and left out, by reason; responses, pairs and tokens trained on.
        alarms: What looks wrong, with a remedy each.
        checks: The lines of the self-checks.
        stopped: Why the run ended before its plan did, '' where it did not.
        best_step: The step whose weights these are where the best was kept, else the last.
        out: Folder of the run: `model/` is a plain Transformers (or PEFT) folder. None = nothing was written.
        seconds: Wall time of this call.
    """

    policy: Trained
    steps: int
    history: tuple[Mapping[str, Any], ...]
    counts: Mapping[str, int]
    alarms: tuple[Alarm, ...] = ()
    checks: tuple[str, ...] = ()
    stopped: str = ""
    best_step: int = 0
    out: Path | None = None
    seconds: float = 0.0
    final: Mapping[str, float] = field(default_factory=dict)

    def series(self, name: str) -> tuple[tuple[int, float], ...]:
        """(step, value) of one figure: `loss`, `rewards/margins`, `logps/chosen`, `eval/loss`, …"""
        return tuple((row["step"], row[name]) for row in self.history if name in row)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; what may differ between equal runs stands under `run`."""
        return {
            "schema": "zermelo.training/1",
            "steps": self.steps,
            "stopped": self.stopped or None,
            "best_step": self.best_step,
            "counts": dict(self.counts),
            "final": dict(self.final),
            "alarms": [alarm.to_json() for alarm in self.alarms],
            "checks": list(self.checks),
            "run": {"seconds": round(self.seconds, 2), "out": None if self.out is None else str(self.out)},
        }
