"""Run a comparison: the shared steps of every variant once, then each cell, in this process or in several.

Everything is resumable: shared steps and cells are found again by their content, and an interrupted cell goes on from
its checkpoint. Reference log-probabilities, samples and judgements are computed once for all cells.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zermelo.errors import SettingError
from zermelo.progress import Bar, silent
from zermelo.recipes.compare.cells import START, Cell, cell_recipe, cells, safe
from zermelo.recipes.compare.schema import Comparison
from zermelo.recipes.run import do_steps, plan
from zermelo.recipes.store import Before, hashed, only_run, same_settings, write_json

__all__ = ["Outcome", "run_comparison"]


@dataclass(frozen=True)
class Outcome:
    """A finished cell.

    Args:
        cell: Which.
        trained: Figures of its alignment; None of the start.
        measured: Figures of its answers; None where the run diverged.
        failed: Why it has none, '' where it has.
        seconds: What it cost.
    """

    cell: Cell
    trained: dict[str, Any] | None
    measured: dict[str, Any] | None
    failed: str = ""
    seconds: float = 0.0


def run_comparison(
    comparison: Comparison,
    out: Path,
    *,
    fresh: bool = False,
    jobs: int | None = None,
    bar: Bar = silent,
    say: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """Run what is not done yet; returns every cell, in the order of `cells`.

    Args:
        comparison: Validated settings.
        out: Folder; made if needed.
        fresh: Remove what an earlier comparison left there.
        jobs: Processes; default as the settings say.
        bar: Makes progress bars.
        say: Told what is being done.
    Raises:
        SettingError: another comparison was run in this folder, or one is going on in it.
    """
    jobs = jobs or comparison.jobs
    if comparison.threads == 0 and jobs > 1:
        comparison = comparison.model_copy(update={"threads": max(1, (os.cpu_count() or 1) // jobs)})
    out.mkdir(parents=True, exist_ok=True)
    with only_run(out):
        if fresh:
            for name in ("shared", "cells", "reference", "embeddings"):
                shutil.rmtree(out / name, ignore_errors=True)
            (out / "recipe.yaml").unlink(missing_ok=True)
        same_settings(comparison.model_dump(mode="json", exclude={"jobs", "threads"}), out)
        shared = share(comparison, out, bar, say)
        todo = cells(comparison)
        advance = bar("cells", len(todo))
        found: dict[Cell, Outcome] = {}
        for outcome in outcomes(comparison, out, todo, shared, jobs, say):
            found[outcome.cell] = outcome
            say(outcome.cell.line() + (f": {outcome.failed}" if outcome.failed else ""))
            advance(1)
        return [found[cell] for cell in todo]


def share(comparison: Comparison, out: Path, bar: Bar, say: Callable[[str], None]) -> dict[str, Before]:
    """The shared steps of every variant; a step of equal content is taken over from another variant."""
    done: dict[str, Before] = {}
    for variant in comparison.variants:
        say(f"data: {variant}")
        base = comparison.base(variant)
        folder = out / "shared" / safe(variant)
        twins = [out / "shared" / safe(other) for other in done]
        done[variant] = do_steps(base, folder, plan(base), cache=out, twins=twins, bar=bar, say=say)
    return done


def outcomes(
    comparison: Comparison,
    out: Path,
    todo: Sequence[Cell],
    shared: dict[str, Before],
    jobs: int,
    say: Callable[[str], None],
) -> Any:
    """Cells as they are done."""
    if jobs == 1:
        for cell in todo:
            yield do_cell(comparison, cell, shared[cell.variant], out)
        return
    # spawned, not forked: threads of torch and locks of tokenizers do not survive a fork
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=leave_with_parent)
    try:
        futures = [pool.submit(in_process, comparison.model_dump(), cell, shared[cell.variant], out) for cell in todo]
        for future in as_completed(futures):
            outcome, error = future.result()
            if error is not None:
                raise SettingError(error[0], error[1], hint=error[2])
            yield outcome
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def leave_with_parent() -> None:
    """End this process when the one that made it is gone (killed): else it would hold its run's lock and memory."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def in_process(
    plain: dict[str, Any], cell: Cell, before: Before, out: Path
) -> tuple[Outcome | None, tuple[str, str, str | None] | None]:
    """A cell in a process of its own; errors come back as words, because exceptions do not travel well."""
    from zermelo.errors import ZermeloError

    try:
        return do_cell(Comparison.model_validate(plain), cell, before, out), None
    except ZermeloError as error:
        return None, (error.code, f"{cell.line()}: {error.line()}", error.hint)


def do_cell(comparison: Comparison, cell: Cell, before: Before, out: Path) -> Outcome:
    """Align and measure, what is not done yet. A run that diverges is an outcome, no error: a grid may hold one."""
    recipe = cell_recipe(comparison, cell)
    folder = cell.folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    # a run that diverges would diverge again: its word is kept beside its content
    content, word = hashed([before.key, cell.seed, recipe.model_dump(mode="json")]), folder / "diverged.json"
    if word.exists() and (told := json.loads(word.read_text(encoding="utf-8")))["key"] == content:
        return Outcome(cell, None, None, failed=told["failed"])
    steps: list[tuple[str, Any]] = [(s, getattr(recipe, s)) for s in ("align", "rounds") if getattr(recipe, s)]
    with only_run(folder):
        try:
            known = do_steps(
                recipe, folder, [*steps, ("measure", recipe.evaluate)], before=before.under(cell.seed), cache=out
            )
        except SettingError as error:
            if error.code != "not-finite":
                raise
            write_json(word, {"key": content, "failed": f"diverged: {error.line()}"})
            return Outcome(cell, None, None, failed=f"diverged: {error.line()}")
    trained = None if cell.method == START else known.done[steps[0][0]].figures[cell.method]
    seconds = sum(known.done[step].seconds for step, _ in (*steps, ("measure", None)))
    return Outcome(cell, trained, known.done["measure"].figures, seconds=round(seconds, 2))
