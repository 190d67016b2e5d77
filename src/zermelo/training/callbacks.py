"""Callbacks: what may look on during a run, and stop it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zermelo.training.folder import Row
    from zermelo.training.loop import Run

__all__ = ["Callback"]


class Callback:
    """Called on the main process, in the order given. Inherit and override what is wanted; the methods here do nothing.

    `run` is the run itself: `run.plan`, `run.position`, `run.history`, `run.policy`; `run.stop("why")` ends it after
    the step.
    """

    def on_start(self, run: Run) -> None:
        """Before the first step (or the first after an interruption)."""

    def on_step(self, run: Run, row: Row) -> None:
        """After an optimiser step; `row` is what goes to the journal."""

    def on_validation(self, run: Run, row: Row) -> None:
        """After a validation; its figures begin with `eval/`."""

    def on_save(self, run: Run, folder: Path) -> None:
        """After a checkpoint was written."""

    def on_end(self, run: Run) -> None:
        """After the last step."""
