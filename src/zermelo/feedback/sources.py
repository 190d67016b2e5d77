"""Where a collection's groups lie: native Parquet files, Arrow batches, or files of other formats.

Every source yields the same thing: record batches in the native schema, pruned to the columns asked for. Positions
(`rows`) count groups over all files, from 0, and never change.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zermelo.feedback.leaves import open_parquet, read_leaves
from zermelo.feedback.records import Group, Judgement

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.feedback.flat import Flat

__all__ = ["ArrowRows", "Judged", "ParquetRows", "Rows", "RowsOf", "Spooled", "native_paths"]

RowsOf = NDArray[np.int64]
SPOOL_GROUPS = 4096


class Rows(Protocol):
    """Groups in a fixed order."""

    def __len__(self) -> int: ...

    def batches(
        self, columns: Sequence[str] | None = None, rows: RowsOf | None = None
    ) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
        """Positions and record batches of the chosen rows, in order.

        Args:
            columns: Dotted native paths (`responses.source`); None for everything. More may come than was asked for.
            rows: Sorted distinct positions; None for all.
        """
        ...

    def flat(self, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
        """Judgements of these kinds as flat columns, batch by batch (`flat.py`)."""
        ...


class ParquetRows:
    """Native Parquet files, read by leaf columns straight from the file."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)

    @cached_property
    def starts(self) -> RowsOf:
        """Position of each file's first group, and the number of groups in all. [files + 1]"""
        counts = [open_parquet(path).metadata.num_rows for path in self.paths]
        return np.cumsum([0, *counts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def batches(
        self, columns: Sequence[str] | None = None, rows: RowsOf | None = None
    ) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
        from zermelo.feedback.schema import SCHEMA

        wanted = tuple(SCHEMA.names) if columns is None else columns
        for path, start, end in zip(self.paths, self.starts[:-1], self.starts[1:], strict=True):
            inside = None if rows is None else rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)] - start
            if inside is not None and not len(inside):
                continue
            for at, batch in read_leaves(path, wanted, rows=inside):
                yield from chosen(start + at, batch, rows)

    def flat(self, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
        from zermelo.feedback.flat import flattened

        return flattened(self, kinds, fields, rows)


class ArrowRows:
    """Record batches in memory, in the native schema."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.held = tuple(batches)

    @classmethod
    def of(cls, groups: Iterable[Group]) -> ArrowRows:
        """Groups as record batches."""
        return cls(as_batches(groups))

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self.held)

    def batches(
        self, columns: Sequence[str] | None = None, rows: RowsOf | None = None
    ) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
        top = None if columns is None else list(dict.fromkeys(column.split(".")[0] for column in columns))
        at = 0
        for batch in self.held:
            yield from chosen(at, batch if top is None else batch.select(top), rows)
            at += batch.num_rows

    def flat(self, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
        from zermelo.feedback.flat import flattened

        return flattened(self, kinds, fields, rows)


class Spooled:
    """Files of other formats: read once into a temporary native Parquet file when columns are first asked for.

    Args:
        read: Starts a reading of all groups.
        again: Whether the files can be read more than once (standard input cannot).
    """

    def __init__(self, read: Callable[[], Iterator[Group]], *, again: bool = True) -> None:
        self.read, self.again = read, again
        self._guard = threading.Lock()
        self._spool: ParquetRows | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def native(self) -> ParquetRows:
        """The groups as native Parquet; made by the first call, gone with this object."""
        with self._guard:
            if self._spool is None:
                self._folder = tempfile.TemporaryDirectory(prefix="zermelo-")
                path = str(Path(self._folder.name) / "groups.parquet")
                spool(self.read(), path)
                self._spool = ParquetRows([path])
            return self._spool

    def __len__(self) -> int:
        return len(self.native)

    def groups(self) -> Iterator[Group] | None:
        """A plain reading of all groups where no spool is there yet, else None."""
        return self.read() if self._spool is None and self.again else None

    def batches(
        self, columns: Sequence[str] | None = None, rows: RowsOf | None = None
    ) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
        return self.native.batches(columns, rows)

    def flat(self, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
        return self.native.flat(kinds, fields, rows)


class Judged:
    """A source with judgements appended to some of its groups.

    Args:
        base: The groups.
        added: Position → judgements, appended in this order.
    """

    def __init__(self, base: Rows, added: Mapping[int, Sequence[Judgement]]) -> None:
        from zermelo.feedback.schema import judgements_to_arrow

        self.base = base
        self.at = np.array(sorted(added), dtype=np.int64)
        self.counts = np.array([len(added[int(row)]) for row in self.at], dtype=np.int64)
        self.judgements: Any = judgements_to_arrow([item for row in self.at for item in added[int(row)]])

    def __len__(self) -> int:
        return len(self.base)

    def batches(
        self, columns: Sequence[str] | None = None, rows: RowsOf | None = None
    ) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
        ends = np.cumsum(self.counts)
        for positions, batch in self.base.batches(columns, rows):
            place = batch.schema.get_field_index("judgements")
            if place >= 0:
                mine = np.searchsorted(self.at, positions)
                found = (mine < len(self.at)) & (self.at[np.minimum(mine, len(self.at) - 1)] == positions)
                extra = np.where(found, self.counts[np.minimum(mine, len(self.at) - 1)], 0)
                first = np.where(found, (ends - self.counts)[np.minimum(mine, len(self.at) - 1)], 0)
                batch = batch.set_column(place, "judgements", self._longer(batch.column(place), first, extra))
            yield positions, batch

    def _longer(self, lists: Any, first: RowsOf, extra: RowsOf) -> Any:
        """A list column with `extra[i]` of the added judgements, from `first[i]`, behind each list."""
        import pyarrow as pa

        from zermelo.feedback.flat import list_lengths, ranges

        lengths = list_lengths(lists)
        inner = lists.flatten()
        added = self.judgements.cast(inner.type) if inner.type == self.judgements.type else _pruned(self, inner.type)
        items = pa.concat_arrays([inner, added])
        starts = np.cumsum(lengths) - lengths
        order = ranges(np.stack([starts, len(inner) + first], 1).ravel(), np.stack([lengths, extra], 1).ravel())
        offsets = np.cumsum([0, *(lengths + extra)], dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), items.take(pa.array(order)))

    def flat(self, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
        from zermelo.feedback.flat import flattened

        return flattened(self, kinds, fields, rows)


def _pruned(judged: Judged, kind: Any) -> Any:
    """The added judgements with only the fields of a pruned struct type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fields = [kind.field(i) for i in range(kind.num_fields)]
    return pa.StructArray.from_arrays(
        [pc.struct_field(judged.judgements, field.name).cast(field.type) for field in fields], fields=fields
    )


def chosen(start: int, batch: pa.RecordBatch, rows: RowsOf | None) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
    """The rows of a batch that begins at `start` which are among `rows`, with their positions; nothing if none are."""
    end = start + batch.num_rows
    if rows is None:
        yield np.arange(start, end, dtype=np.int64), batch
        return
    inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)]
    if len(inside) == batch.num_rows:
        yield inside, batch
    elif len(inside):
        yield inside, batch.take(inside - start)


def as_batches(groups: Iterable[Group]) -> Iterator[pa.RecordBatch]:
    """Groups as record batches of at most `SPOOL_GROUPS`."""
    import itertools

    from zermelo.feedback.schema import groups_to_arrow

    iterator = iter(groups)
    while held := list(itertools.islice(iterator, SPOOL_GROUPS)):
        yield from groups_to_arrow(held).to_batches()


def spool(groups: Iterable[Group], path: str) -> None:
    """Write groups as native Parquet without ceremony, for a file that nobody else sees."""
    import pyarrow.parquet as pq

    from zermelo.feedback.schema import SCHEMA

    with pq.ParquetWriter(path, SCHEMA, compression="lz4") as sink:
        for batch in as_batches(groups):
            sink.write_batch(batch)


def native_paths(paths: Sequence[str]) -> bool:
    """Whether all these files are native Parquet, to be read by columns as they are."""
    from zermelo.feedback.schema import is_native

    return all(path.endswith(".parquet") and is_native(open_parquet(path).schema_arrow) for path in paths)
