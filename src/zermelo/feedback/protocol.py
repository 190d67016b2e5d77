"""What a format is, and the row it reads: `Format`, `Row`, `Sample`.

A format is a frozen class without state: it says how sure it is of a sample of rows, turns one row into one group,
and, where it can, a group into rows. It opens no file; `files.py` yields rows from every container.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from zermelo.errors import DataError
from zermelo.feedback.messages import as_messages, as_prompt, as_side
from zermelo.feedback.records import Group, Message, Prompt, Response

__all__ = ["Format", "Row", "Sample", "Writer", "explicit_id", "jsonable"]

INDEX = re.compile(r"\[\d+\]")
NO_VALUE = frozenset({"", "n/a", "na", "none", "null", "-"})  # a format's own marks for 'no value', as text


@dataclass(slots=True)
class Row:
    """One row of a file, with its place, and the checks that every format shares.

    Args:
        fields: The row's columns.
        file: The file as the user named it, for messages.
        number: 1-based line (JSONL, CSV) or row (JSON array, Parquet, Arrow).
        label: Short name of the file, for ids: `label:number`.
        shape: One clause that says what such a row has, for messages.
    """

    fields: Mapping[str, Any]
    file: str
    number: int
    label: str
    shape: str = ""
    raw: bytes | None = None
    missing: list[str] = field(default_factory=list)
    suspicious: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The id of a row that names none: `file:row`."""
        return f"{self.label}:{self.number}"

    def bad(self, code: str, message: str) -> DataError:
        """A `DataError` at this row."""
        return DataError(code, message, file=self.file, row=self.number, hint=SKIP_HINT)

    def has(self, *names: str) -> bool:
        """True where all these fields are there and not null."""
        return all(self.fields.get(name) is not None for name in names)

    def value(self, name: str) -> Any:
        """A required field, of any type."""
        found = self.fields.get(name)
        if found is None:
            what = "null" if name in self.fields else "missing"
            raise self.bad("missing-field", f"{name}: {what}" + (f"; {self.shape}" if self.shape else ""))
        return found

    def text(self, name: str) -> str:
        """A required string."""
        return self.as_text(name, self.value(name))

    def optional_text(self, name: str) -> str | None:
        """A string, or None where it is absent or null; numbers become text."""
        found = self.fields.get(name)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
        return None if found is None else self.as_text(name, found)

    def as_text(self, name: str, found: Any) -> str:
        """Check that a value is a string."""
        if not isinstance(found, str):
            raise self.bad("wrong-type", f"{name}: {describe(found)}; expected text")
        return found

    def list(self, name: str) -> list[Any]:
        """A required list."""
        found = self.value(name)
        if not isinstance(found, list):
            raise self.bad("wrong-type", f"{name}: {describe(found)}; expected a list")
        return found

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A required mapping."""
        return self.as_mapping(name, self.value(name))

    def as_mapping(self, name: str, found: Any) -> Mapping[str, Any]:
        """Check that a value is a mapping."""
        if not isinstance(found, Mapping):
            raise self.bad("wrong-type", f"{name}: {describe(found)}; expected an object")
        return found

    def rating(self, name: str, found: Any, *, low: float | None = None, high: float | None = None) -> float | None:
        """A score on its scale; None, counted as missing, where the format marks 'no value' (N/A, empty, null)."""
        if found is None or (isinstance(found, str) and found.strip().lower() in NO_VALUE):
            self.missing.append(INDEX.sub("[]", name))
            return None
        return self.as_number(name, found, low=low, high=high)

    def number_of(self, name: str, *, low: float | None = None, high: float | None = None) -> float:
        """A required number."""
        return self.as_number(name, self.value(name), low=low, high=high)

    def as_number(self, name: str, found: Any, *, low: float | None = None, high: float | None = None) -> float:
        """Check that a value is a finite number (or text that is one) within low..high."""
        if isinstance(found, str):
            try:
                found = float(found)
            except ValueError:
                raise self.bad("wrong-type", f"{name}: {describe(found)}; expected a number") from None
        if not isinstance(found, int | float):
            raise self.bad("wrong-type", f"{name}: {describe(found)}; expected a number")
        if not math.isfinite(found):
            raise self.bad("nan-score", f"{name}: {found}; expected a finite number")
        if (low is not None and found < low) or (high is not None and found > high):
            top = "" if high is None else f" to {high:g}"
            raise self.bad("off-scale", f"{name}: {found:g}; expected {-math.inf if low is None else low:g}{top}")
        return float(found)

    def flag(self, name: str) -> bool:
        """A required truth value: true/false, 1/0, or the words."""
        found = self.value(name)
        words = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
        if isinstance(found, str) and found.strip().lower() in words:
            return words[found.strip().lower()]
        if isinstance(found, bool) or (isinstance(found, int | float) and found in (0, 1)):
            return bool(found)
        raise self.bad("wrong-type", f"{name}: {describe(found)}; expected true or false")

    def prompt(self, name: str) -> Prompt:
        """A required prompt: text or messages."""
        return as_prompt(self.value(name), name, self)

    def messages(self, name: str) -> tuple[Message, ...]:
        """A required list of messages."""
        return as_messages(self.value(name), name, self)

    def side(self, name: str, **known: Any) -> Response:
        """A required answer: text, or the turns after the prompt; `known` are other fields of the response."""
        return as_side(self.value(name), name, self, **known)

    def identity(self, *names: str) -> str:
        """The group's id: the first of these columns that is there, else `file:row`."""
        for name in names:
            found = self.fields.get(name)
            if found is not None and found != "":
                if isinstance(found, bool) or not isinstance(found, str | int | float):
                    raise self.bad("wrong-type", f"{name}: {describe(found)}; expected text or a whole number")
                return str(found)
        return self.place

    def rest(self, *used: str) -> dict[str, Any]:
        """The columns that the format did not read, for `meta`; nulls left out."""
        return {name: jsonable(found) for name, found in self.fields.items() if name not in used and found is not None}


