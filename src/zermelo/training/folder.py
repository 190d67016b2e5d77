"""The folder of a run: one run at a time, one configuration, a journal of metrics that survives a kill."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from zermelo.errors import SettingError

__all__ = ["Row", "RunFolder", "write_json"]

Row: TypeAlias = dict[str, Any]
OURS = ("config.json", "metrics.jsonl", "summary.json", "samples.jsonl", "checkpoints", "model", "reference")


def write_json(path: Path, value: Any) -> None:
    """Write JSON beside, flush it to the disk, rename."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8") as handle:
        json.dump(value, handle, ensure_ascii=False, indent=1)
        handle.write("\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(beside, path)


class RunFolder:
    """`config.json`, `metrics.jsonl`, `checkpoints/`, `model/`, `summary.json` of one run.

    Args:
        path: The folder; made if needed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model"
        self.metrics = self.path / "metrics.jsonl"
        self.summary = self.path / "summary.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the lock is the operating system's and goes with the process.

        Raises:
            SettingError: another run holds it (`locked`).
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SettingError(
                    "locked", f"{self.path}: another run is going on in this folder", hint="wait, or name another"
                ) from None
            yield

    def claim(self, config: Mapping[str, Any], *, fresh: bool) -> None:
        """Make the folder this configuration's.

        Args:
            config: The resolved configuration, JSON values.
            fresh: Remove what an earlier run left there.
        Raises:
            SettingError: another configuration has run here (`other-run`).
        """
        if fresh:
            for name in OURS:
                found = self.path / name
                shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
        path = self.path / "config.json"
        wanted = json.loads(json.dumps(config))
        if path.exists():
            found_config = json.loads(path.read_text(encoding="utf-8"))
            if found_config != wanted:
                where = ", ".join(differences(found_config, wanted))
                raise SettingError(
                    "other-run",
                    f"{self.path}: another run was made here; it differs in {where}",
                    hint="`--fresh` (fresh=True) starts over there, another folder keeps both",
                )
            return
        write_json(path, wanted)

    def rows(self) -> list[Row]:
        """The journal; a last line that was torn by a kill is left out."""
        if not self.metrics.exists():
            return []
        found = []
        for line in self.metrics.read_text(encoding="utf-8").split("\n"):
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return found

    def rewind(self, step: int) -> list[Row]:
        """Forget the rows after a step, and return those that stay."""
        rows = [row for row in self.rows() if row["step"] <= step]
        beside = self.metrics.with_name("metrics.jsonl.part")
        beside.write_text("".join(line(row) for row in rows), encoding="utf-8")
        os.replace(beside, self.metrics)
        return rows

    def append(self, row: Row, name: str = "metrics.jsonl") -> None:
        """Add a row to a journal."""
        with (self.path / name).open("a", encoding="utf-8") as handle:
            handle.write(line(row))

    def finished(self) -> Row | None:
        """The summary of a run that has ended."""
        return json.loads(self.summary.read_text(encoding="utf-8")) if self.summary.exists() else None


def line(row: Mapping[str, Any]) -> str:
    """One row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def differences(a: Any, b: Any, place: str = "") -> list[str]:
    """Where two configurations differ, as dotted names; at most five."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for key in dict.fromkeys([*a, *b]):
            found += differences(a.get(key), b.get(key), f"{place}.{key}" if place else str(key))
        return found[:5]
    return [] if a == b else [place]
