"""Run a recipe: its steps one after the other in one folder, each finished step kept and found again.

A folder holds `recipe.yaml` (resolved), one folder a step with its files and `done.json`, `summary.json` and
`report.html`. The same command resumes; another resolved recipe in the same folder is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from zermelo.errors import SettingError
from zermelo.progress import Bar, silent
from zermelo.recipes.schema import Recipe

__all__ = ["Context", "Done", "plan", "run_recipe"]

Figures: TypeAlias = dict[str, Any]
# step → the function that does it; a step runs where the recipe names it (`always` steps run in every recipe)
STEPS: dict[str, str] = {
    "data": "zermelo.recipes.steps.data:data",
    "sample": "zermelo.recipes.steps.answers:sample",
    "judge": "zermelo.recipes.steps.answers:judge",
    "inject": "zermelo.recipes.steps.answers:inject",
    "pairs": "zermelo.recipes.steps.answers:pairs",
    "reward": "zermelo.recipes.steps.training:reward",
    "align": "zermelo.recipes.steps.training:align",
    "select": "zermelo.recipes.steps.select:select",
    "evaluate": "zermelo.recipes.steps.evaluate:evaluate",
}
ALWAYS = ("data", "pairs")


@dataclass(frozen=True)
class Done:
    """A finished step: its figures, and what it cost (seconds, peak resident memory of the process in MB)."""

    step: str
    figures: Figures
    seconds: float
    memory_mb: float


@dataclass
class Context:
    """What a step sees: the recipe, its own folder, the files of earlier steps, and a progress bar.

    Args:
        recipe: The whole recipe.
        root: Folder of the run.
        out: Folder of this step.
        done: Earlier steps.
        bar: Makes progress bars.
    """

    recipe: Recipe
    root: Path
    out: Path
    done: Mapping[str, Done]
    bar: Bar = silent
    say: Callable[[str], None] = field(default=lambda line: None)

    def file(self, step: str, name: str) -> Path:
        """A file that an earlier step wrote."""
        return self.root / step / name

    def latest(self, name: str, *steps: str) -> Path:
        """The file `name` of the last of `steps` that ran."""
        for step in reversed(steps):
            if step in self.done and (self.root / step / name).exists():
                return self.root / step / name
        raise FileNotFoundError(name)


def plan(recipe: Recipe) -> list[tuple[str, Any]]:
    """The steps that a recipe asks for, in order, with their settings."""
    named = [(step, getattr(recipe, step)) for step in STEPS]
    return [(step, settings) for step, settings in named if settings or step in ALWAYS]


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
        _same_recipe(recipe, out)
        done: dict[str, Done] = {}
        key = ""
        steps = plan(recipe)
        for number, (step, settings) in enumerate(steps, 1):
            key = _key(key, step, settings, recipe)
            folder = out / step
            found = _finished(folder, key)
            if found is None:
                say(f"[{number}/{len(steps)}] {step}")
                found = _do(Context(recipe, out, folder, done, bar, say), step, key)
            else:
                say(f"[{number}/{len(steps)}] {step}: done before")
            done[step] = found
        return done


@contextmanager
def only_run(out: Path) -> Iterator[None]:
    """One run per folder; the lock is the operating system's and goes with the process."""
    with (out / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingError(
                "locked", f"{out}: another run is going on in this folder", hint="wait, or --out"
            ) from None
        yield


def write_json(path: Path, value: Any) -> None:
    """Write JSON beside and rename."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)


def _do(context: Context, step: str, key: str) -> Done:
    module, _, attribute = STEPS[step].partition(":")
    work = getattr(importlib.import_module(module), attribute)
    if _stale(context.out, key):
        shutil.rmtree(context.out)
    context.out.mkdir(exist_ok=True)
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


def _key(before: str, step: str, settings: Any, recipe: Recipe) -> str:
    """A step's content: the key of the step before it, its settings, and for data the content of its files."""
    parts: list[Any] = [before, step, _plain(settings)]
    if step == "data":
        parts += [recipe.model, recipe.seed, recipe.max_tokens, recipe.dtype]
        parts += [_digest(Path(file)) for file in recipe.data.files]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _plain(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {name: _plain(value) for name, value in settings.items()}
    return settings.model_dump(mode="json") if hasattr(settings, "model_dump") else settings


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    if path.is_file():
        with path.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _finished(folder: Path, key: str) -> Done | None:
    path = folder / "done.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["key"] != key:
        return None
    return Done(folder.name, record["figures"], record["run"]["seconds"], record["run"]["memory_mb"])


def _stale(folder: Path, key: str) -> bool:
    """Whether a step's folder was left by a run of something else (an input file has changed)."""
    mark = folder / "key"
    return folder.exists() and (not mark.exists() or mark.read_text() != key)


def _same_recipe(recipe: Recipe, out: Path) -> None:
    path = out / "recipe.yaml"
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise SettingError(
            "other-recipe",
            f"{out}: another recipe has been run in this folder",
            hint="`--fresh` starts over there, `--out DIR` chooses another folder",
        )
    beside = out / "recipe.yaml.part"
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def _clear(out: Path) -> None:
    for name in STEPS:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("recipe.yaml", "summary.json", "report.html"):
        (out / name).unlink(missing_ok=True)