SKIP_HINT = "`--skip-bad` sets such rows aside in <output>.rejects.jsonl and goes on"


@dataclass(frozen=True, slots=True)
class Sample:
    """What detection sees: the first rows of a file.

    Args:
        name: File name.
        container: jsonl, json, csv, parquet or arrow.
        rows: The first good rows.
        native: The container carries the mark of the native schema.
    """

    name: str
    container: str
    rows: tuple[Mapping[str, Any], ...]
    native: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """Names of all columns seen."""
        return frozenset(name for row in self.rows for name in row)

    def has(self, *names: str) -> bool:
        """True where every name is a column."""
        return self.fields.issuperset(names)

    def first(self, name: str) -> Any:
        """The first value of a column that is not null, or None."""
        return next((row[name] for row in self.rows if row.get(name) is not None), None)


@runtime_checkable
class Format(Protocol):
    """One shape of preference data. Frozen, without state."""

    name: ClassVar[str]
    title: ClassVar[str]

    @property
    def shape(self) -> str:
        """One clause that says what a row has, for messages."""
        ...

    @property
    def per_response(self) -> bool:
        """A row is one response; adjacent rows with equal prompts are joined."""
        ...

    def matches(self, sample: Sample) -> float:
        """How sure the format is that these rows are its own, 0 (not at all) to 1."""
        ...

    def read(self, row: Row) -> Group:
        """One row as a group. Raises `DataError` with file and row where the row is bad."""
        ...


@runtime_checkable
class Writer(Protocol):
    """A format that can also be written."""

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        """A group as rows; what the shape has no place for is counted in `lost`."""
        ...


def explicit_id(group: Group) -> str | None:
    """The group's id, or None where it is only a place (`file:row`)."""
    head, colon, number = group.id.rpartition(":")
    return None if colon and head and number.isdigit() else group.id


def describe(found: Any) -> str:
    """A value in a few words, for a message."""
    kinds = {str: "text", bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    kind = kinds.get(type(found), type(found).__name__)
    if isinstance(found, str | int | float):
        shown = repr(found)
        return f"{kind} {shown if len(shown) <= 40 else shown[:36] + '…' + shown[0]}"
    return kind


def jsonable(found: Any) -> Any:
    """A value with JSON types only: NaN becomes null, dates and the like text."""
    if found is None or isinstance(found, str | bool | int):
        return found
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    if isinstance(found, Mapping):
        return {str(name): jsonable(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [jsonable(value) for value in found]
    if isinstance(found, bytes):
        return f"<{len(found)} bytes>"
    return str(found)
