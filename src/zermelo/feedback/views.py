"""What each view holds: its columns, and how they come from flat judgements.

Common columns: `row` (position of the group in the collection's files, from 0), `id` (of the group), `by`, `criterion`.
`response`, `win`, `lose`, `a`, `b` and `on` are indices of responses within their group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zermelo.feedback.deriving import probabilities
from zermelo.feedback.flat import Flat, encoded, first_of, list_lengths, ranges
from zermelo.feedback.view import Dropped

if TYPE_CHECKING:
    from zermelo.feedback.sources import Rows, RowsOf

__all__ = ["BATTLES", "VIEWS", "ViewKind", "battle_rows", "rows_of"]

NAME = pa.dictionary(pa.int32(), pa.string())
HEAD = (("row", pa.int64()), ("id", NAME))
SAID = (("by", NAME), ("criterion", NAME))


@dataclass(frozen=True)
class ViewKind:
    """One kind of view.

    Args:
        name: Its name.
        kinds: Kinds of judgement that it shows.
        fields: Fields that it needs of them (`flat.flattened`).
        schema: Its columns.
        build: Makes its rows from flat judgements.
        texts: Text column → column of response indices.
    """

    name: str
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    schema: pa.Schema
    build: Callable[[Flat, Dropped], dict[str, Any]]
    texts: tuple[tuple[str, str], ...] = (("text", "response"),)


def rows_of(
    kind: ViewKind, source: Rows, rows: RowsOf | None
) -> Callable[[Dropped, pa.Schema], Iterator[pa.RecordBatch]]:
    """A pass over a source that gives the rows of a view, or only some of its columns."""

    def batches(dropped: Dropped, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        fields = needed(kind.fields, schema)
        for flat in source.flat(kind.kinds, fields, rows):
            yield as_batch(kind.build(flat, dropped), schema)

    return batches


def as_batch(columns: dict[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    """Named columns as a record batch of that schema."""
    arrays = []
    for field in schema:
        column = columns[field.name]
        column = column() if callable(column) else column
        if not isinstance(column, pa.Array):
            column = pa.array(column, None if pa.types.is_dictionary(field.type) else field.type)
        if pa.types.is_dictionary(field.type):
            column = encoded(column)
        arrays.append(column if column.type == field.type else column.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def needed(fields: tuple[str, ...], schema: pa.Schema) -> list[str]:
    """The fields of judgements that these columns come from; those that decide whether there is a row always."""
    names = set(schema.names)
    sources = "outcome" in fields or any(name.startswith("source") for name in names)  # battles need both names
    also = {"mark": "text", "ranks": "values", "a_first": "shown"}
    wanted = names | {"value", "values", "outcome"} | {also[name] for name in names & set(also)}
    return [name for name in fields if name in wanted or (name == "sources" and sources)]


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns))


def _common(flat: Flat) -> dict[str, Any]:
    return {"row": flat.row, "id": lambda: flat.id, **flat.columns}


def _first(flat: Flat) -> dict[str, Callable[[], Any]]:
    return {"response": lambda: flat.response(0), "source": lambda: flat.source(0)}


def _taken(make: Callable[[], Any], take: Any) -> Any:
    return make().take(take)


def _valued(flat: Flat, dropped: Dropped) -> Flat:
    """Only judgements with a value."""
    there = ~np.isnan(flat.number("value"))
    dropped.add("no-value", int((~there).sum()))
    return flat.where(there)


def _ratings(flat: Flat, dropped: Dropped) -> dict[str, Any]:
    flat = _valued(flat, dropped)
    return _common(flat) | _first(flat)


def _labels(flat: Flat, dropped: Dropped) -> dict[str, Any]:
    flat = _valued(flat, dropped)
    return _common(flat) | _first(flat) | {"second": lambda: flat.response(1)}


def _rankings(flat: Flat, dropped: Dropped) -> dict[str, Any]:
    return _common(flat) | {
        "on": flat.on_lists(),
        "ranks": flat.columns["values"],
        "sources": lambda: flat.source_lists().cast(pa.list_(NAME)),
    }


def _steps(flat: Flat, dropped: Dropped) -> dict[str, Any]:
    values = flat.columns["values"]
    lengths = list_lengths(values)
    take = pa.array(np.repeat(np.arange(len(flat)), lengths))
    named = {"id": lambda: flat.id, **_first(flat)}
    repeated: dict[str, Any] = {name: partial(_taken, make, take) for name, make in named.items()}
    repeated |= {name: column.take(take) for name, column in flat.columns.items() if name != "values"}
    step = ranges(np.zeros(len(flat), dtype=np.int64), lengths)
    return repeated | {"row": np.repeat(flat.row, lengths), "step": step, "value": values.flatten()}


def _events(flat: Flat, dropped: Dropped) -> dict[str, Any]:
    return _common(flat) | _first(flat) | {"mark": flat.columns.get("text")}


def battle_rows(flat: Flat, dropped: Dropped) -> dict[str, Any]:
    """Comparisons as battles of two sources; those without two known sources or without a value are left out."""
    prob, _ = probabilities(flat)
    named = (
        pc.and_(pc.is_valid(flat.source(0)), pc.is_valid(flat.source(1))).to_numpy(zero_copy_only=False).astype(bool)
    )
    dropped.add("no-source", int((~named).sum()))
    dropped.add("no-value", int((named & np.isnan(prob)).sum()))
    kept = named & ~np.isnan(prob)
    flat, prob = flat.where(kept), prob[kept]
    return _common(flat) | {
        "source_a": lambda: flat.source(0),
        "source_b": lambda: flat.source(1),
        "prob": prob,
        "weight": np.ones(len(flat)),
        "a": lambda: flat.response(0),
        "b": lambda: flat.response(1),
        "a_first": lambda: pc.equal(first_of(flat.columns["shown"]), flat.response(0)),
    }


F64, I32, TEXT = pa.float64(), pa.int32(), pa.string()
RATED = (("response", I32), ("source", NAME))

BATTLES = _schema(
    *HEAD,
    ("source_a", NAME),
    ("source_b", NAME),
    ("outcome", NAME),
    ("prob", F64),
    *SAID,
    ("strength", F64),
    ("weight", F64),
    ("a", I32),
    ("b", I32),
    ("a_first", pa.bool_()),
    ("at", F64),
)

VIEWS: dict[str, ViewKind] = {
    kind.name: kind
    for kind in (
        ViewKind(
            "ratings",
            ("rating",),
            ("sources", "by", "criterion", "value", "low", "high", "at"),
            _schema(*HEAD, *RATED, *SAID, ("value", F64), ("low", F64), ("high", F64), ("at", F64)),
            _ratings,
        ),
        ViewKind(
            "labels",
            ("label",),
            ("sources", "by", "criterion", "value", "at"),
            _schema(*HEAD, *RATED, ("second", I32), *SAID, ("value", F64), ("at", F64)),
            _labels,
        ),
        ViewKind(
            "rankings",
            ("ranking",),
            ("sources", "by", "criterion", "values", "at"),
            _schema(
                *HEAD, ("on", pa.list_(I32)), ("ranks", pa.list_(F64)), ("sources", pa.list_(NAME)), *SAID, ("at", F64)
            ),
            _rankings,
            (("texts", "on"),),
        ),
        ViewKind(
            "steps",
            ("steps",),
            ("sources", "by", "criterion", "values", "at"),
            _schema(*HEAD, *RATED, ("step", I32), *SAID, ("value", F64), ("at", F64)),
            _steps,
        ),
        ViewKind(
            "events",
            ("event",),
            ("sources", "by", "criterion", "text", "value", "at"),
            _schema(*HEAD, *RATED, ("mark", TEXT), ("at", F64), *SAID, ("value", F64)),
            _events,
        ),
        ViewKind(
            "battles",
            ("comparison",),
            ("sources", "by", "criterion", "value", "outcome", "strength", "shown", "at"),
            BATTLES,
            battle_rows,
            (("text_a", "a"), ("text_b", "b")),
        ),
    )
}
