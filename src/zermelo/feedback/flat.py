"""The judgements of a batch of groups as flat columns: list offsets become positions, nothing becomes a Python object.

A `Flat` holds one entry per judgement. Texts of responses are never among its columns; strings that repeat (ids,
sources, annotators, criteria) are dictionary-encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.feedback.sources import Rows, RowsOf

__all__ = ["Flat", "encoded", "first_of", "flattened", "list_lengths", "ranges"]

Ints = NDArray[np.int64]
ENCODED = frozenset({"by", "criterion"})


@dataclass(frozen=True)
class Flat:
    """Judgements of some kinds, in order of row and place in the group.

    Args:
        row: Position of the group. [J]
        ids: Makes the groups' ids, dictionary-encoded, when they are wanted. [J]
        index: Place of the judgement in its group. [J]
        kind: Its kind. [J]
        n_on: How many responses it names. [J]
        on: Which ones, of all judgements one after the other; indices into their group. [Σ n_on]
        columns: The judgement's other fields, as asked for. [J]
        sources: Source of every response named in `on`, dictionary-encoded, where asked for. [Σ n_on]
    """

    row: Ints
    ids: Callable[[], Any]
    index: Ints
    kind: Any
    n_on: Ints
    on: Ints
    columns: Mapping[str, Any]
    sources: Any = None

    def __len__(self) -> int:
        return len(self.row)

    @property
    def id(self) -> pa.Array:
        """The groups' ids. [J]"""
        return self.ids()

    def of_kind(self, kind: str) -> NDArray[np.bool_]:
        """Which judgements are of that kind. [J]"""
        import pyarrow.compute as pc

        return np.asarray(pc.equal(self.kind, kind).to_numpy(zero_copy_only=False), dtype=bool)

    def where(self, mask: NDArray[np.bool_]) -> Flat:
        """Only the judgements where `mask` holds."""
        import pyarrow as pa

        if mask.all():
            return self
        kept = np.flatnonzero(mask)
        starts = np.cumsum(self.n_on) - self.n_on
        inner = ranges(starts[kept], self.n_on[kept])
        take = pa.array(kept)
        return Flat(
            self.row[kept],
            lambda: self.id.take(take),
            self.index[kept],
            self.kind.take(take),
            self.n_on[kept],
            self.on[inner],
            {name: column.take(take) for name, column in self.columns.items()},
            None if self.sources is None else self.sources.take(pa.array(inner)),
        )

    def response(self, k: int) -> pa.Array:
        """Index of the k-th response named, null where fewer are. [J] int32"""
        import pyarrow as pa

        if k == 0 and self.single:
            return pa.array(self.on.astype(np.int32))
        at, there = self._nth(k)
        values = self.on[at].astype(np.int32) if len(self.on) else np.zeros(len(self), np.int32)
        return pa.array(values, mask=~there)

    def source(self, k: int) -> pa.Array:
        """Source of the k-th response named. [J]"""
        import pyarrow as pa

        if k == 0 and self.single:
            return self.sources
        at, there = self._nth(k)
        return self.sources.take(pa.array(at, mask=~there))

    def text(self, name: str) -> NDArray[np.object_]:
        """A string column as objects (None where null). [J]"""
        return np.asarray(self.columns[name].to_numpy(zero_copy_only=False), dtype=object)

    def number(self, name: str) -> NDArray[np.float64]:
        """A float column, NaN where null. [J]"""
        return np.asarray(self.columns[name].to_numpy(zero_copy_only=False), dtype=np.float64)

    def on_lists(self) -> pa.Array:
        """`on` as a list column. [J]"""
        return lists(self.n_on, self.on.astype(np.int32))

    def source_lists(self) -> pa.Array:
        """The sources of `on` as a list column. [J]"""
        import pyarrow as pa

        return pa.ListArray.from_arrays(pa.array(_offsets(self.n_on)), self.sources)

    @property
    def single(self) -> bool:
        """Whether every judgement names one response, as ratings do: nothing is to be looked up then."""
        return len(self.on) == len(self.row) and bool((self.n_on == 1).all())

    def _nth(self, k: int) -> tuple[Ints, NDArray[np.bool_]]:
        there = self.n_on > k
        at = np.cumsum(self.n_on) - self.n_on + k
        return np.where(there, at, 0), there


