"""Bad rows set aside: `<output>.rejects.jsonl`, one line for each, with file, row, code, reason and the raw row."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from zermelo.errors import DataError

__all__ = ["Rejects", "rejects_path"]


def rejects_path(output: str | os.PathLike[str]) -> Path:
    """Where the rejects of an output go: beside it, never beside an input."""
    path = Path(output)
    return path.with_name(path.name + ".rejects.jsonl")


class Rejects:
    """Collects bad rows; written beside its path and renamed when closed, so that a killed run leaves no half file.

    Args:
        path: The rejects file; None only counts.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.count = 0
        self._file: IO[str] | None = None

    @property
    def _partial(self) -> Path:
        assert self.path is not None
        return self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")

    def add(self, error: DataError, raw: str | bytes | Any) -> None:
        """Set one bad row aside."""
        self.count += 1
        if self.path is None:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("w", encoding="utf-8")
        if isinstance(raw, bytes):
            raw = raw.decode("utf-8", "backslashreplace")
        line = {"file": error.file, "row": error.row, "code": error.code, "reason": error.message, "raw": raw}
        text = json.dumps(line, ensure_ascii=False, default=str)
        self._file.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")

    def close(self, *, keep: bool = True) -> None:
        """Put the file in its place; without rejects, an older one of the same output goes."""
        if self.path is None:
            return
        if self._file is not None:
            self._file.close()
            self._file = None
            if keep:
                os.replace(self._partial, self.path)
            else:
                self._partial.unlink(missing_ok=True)
        elif keep:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(keep=kind is None)
