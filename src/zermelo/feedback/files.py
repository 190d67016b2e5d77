"""Files to rows: globs, folders, compression, standard input; JSON lines, JSON, CSV, Parquet, Arrow; all streaming.

containers.py holds what a container's bytes mean.
"""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from zermelo.errors import DataError
from zermelo.feedback.containers import (
    BATCH_ROWS,
    BadRow,
    RawRow,
    batch_rows,
    csv_rows,
    delimiter_of,
    first_line,
    json_rows,
    jsonl_rows,
)

__all__ = ["BadRow", "Container", "RawRow", "Source", "expand", "open_source"]

Container: TypeAlias = Literal["jsonl", "json", "csv", "parquet", "arrow"]
SUFFIXES: dict[str, Container] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
COMPRESSED = (".gz", ".zst")
NOT_DATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}


@dataclass(frozen=True)
class Source:
    """One opened file: its container, whether it is native, and its rows (to be read once)."""

    path: str
    label: str
    container: Container
    rows: Iterator[RawRow | BadRow]
    native: bool = False
    fields: tuple[str, ...] | None = None
    total: int | None = None


def expand(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """Files named by paths, globs (`data/*.jsonl.gz`), folders of known files, or `-`; in sorted order per argument.

    Raises:
        DataError: nothing there, a glob that matches nothing, a folder without a known file.
    """
    named = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found: list[str] = []
    for item in named:
        text = os.fspath(item)
        if text == "-":
            found.append(text)
        elif os.path.isdir(text):
            inside = sorted(str(path) for path in Path(text).rglob("*") if path.is_file() and _is_data(path))
            if not inside:
                raise DataError("no-such-file", "no file of a known kind in this folder", file=text, hint=KNOWN_HINT)
            found.extend(inside)
        elif os.path.exists(text):
            found.append(text)
        else:
            matched = sorted(path for path in glob.glob(text, recursive=True) if os.path.isfile(path))
            if not matched:
                what = "matches no file" if glob.has_magic(text) else "no such file"
                raise DataError("no-such-file", what, file=text)
            found.extend(matched)
    return list(dict.fromkeys(found))


KNOWN_HINT = "known: " + " ".join(SUFFIXES) + ", each also with .gz or .zst where it is text"


def _is_data(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts[-2:])
    return (
        not hidden and path.name not in NOT_DATA and ".rejects." not in path.name and suffix_of(path.name) in SUFFIXES
    )


def suffix_of(name: str) -> str:
    path = Path(name.lower())
    return Path(path.stem).suffix if path.suffix in COMPRESSED else path.suffix


def labels(paths: list[str]) -> list[str]:
    """A short name for each path: its file name, or as much of the path as tells it from the others."""
    names = ["stdin" if path == "-" else Path(path).name for path in paths]
    return [name if names.count(name) == 1 else Path(path).as_posix() for name, path in zip(names, paths, strict=True)]


@contextlib.contextmanager
def open_source(path: str, label: str | None = None) -> Iterator[Source]:
    """Open a file (`-` is standard input) and say what it holds; its rows are read while it is open.

    Raises:
        DataError: not there, empty, or a container that cannot be read.
    """
    label = label if label is not None else labels([path])[0]
    with contextlib.ExitStack() as stack:
        stream = _decompressed(stack.enter_context(_opened(path)), path, stack)
        head = _peek(stream)
        if not head:
            raise no_rows(path, "the file is empty")
        suffix = suffix_of(path) if path != "-" else ""
        if head.startswith(b"PAR1"):
            yield _parquet(_seekable(stream), path, label)
        elif SUFFIXES.get(suffix) == "parquet":
            raise DataError("unreadable-file", "not a Parquet file (its first bytes are not PAR1)", file=path)
        elif head.startswith((b"ARROW1", b"\xff\xff\xff\xff")) or SUFFIXES.get(suffix) == "arrow":
            yield _arrow(_seekable(stream), path, label)
        else:
            container = _text_container(SUFFIXES.get(suffix), head)
            yield Source(path, label, container, _text_rows(container, stream, head, path, suffix))


def no_rows(path: str, what: str) -> DataError:
    """The error for a file without rows."""
    return DataError("no-rows", f"{what}; expected at least one row", file=path)


def _opened(path: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    if path == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    try:
        return open(path, "rb", buffering=1 << 20)
    except OSError as error:
        raise DataError("no-such-file", (error.strerror or str(error)).lower(), file=path) from error


def _decompressed(stream: IO[bytes], path: str, stack: contextlib.ExitStack) -> io.BufferedReader:
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(stream, 1 << 20)  # type: ignore[type-var]
    head = _peek(buffered)
    if head.startswith(b"\x1f\x8b"):
        return io.BufferedReader(stack.enter_context(_Guarded(gzip.GzipFile(fileobj=buffered), path)), 1 << 20)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa  # its reader, unlike zstandard's, notices when the stream is cut

        reader = pa.CompressedInputStream(pa.PythonFile(buffered, mode="r"), "zstd")
        return io.BufferedReader(stack.enter_context(_Guarded(reader, path)), 1 << 20)
    return buffered  # type: ignore[return-value]


class _Guarded(io.RawIOBase):
    """A decompressor whose failure is a `DataError` with the file's name."""

    def __init__(self, inner: Any, path: str) -> None:
        self.inner, self.path, self.seen = inner, path, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.inner.read(len(buffer))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise DataError("unreadable-file", f"compressed data is damaged or cut ({error})", file=self.path) from None
        buffer[: len(data)] = data
        return len(data)


def _peek(stream: Any) -> bytes:
    return bytes(stream.peek(1 << 16)[: 1 << 16])


def _seekable(stream: Any) -> Any:
    if stream.seekable() and not isinstance(getattr(stream, "raw", None), _Guarded):
        return stream
    return io.BytesIO(stream.read())


def _text_container(named: Container | None, head: bytes) -> Container:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if named == "csv":
        return "csv"
    if start.startswith(b"["):
        first = start.split(b"\n", 1)[0].strip()
        return "jsonl" if named == "jsonl" and first.endswith(b"]") else "json"
    if start.startswith(b"{"):
        first, _, more = start.partition(b"\n")
        try:
            json.loads(first)
        except ValueError:
            return "json" if named == "json" and more.strip() else "jsonl"
        return "jsonl"
    return named or "csv"


def _text_rows(
    container: Container, stream: io.BufferedReader, head: bytes, path: str, suffix: str
) -> Iterator[RawRow | BadRow]:
    if container == "jsonl":
        return jsonl_rows(stream, path)
    if container == "json":
        return json_rows(stream, path)
    return csv_rows(stream, path, "\t" if suffix == ".tsv" else delimiter_of(head))


def _parquet(stream: Any, path: str, label: str) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from zermelo.feedback.schema import is_native

    try:
        file = pq.ParquetFile(stream)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"cannot be read as Parquet; is it cut? ({first_line(error)})"
        raise DataError("unreadable-file", message, file=path) from None
    schema = file.schema_arrow
    batches = file.iter_batches(batch_size=BATCH_ROWS)
    rows = batch_rows(batches, path)
    return Source(path, label, "parquet", rows, is_native(schema), tuple(schema.names), file.metadata.num_rows)


def _arrow(stream: Any, path: str, label: str) -> Source:
    import pyarrow as pa

    from zermelo.feedback.schema import is_native

    try:
        try:
            file = pa.ipc.open_file(stream)
            batches: Iterable[Any] = (file.get_batch(i) for i in range(file.num_record_batches))
        except pa.ArrowInvalid:
            stream.seek(0)
            file = pa.ipc.open_stream(stream)
            batches = file
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"cannot be read as Arrow; is it cut? ({first_line(error)})"
        raise DataError("unreadable-file", message, file=path) from None
    schema = file.schema
    return Source(path, label, "arrow", batch_rows(batches, path), is_native(schema), tuple(schema.names))
