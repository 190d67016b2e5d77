"""Rows of each container, as they are read from bytes: JSON lines, JSON arrays, CSV, Arrow batches. Exact places.

Text is read line by line, so that a broken line is named by its number however far down it is.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zermelo.errors import DataError

__all__ = ["BadRow", "RawRow", "batch_rows", "csv_rows", "delimiter_of", "first_line", "json_rows", "jsonl_rows"]

BATCH_ROWS = 256
SPACES = re.compile(r"[ \t\r\n]*")
MAX_FIELD = 1 << 30  # the csv module stops at 128 kB a field by default; long answers are fine


@dataclass(frozen=True, slots=True)
class RawRow:
    """A parsed row: its number and columns."""

    number: int
    fields: Mapping[str, Any]
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be parsed: the error, and what stood there."""

    number: int
    error: DataError
    raw: bytes | str


def _bad(path: str, number: int, code: str, message: str) -> DataError:
    from zermelo.feedback.protocol import SKIP_HINT

    return DataError(code, message, file=path, row=number, hint=SKIP_HINT)


def jsonl_rows(stream: io.BufferedReader, path: str) -> Iterator[RawRow | BadRow]:
    loads = json.loads
    for number, line in enumerate(stream, start=1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.isspace():
            continue
        try:
            fields = loads(str(line, "utf-8"))
            if b"\\ud" in line or b"\\uD" in line:
                json.dumps(fields, ensure_ascii=False).encode()  # a lone surrogate parses, but is no text
        except UnicodeError as error:
            yield BadRow(number, _bad(path, number, "not-utf8", _utf8_message(error)), line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, _bad(path, number, "bad-json", _json_message(error)), line)
        else:
            if isinstance(fields, dict):
                yield RawRow(number, fields, line)
            else:
                message = f"a {type(fields).__name__}; expected one JSON object a line"
                yield BadRow(number, _bad(path, number, "bad-json", message), line)


def _utf8_message(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} at position {error.start + 1} is not UTF-8; expected UTF-8 text"
    return "half a surrogate pair (\\ud800 to \\udfff); expected UTF-8 text"


def _json_message(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        what = error.msg.lower().removesuffix(" at")
        return f"not JSON: {what} at column {error.colno}; expected one JSON object a line"
    return f"not JSON: {'nested too deeply' if isinstance(error, RecursionError) else error}"


def json_rows(stream: io.BufferedReader, path: str) -> Iterator[RawRow | BadRow]:
    """Elements of one JSON array (or one object), parsed from a moving buffer; a break ends the file."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig")
    decoder, buffer, at, number, size = json.JSONDecoder(), "", 0, 0, 1 << 20

    def more() -> bool:
        nonlocal buffer, at
        try:
            piece = text.read(size)
        except UnicodeDecodeError as error:
            raise DataError("not-utf8", _utf8_message(error), file=path) from None
        buffer, at = buffer[at:] + piece, 0
        return bool(piece)

    def next_mark() -> str:
        nonlocal at
        while True:
            at = SPACES.match(buffer, at).end()  # type: ignore[union-attr]
            if at < len(buffer):
                return buffer[at]
            if not more():
                return ""

    array = next_mark() == "["
    at += array
    while mark := next_mark():
        if array and mark == "]":
            return
        if array and number:
            if mark != ",":
                raise DataError("unreadable-file", f"no comma after element {number} of the JSON array", file=path)
            at += 1
            next_mark()
        try:
            fields, at = decoder.raw_decode(buffer, at)
        except (ValueError, RecursionError) as error:
            while not isinstance(error, RecursionError) and more():
                size *= 2
                with contextlib.suppress(ValueError):
                    fields, at = decoder.raw_decode(buffer, at)
                    break
            else:
                message = f"element {number + 1} of the JSON array: {_json_message(error).removesuffix(' a line')}"
                raise DataError("unreadable-file", message, file=path) from None
        number, size = number + 1, 1 << 20
        if isinstance(fields, dict):
            yield RawRow(number, fields)
        else:
            message = f"a {type(fields).__name__}; expected an object"
            yield BadRow(number, _bad(path, number, "bad-json", message), json.dumps(fields))
        if not array:
            return
    if array:
        raise DataError("unreadable-file", f"the JSON array is cut after element {number}", file=path)


def delimiter_of(head: bytes) -> str:
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    return max(",;\t", key=lambda mark: first.count(mark.encode()))


def csv_rows(stream: io.BufferedReader, path: str, delimiter: str) -> Iterator[RawRow | BadRow]:
    """Records of a CSV file by the line they begin on; the header is line 1; an empty cell is a null."""
    csv.field_size_limit(MAX_FIELD)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=delimiter)
    header = next(reader, [])
    if not header or len(set(header)) != len(header):
        raise DataError(
            "unreadable-file", f"header {header[:8]}; expected one line of distinct names", file=path, row=1
        )
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(number, _bad(path, number, "bad-csv", f"not CSV: {error}"), "")
            continue
        if not cells:
            continue
        raw = delimiter.join(cells)
        try:
            raw.encode()
        except UnicodeEncodeError:
            message = "bytes that are not UTF-8; expected UTF-8 text"
            yield BadRow(number, _bad(path, number, "not-utf8", message), raw.encode("utf-8", "surrogateescape"))
            continue
        if len(cells) != len(header):
            message = f"{len(cells)} cells; the header has {len(header)}"
            yield BadRow(number, _bad(path, number, "bad-csv", message), raw)
            continue
        yield RawRow(number, {name: cell if cell != "" else None for name, cell in zip(header, cells, strict=True)})


def batch_rows(batches: Iterable[Any], path: str) -> Iterator[RawRow | BadRow]:
    import pyarrow as pa

    number = 0
    iterator = iter(batches)
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            message = f"cannot be read after row {number}; is it cut? ({first_line(error)})"
            raise DataError("unreadable-file", message, file=path) from None
        for part in (batch.slice(start, BATCH_ROWS) for start in range(0, batch.num_rows, BATCH_ROWS)):
            try:
                rows: list[Any] = part.to_pylist()
            except UnicodeDecodeError:
                rows = [_one(part, index) for index in range(part.num_rows)]
            for row in rows:
                number += 1
                if isinstance(row, UnicodeDecodeError):
                    yield BadRow(number, _bad(path, number, "not-utf8", _utf8_message(row)), "")
                else:
                    yield RawRow(number, row)


def _one(batch: Any, index: int) -> Any:
    try:
        return batch.slice(index, 1).to_pylist()[0]
    except UnicodeDecodeError as error:
        return error


def first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