def flattened(source: Rows, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
    """Flat judgements of every batch of a source.

    Args:
        source: The groups.
        kinds: Kinds of judgement.
        fields: Fields of `Judgement`, and `sources` where the sources of the responses are wanted.
        rows: Sorted positions; None for all.
    Raises:
        DataError: a judgement points at a response that is not there.
    """
    plain = [name for name in fields if name != "sources"]
    # with or without their names, the responses are needed: to check that `on` points at one
    columns = ["id", "responses.source", "judgements.kind", "judgements.on", *(f"judgements.{name}" for name in plain)]
    for positions, batch in source.batches(columns, rows):
        flat = _flatten(positions, batch, kinds, plain, "sources" in fields)
        if len(flat):
            yield flat


def _flatten(positions: Ints, batch: Any, kinds: Sequence[str], fields: Sequence[str], sources: bool) -> Flat:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = batch.column("judgements")
    lengths = list_lengths(column)
    inner = column.flatten()
    parent = np.repeat(np.arange(len(positions)), lengths)
    index = np.arange(len(inner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kind = pc.struct_field(inner, "kind")
    kept = pc.is_in(kind, pa.array(list(kinds), pa.string())).to_numpy(zero_copy_only=False).astype(bool)
    if not kept.all():
        which = np.flatnonzero(kept)
        inner, kind, parent, index = (
            inner.take(pa.array(which)),
            kind.take(pa.array(which)),
            parent[which],
            index[which],
        )
    on_column = pc.struct_field(inner, "on")
    n_on = list_lengths(on_column)
    on = on_column.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    responses = batch.column("responses")
    n_responses = list_lengths(responses)
    parent_on = np.repeat(parent, n_on)
    arity = {"rating": 1, "comparison": 2, "steps": 1}
    for name in set(kinds) & set(arity):
        odd = (n_on != arity[name]) & pc.equal(kind, name).to_numpy(zero_copy_only=False).astype(bool)
        if odd.any():
            group, n = batch.column("id")[int(parent[np.argmax(odd)])].as_py(), int(n_on[np.argmax(odd)])
            raise DataError("bad-judgement", f"group {group!r}: a {name} on {n} responses; expected {arity[name]}")
    outside = (on < 0) | (on >= n_responses[parent_on])
    ids = batch.column("id")
    if outside.any():
        bad = int(np.argmax(outside))
        group, n = ids[int(parent_on[bad])].as_py(), int(n_responses[parent_on[bad]])
        raise DataError("bad-judgement", f"group {group!r}: on={on[bad]}; the group has {n} responses (0-based)")
    named = None
    if sources:
        starts = np.cumsum(n_responses) - n_responses
        named = encoded(pc.struct_field(responses.flatten(), "source")).take(pa.array(starts[parent_on] + on))
    columns = {}
    for name in fields:
        values = pc.struct_field(inner, name)
        columns[name] = encoded(values) if name in ENCODED else values
    return Flat(
        positions[parent],
        lambda: pa.DictionaryArray.from_arrays(pa.array(parent.astype(np.int32)), ids),
        index,
        kind,
        n_on,
        on,
        columns,
        named,
    )


def encoded(column: Any) -> pa.Array:
    """A string column as dictionary<int32, string>."""
    import pyarrow as pa

    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def list_lengths(column: Any) -> Ints:
    """Lengths of a list column, 0 where null."""
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def first_of(column: Any) -> pa.Array:
    """First element of every list of integers, null where it is empty or null."""
    import pyarrow as pa

    lengths = list_lengths(column)
    values = column.flatten().to_numpy(zero_copy_only=False)
    at = np.where(lengths > 0, np.cumsum(lengths) - lengths, 0)
    found = values[at] if len(values) else np.zeros(len(at), np.int32)
    return pa.array(found.astype(np.int32), mask=lengths == 0)


def lists(lengths: Ints, values: NDArray[Any]) -> pa.Array:
    """A list column from lengths and the values one after the other."""
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(_offsets(lengths)), pa.array(values))


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """start, start + 1, … of every range, one after the other. [Σ lengths]"""
    total = int(lengths.sum())
    before = np.cumsum(lengths) - lengths
    return np.arange(total) - np.repeat(before, lengths) + np.repeat(starts, lengths)


def _offsets(lengths: Ints) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
