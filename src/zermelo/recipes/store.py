"""What a run keeps: finished steps under a key of their content, one run a folder, one recipe a folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from zermelo.errors import SettingError
from zermelo.recipes.schema import Recipe

__all__ = [
    "Before",
    "Done",
    "Figures",
    "finished",
    "hashed",
    "key_of",
    "only_run",
    "same_settings",
    "stale",
    "taken_over",
    "write_json",
]

Figures: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """A finished step: its figures, and what it cost (seconds, peak resident memory of the process in MB)."""

    step: str
    figures: Figures
    seconds: float
    memory_mb: float


@dataclass(frozen=True)
class Before:
    """Steps that are done, and where.

    Args:
        done: Step → figures and cost.
        places: Step → folder of the run that holds it.
        key: Content of all of them.
    """

    done: Mapping[str, Done] = field(default_factory=dict)
    places: Mapping[str, Path] = field(default_factory=dict)
    key: str = ""

    def under(self, *parts: Any) -> Before:
        """The same steps, for something that depends on more than they do (another seed)."""
        return Before(self.done, self.places, hashed([self.key, *parts]))


def key_of(before: str, step: str, settings: Any, recipe: Recipe) -> str:
    """A step's content: the key of the step before it, its settings, and for data the content of its files."""
    parts: list[Any] = [before, step, _plain(settings)]
    if step == "data":
        parts += [recipe.model, recipe.seed, recipe.max_tokens, recipe.dtype]
        parts += [_digest(Path(file)) for file in (*recipe.data.files, *recipe.data.test)]
    return hashed(parts)


def hashed(parts: Sequence[Any]) -> str:
    """32 hex digits of plain data."""
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


def finished(folder: Path, key: str) -> Done | None:
    """A step that was done with the same content, or None."""
    path = folder / "done.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["key"] != key:
        return None
    return Done(folder.name, record["figures"], record["run"]["seconds"], record["run"]["memory_mb"])


def taken_over(folder: Path, key: str, twins: Sequence[Path]) -> Done | None:
    """A finished step of equal content in another run, copied here."""
    for twin in twins:
        if twin / folder.name != folder and finished(twin / folder.name, key) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            beside = folder.with_name(f".{folder.name}.part")
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(twin / folder.name, beside)
            os.replace(beside, folder)
            return finished(folder, key)
    return None


def stale(folder: Path, key: str) -> bool:
    """Whether a step's folder was left by a run of something else (an input file has changed)."""
    mark = folder / "key"
    return folder.exists() and (not mark.exists() or mark.read_text() != key)


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


def same_settings(settings: Mapping[str, Any], out: Path) -> None:
    """Write the resolved settings of a run into its folder, or refuse a folder that holds another run's."""
    path = out / "recipe.yaml"
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise SettingError(
            "other-recipe",
            f"{out}: another recipe has been run in this folder",
            hint="`--fresh` starts over there, `--out DIR` chooses another folder",
        )
    beside = out / "recipe.yaml.part"
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
