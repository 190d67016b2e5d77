"""Groups to files: streaming, written beside and renamed, so that no reader ever sees half a file.

The suffix chooses the container (`.parquet`, `.arrow`, `.jsonl`, `.json`, `.csv`, `.tsv`; text also with `.gz` and
`.zst`), the format what a row holds. The native format in Parquet is compressed with zstd.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from zermelo.errors import DataError, SettingError, one_of
from zermelo.feedback.files import SUFFIXES, Container, suffix_of
from zermelo.feedback.preferences import Derive
from zermelo.feedback.protocol import Writer
from zermelo.feedback.reading import find_format
from zermelo.feedback.records import Group

__all__ = ["WriteReport", "default_format", "write_groups"]

ROW_GROUP_BYTES = 16 << 20  # about 16 MB of text a row group: enough to compress, little enough to hold
ROW_GROUP_ROWS = 8192
FIRST_ROWS = 4096  # a table's columns are those of its first rows


@dataclass
class WriteReport:
    """What was written.

    Args:
        path: The file.
        format: The format's name.
        groups: Groups drawn.
        rows: Rows written.
        lost: What the format had no place for, counted.
    """

    path: str
    format: str
    groups: int = 0
    rows: int = 0
    lost: Counter[str] = field(default_factory=Counter)


def default_format(path: str | os.PathLike[str]) -> str:
    """The format that a suffix stands for: native for Parquet and Arrow, `csv` for tables, `trl` otherwise."""
    container = SUFFIXES.get(suffix_of(os.fspath(path)))
    return {"parquet": "native", "arrow": "native", "csv": "csv"}.get(container or "", "trl")


def write_groups(
    groups: Iterable[Group],
    path: str | os.PathLike[str],
    *,
    format: str = "native",
    derive: Derive = "stated",
) -> WriteReport:
    """Write groups to a file, or to standard output (`-`, JSON lines).

    Args:
        groups: Drawn one at a time.
        path: The file; its suffix chooses the container.
        format: Name of the format.
        derive: Pairs for pairwise formats: only `stated` ones, or also those that ratings and rankings imply.
    Returns:
        Counts of groups, rows and of what the format could not keep.
    Raises:
        SettingError: no such format, or one that cannot be written, or an unknown suffix.
        DataError: no group, or none that the format has a row for; nothing is written then.
    """
    writer = find_writer(format, derive)
    target = os.fspath(path)
    container = _container(target)
    if format == "native" and container == "csv":
        raise SettingError(
            "unknown-suffix", f"{target}: groups are nested; expected .parquet, .arrow or .jsonl", hint="or `--to csv`"
        )
    report = WriteReport(target, format)
    with _placed(target) as stream:
        if format == "native" and container in ("parquet", "arrow"):
            _native(groups, stream, container, report)
        else:
            _rows(_converted(groups, writer, report), stream, container, target, report)
        if not report.rows:
            what = "no groups to write" if not report.groups else f"none of {report.groups:,} groups has a row for it"
            hint = None
            if report.groups and hasattr(writer, "derive") and derive == "stated":
                hint = "`--pairs all` or `--pairs best_worst` derives pairs from ratings and rankings"
            raise DataError("nothing-to-write", f"{format}: {what}", hint=hint)
    report.lost = +report.lost
    return report


def find_writer(name: str, derive: Derive = "stated") -> Writer:
    """The writer of a format.

    Raises:
        SettingError: no such format, or one that is only read.
    """
    found = find_format(name)
    if not isinstance(found, Writer):
        raise SettingError("unknown-format", f"format {name!r} is read, not written")
    if derive != "stated" and not hasattr(found, "derive"):
        raise SettingError("bad-setting", f"format {name!r} holds no pairs. Got pairs={derive!r}")
    if hasattr(found, "derive"):
        found = replace(found, derive=derive)  # type: ignore[type-var]
        one_of(found, "derive", ("stated", "all", "best_worst", "adjacent"))
    return found  # type: ignore[return-value]


def _container(path: str) -> Container:
    if path == "-":
        return "jsonl"
    container = SUFFIXES.get(suffix_of(path))
    if container is None:
        known = " ".join(SUFFIXES)
        raise SettingError("unknown-suffix", f"{path}: the suffix says no container", hint=f"known: {known}")
    if container in ("parquet", "arrow") and Path(path).suffix in (".gz", ".zst"):
        raise SettingError("unknown-suffix", f"{path}: {container} files are compressed inside; drop the last suffix")
    return container


@contextlib.contextmanager
def _placed(path: str) -> Iterator[IO[bytes]]:
    """A binary stream whose bytes appear at `path` only when all is written."""
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(partial.open("wb"))
            stream: Any = file
            if target.suffix == ".gz":  # no time stamp: equal data, equal bytes
                stream = stack.enter_context(gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0))
            elif target.suffix == ".zst":
                import zstandard

                stream = stack.enter_context(zstandard.ZstdCompressor().stream_writer(file, closefd=False))
            yield stream
            stream.flush()
            stack.pop_all().close()
        _sync(partial)
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _native(groups: Iterable[Group], stream: IO[bytes], container: Container, report: WriteReport) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from zermelo.feedback.schema import SCHEMA, groups_to_arrow

    sink: Any
    if container == "parquet":
        sink = pq.ParquetWriter(stream, SCHEMA, compression="zstd")
    else:
        sink = pa.ipc.new_file(stream, SCHEMA)
    with sink:
        for batch in _batches(groups):
            sink.write_table(groups_to_arrow(batch))
            report.groups += len(batch)
            report.rows += len(batch)


def _batches(groups: Iterable[Group]) -> Iterator[list[Group]]:
    batch: list[Group] = []
    size = 0
    for group in groups:
        batch.append(group)
        size += 200 + sum(len(response.text or "") + 200 for response in group.responses)
        if size >= ROW_GROUP_BYTES or len(batch) >= ROW_GROUP_ROWS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _converted(groups: Iterable[Group], writer: Writer, report: WriteReport) -> Iterator[dict[str, Any]]:
    for group in groups:
        report.groups += 1
        for row in writer.write(group, report.lost):
            report.rows += 1
            yield row


def _rows(
    rows: Iterator[dict[str, Any]], stream: IO[bytes], container: Container, path: str, report: WriteReport
) -> None:
    if container == "jsonl":
        for row in rows:
            stream.write(_line(row) + b"\n")
    elif container == "json":
        stream.write(b"[")
        for index, row in enumerate(rows):
            stream.write((b",\n" if index else b"\n") + _line(row))
        stream.write(b"\n]\n")
    elif container == "csv":
        _csv(rows, stream, "\t" if suffix_of(path) == ".tsv" else ",", report)
    else:
        _table(rows, stream, container, report)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, default=list).encode("utf-8", "backslashreplace")


def _columns(rows: Iterator[dict[str, Any]]) -> tuple[list[str], Iterator[dict[str, Any]]]:
    first = list(itertools.islice(rows, FIRST_ROWS))
    return list(dict.fromkeys(name for row in first for name in row)), itertools.chain(first, rows)


def _csv(rows: Iterator[dict[str, Any]], stream: IO[bytes], delimiter: str, report: WriteReport) -> None:
    names, rows = _columns(rows)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    table = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    table.writerow(names)
    for row in rows:
        report.lost.update(f"column {name} (not in the first {FIRST_ROWS} rows)" for name in row if name not in names)
        table.writerow([_cell(row.get(name)) for name in names])
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "true" if value is True else "false" if value is False else value


def _table(rows: Iterator[dict[str, Any]], stream: IO[bytes], container: Container, report: WriteReport) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, rows = _columns(rows)
    sink: Any = None
    schema: Any = None
    while batch := list(itertools.islice(rows, FIRST_ROWS)):
        try:
            table = pa.Table.from_pylist(batch, schema=schema)
        except pa.ArrowException as error:
            raise SettingError(
                "mixed-columns",
                f"the rows do not fit one table ({str(error).splitlines()[0][:120]})",
                hint="write JSON lines (`.jsonl`) or the native format instead",
            ) from None
        if sink is None:
            schema = table.schema
            sink = (
                pq.ParquetWriter(stream, schema, compression="zstd")
                if container == "parquet"
                else pa.ipc.new_file(stream, schema)
            )
        report.lost.update(
            f"column {name} (not in the first {FIRST_ROWS} rows)" for row in batch for name in row if name not in names
        )
        sink.write_table(table)
    if sink is not None:
        sink.close()
