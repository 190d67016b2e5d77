"""Run a recipe: its steps one after the other in one folder, each finished step kept and found again.

A folder holds `recipe.yaml` (resolved), one folder a step with its files and `done.json`, `summary.json` and
`report.html`. The same command resumes; another resolved recipe in the same folder is refused.
"""

from __future__ import annotations

import importlib
import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zermelo.progress import Bar, silent
from zermelo.recipes.schema import Recipe
from zermelo.recipes.store import (
    Before,
    Done,
    finished,
    key_of,
    only_run,
    same_settings,
    stale,
    taken_over,
    write_json,
)

__all__ = ["Before", "Context", "Done", "do_steps", "only_run", "plan", "run_recipe", "same_settings", "write_json"]

# step → the function that does it; a step runs where the recipe names it (`always` steps run in every recipe)
STEPS: dict[str, str] = {
    "data": "zermelo.recipes.steps.data:data",
    "sample": "zermelo.recipes.steps.answers:sample",
    "judge": "zermelo.recipes.steps.answers:judge",
    "inject": "zermelo.recipes.steps.answers:inject",
    "pairs": "zermelo.recipes.steps.answers:pairs",
    "doctor": "zermelo.recipes.steps.doctor:doctor",
    "reward": "zermelo.recipes.steps.training:reward",
    "align": "zermelo.recipes.steps.training:align",
    "rounds": "zermelo.recipes.steps.rounds:rounds",
    "select": "zermelo.recipes.steps.select:select",
    "evaluate": "zermelo.recipes.steps.evaluate:evaluate",
}
ALWAYS = ("data", "pairs")
# steps that other commands put together themselves (`compare`)
OTHERS: dict[str, str] = {"measure": "zermelo.recipes.steps.measure:measure"}


@dataclass
class Context:
    """What a step sees: the recipe, its own folder, the files of earlier steps, and a progress bar.

    Args:
        recipe: The whole recipe.
        root: Folder of the run.
        out: Folder of this step.
        done: Earlier steps.
        bar: Makes progress bars.
        say: Told one line per step.
        key: Content of this step and of all before it.
        places: Earlier step → folder of the run that holds it, where that is another one.
        cache: Where embeddings and reference log-probabilities are kept; None = in `root`.
    """

    recipe: Recipe
    root: Path
    out: Path
    done: Mapping[str, Done]
    bar: Bar = silent
    say: Callable[[str], None] = field(default=lambda line: None)
    key: str = ""
    places: Mapping[str, Path] = field(default_factory=dict)
    cache: Path | None = None

    def file(self, step: str, name: str) -> Path:
        """A file that an earlier step wrote."""
        return self.places.get(step, self.root) / step / name

    def latest(self, name: str, *steps: str) -> Path:
        """The file `name` of the last of `steps` that ran."""
        for step in reversed(steps):
            if step in self.done and self.file(step, name).exists():
                return self.file(step, name)
        raise FileNotFoundError(name)

    def kept(self, name: str) -> Path:
        """A folder for what costs much and depends on its content alone."""
        return (self.cache or self.root) / name


def plan(recipe: Recipe) -> list[tuple[str, Any]]:
    """The steps that a recipe asks for, in order, with their settings."""
    named = [(step, getattr(recipe, step)) for step in STEPS]
    # rounds that sample make their own pairs
    own = (
        bool(recipe.rounds) and not recipe.align and not recipe.reward and all(r.sample for r in recipe.rounds.values())
    )
    return [
        (step, settings)
        for step, settings in named
        if (settings or step in ALWAYS) and not (own and step in ("pairs", "doctor"))
    ]


def run_recipe(
    recipe: Recipe,
    out: Path,
    *,
    fresh: bool = False,
    bar: Bar = silent,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Done]:
    """Run what is not done yet; returns every step's figures and cost.

    Args:
        recipe: Validated settings.
        out: Folder of the run; made if needed.
        fresh: Remove what an earlier run left there, whatever its recipe was.
        bar: Makes progress bars.
        say: Told one line per step.
    Raises:
        SettingError: another recipe has been run in this folder, or a run is going on in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with only_run(out):
        if fresh:
            _clear(out)
        same_settings(recipe.model_dump(mode="json"), out)
        return dict(do_steps(recipe, out, plan(recipe), bar=bar, say=say).done)


def do_steps(
    recipe: Recipe,
    out: Path,
    steps: Sequence[tuple[str, Any]],
    *,
    before: Before = Before(),
    cache: Path | None = None,
    twins: Sequence[Path] = (),
    bar: Bar = silent,
    say: Callable[[str], None] = lambda line: None,
) -> Before:
    """Do steps one after the other, those that are not done yet; returns them with all before.

    Args:
        recipe: What every step sees.
        out: Folder in which each step has a folder.
        steps: Step and its settings, in order.
        before: Steps done elsewhere that these read.
        cache: See `Context`.
        twins: Folders of other runs: a finished step of equal content is taken over from there.
        bar: Makes progress bars.
        say: Told one line per step.
    """
    done, places, key = dict(before.done), dict(before.places), before.key
    for number, (step, settings) in enumerate(steps, 1):
        key = key_of(key, step, settings, recipe)
        folder = out / step
        found = finished(folder, key) or taken_over(folder, key, twins)
        if found is None:
            say(f"[{number}/{len(steps)}] {step}")
            found = _do(Context(recipe, out, folder, done, bar, say, key, places, cache), step, key)
        else:
            say(f"[{number}/{len(steps)}] {step}: done before")
        done[step], places[step] = found, out
    return Before(done, places, key)


def _do(context: Context, step: str, key: str) -> Done:
    module, _, attribute = (STEPS | OTHERS)[step].partition(":")
    work = getattr(importlib.import_module(module), attribute)
    if stale(context.out, key):
        shutil.rmtree(context.out)
    context.out.mkdir(parents=True, exist_ok=True)
    (context.out / "key").write_text(key)
    spent = context.out / "seconds"  # of earlier, interrupted tries
    before = float(spent.read_text()) if spent.exists() else 0.0
    started = time.perf_counter()
    try:
        figures = work(context)
    finally:
        spent.write_text(repr(before + time.perf_counter() - started))
    seconds = before + time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    finished = Done(step, figures, round(seconds, 2), round(memory, 1))
    write_json(
        context.out / "done.json",
        {"key": key, "figures": figures, "run": {"seconds": finished.seconds, "memory_mb": finished.memory_mb}},
    )
    return finished


def _clear(out: Path) -> None:
    for name in STEPS:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("recipe.yaml", "summary.json", "report.html"):
        (out / name).unlink(missing_ok=True)
