"""An append-only journal of finished units: what an interrupted run need not do again.

One JSON line per unit, `{"unit": …, "payload": …}`, on disk (fsync) before `append` returns. A process killed in the
middle of a line leaves a torn last line; it is cut off when the journal is opened again, and its unit done again.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import IO, Any

from zermelo.errors import DataError, SettingError

__all__ = ["Journal"]


class Journal:
    """Finished units of work, by name, each with its payload.

        with Journal(path) as journal:
            done = journal.done()
            for unit in units:
                if unit not in done:
                    journal.append(unit, work(unit))

    Threads may append at once. One process at a time may append (a lock of the operating system, gone with its
    process); reading needs no lock.

    Args:
        path: The file; it and its folder are made by the first `append`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: IO[bytes] | None = None
        self._guard = threading.Lock()

    def done(self) -> dict[str, Any]:
        """Unit → payload of every finished unit; of a unit appended twice, the last.

        Raises:
            DataError: a line before the last is not a journal line (`broken-journal`).
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        units: dict[str, Any] = {}
        for row, line in enumerate(data[: _whole(data)].splitlines(), start=1):
            entry = _parse(line)
            if entry is None:
                raise DataError(
                    "broken-journal",
                    'expected {"unit": …, "payload": …}',
                    file=str(self.path),
                    row=row,
                    hint="only the last line may be torn; remove this line and its unit is done again",
                )
            units[entry["unit"]] = entry["payload"]
        return units

    def append(self, unit: str, payload: Any = None) -> None:
        """Record a finished unit; when this returns, it is on disk.

        Args:
            unit: Its name, unique within the journal.
            payload: JSON values.
        Raises:
            SettingError: another process is appending to this journal (`journal-in-use`).
        """
        line = json.dumps({"unit": unit, "payload": payload}, separators=(",", ":")).encode() + b"\n"
        with self._guard:
            file = self._file or self._open()
            file.write(line)
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the file and give the lock back."""
        with self._guard:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        try:
            _lock(file)
        except OSError:
            file.close()
            raise SettingError(
                "journal-in-use",
                f"{self.path}: another process is writing this journal",
                hint="wait for it to end, or choose another output folder",
            ) from None
        file.truncate(_whole(file.read()))
        file.seek(0, os.SEEK_END)
        if new:
            _sync_folder(self.path.parent)
        self._file = file
        return file


def _whole(data: bytes) -> int:
    """Length of the part of `data` that is whole lines; the last one must parse too (a torn page can read as zeros)."""
    end = data.rfind(b"\n") + 1
    if end == len(data) and end:
        start = data.rfind(b"\n", 0, end - 1) + 1
        if _parse(data[start:end]) is None:
            return start
    return end


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.keys() >= {"unit", "payload"} else None


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # no such lock on this system; runs hold their own
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
