"""Parquet files of other formats whose judgements can be read by columns, as they are: UltraFeedback and TRL pairs.

The texts of such a file are never read for a view. That every row is good is seen without them: nulls from the file's
statistics, ratings from the ratings. Where that cannot be seen, or a row is bad, the format's reader takes over and
says what is wrong. Groups and texts are always those of the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zermelo.feedback.leaves import leaf_names, open_parquet, read_leaves
from zermelo.feedback.sources import RowsOf, Spooled

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.feedback.flat import Flat
    from zermelo.feedback.records import Group

__all__ = ["Shape", "ShapedRows", "Unfit", "shape_of", "without_nulls"]


class Unfit(Exception):
    """A batch that only the format's reader can judge."""


class Shape(Protocol):
    """How one shape of file becomes flat judgements.

    Args:
        columns: Dotted leaves that the judgements are in.
        prompt: The column of prompts, text.
        text_columns: Dotted leaves of the responses' texts; () where only the reader can make them.
    """

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def prompt(self) -> str: ...
    @property
    def text_columns(self) -> tuple[str, ...]: ...

    def flat(
        self,
        positions: RowsOf,
        ids: Callable[[], Any],
        batch: pa.RecordBatch,
        kinds: Sequence[str],
        fields: Sequence[str],
    ) -> Flat:
        """Judgements of a batch; raises `Unfit`."""
        ...

    def texts(self, positions: RowsOf, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The responses' texts of a batch."""
        ...


class ShapedRows:
    """Files of one shape, judgements by columns, the rest by the format's reader.

    Args:
        paths: Parquet files.
        names: Their short names, for ids.
        format: Name of the format.
        shape: How its judgements are read.
        read: Starts the reader over all files.
    """

    def __init__(
        self, paths: Sequence[str], names: Sequence[str], format: str, shape: Shape, read: Callable[[], Iterator[Group]]
    ) -> None:
        self.paths, self.names, self.format, self.shape, self.read = tuple(paths), tuple(names), format, shape, read
        self._spooled = Spooled(read)

    @cached_property
    def starts(self) -> RowsOf:
        """Position of each file's first row, and the number of rows in all. [files + 1]"""
        counts = [open_parquet(path).metadata.num_rows for path in self.paths]
        return np.cumsum([0, *counts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def groups(self) -> Iterator[Group]:
        """The reader's groups."""
        return self.read()

    def batches(
        self, columns: Sequence[str] | None = None, rows: RowsOf | None = None
    ) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
        """Ids and prompts by columns; anything else by reading all groups."""
        from zermelo.feedback.sources import as_batches, chosen

        if columns is not None and set(columns) <= {"id", "prompt", "prompt_messages"}:
            for positions, ids, batch in self._scan((self.shape.prompt,), rows):
                yield positions, _heads(ids(), batch.column(self.shape.prompt))
            return
        at = 0
        for batch in as_batches(self.read()):
            yield from chosen(at, batch, rows)
            at += batch.num_rows

    def flat(self, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
        """Judgements by columns, up to the first batch that only the reader can judge."""
        if set(kinds) & {"critique", "event", "steps", "label"}:
            yield from self._spooled.flat(kinds, fields, rows)
            return
        at = 0
        try:
            for positions, ids, batch in self._scan(self.shape.columns, rows):
                at = int(positions[0])
                flat = self.shape.flat(positions, ids, batch, kinds, fields)
                if len(flat):
                    yield flat
        except Unfit:  # bad, or only odd: the reader says which
            left = np.arange(at, len(self), dtype=np.int64) if rows is None else rows[rows >= at]
            yield from self._spooled.flat(kinds, fields, left)

    def texts(self, rows: RowsOf | None = None) -> Iterator[pa.RecordBatch] | None:
        """The texts of responses by columns (`texts.TEXTS`), or None where the reader must make them."""
        columns = self.shape.text_columns
        if not columns:
            return None
        return (self.shape.texts(positions, batch) for positions, _, batch in self._scan(columns, rows))

    def pick(self, rows: RowsOf) -> Iterator[tuple[int, Group]]:
        """A few groups, from the row groups in which they lie; rows that repeat earlier ones are not marked."""
        from zermelo.feedback.formats import load_format
        from zermelo.feedback.protocol import Row
        from zermelo.feedback.sources import chosen

        form = load_format(self.format)
        for path, name, start in zip(self.paths, self.names, self.starts, strict=False):
            inside = rows[
                np.searchsorted(rows, start) : np.searchsorted(rows, start + open_parquet(path).metadata.num_rows)
            ]
            if not len(inside):
                continue
            top = open_parquet(path).schema_arrow.names
            for at, batch in read_leaves(path, top, rows=inside - start):
                for positions, part in chosen(start + at, batch, rows):
                    for row, fields in zip(positions.tolist(), part.to_pylist(), strict=True):
                        number = row - int(start) + 1
                        yield row, form.read(Row(fields, path, number, name, form.shape))

    def _scan(
        self, columns: Sequence[str], rows: RowsOf | None
    ) -> Iterator[tuple[RowsOf, Callable[[], Any], pa.RecordBatch]]:
        """Positions, a maker of ids, and batches of these columns, of the chosen rows."""
        from zermelo.feedback.sources import chosen

        for path, name, start, end in zip(self.paths, self.names, self.starts[:-1], self.starts[1:], strict=True):
            inside = None if rows is None else rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)] - start
            if inside is not None and not len(inside):
                continue
            for at, batch in read_leaves(path, ("id", *columns), rows=inside):
                for positions, part in chosen(start + at, batch, rows):
                    yield positions, _id_maker(name, positions - start + 1, part), part


def _id_maker(name: str, numbers: RowsOf, batch: Any) -> Callable[[], Any]:
    """Ids as the reader gives them: the column `id`, else `file:row`."""

    def ids() -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        places = pc.binary_join_element_wise(name, pa.array(numbers).cast(pa.string()), ":")
        if "id" not in batch.schema.names:
            return places
        own = batch.column("id").cast(pa.string())
        return pc.if_else(pc.and_(pc.is_valid(own), pc.not_equal(own, "")), own, places)

    return ids


def _heads(ids: Any, prompts: Any) -> pa.RecordBatch:
    import pyarrow as pa

    from zermelo.feedback.schema import MESSAGES

    return pa.RecordBatch.from_arrays(
        [ids, prompts, pa.nulls(len(ids), MESSAGES)], names=["id", "prompt", "prompt_messages"]
    )


def shape_of(paths: Sequence[str], format: str | None, read: Callable[[], Iterator[Group]]) -> ShapedRows | None:
    """The files as rows of a shape, where all of them are Parquet, of one shape and provably without nulls.

    Args:
        paths: Files, expanded.
        format: The format's name where the user gave one.
        read: Starts the reader over all files.
    """
    from zermelo.feedback.files import labels
    from zermelo.feedback.reading import detect

    if not all(path.endswith(".parquet") for path in paths) or format not in (None, "ultrafeedback", "trl"):
        return None
    name = format or detect(paths[0]).name
    if name not in ("ultrafeedback", "trl"):
        return None
    from zermelo.feedback.known_shapes import TextPairs, UltraFeedbackRatings

    known: type[TextPairs] | type[UltraFeedbackRatings] = TextPairs if name == "trl" else UltraFeedbackRatings
    shapes = [known.of(path) for path in paths]
    first = shapes[0]
    if first is None or any(shape != first for shape in shapes) or not _ids_are_unique(paths):
        return None
    return ShapedRows(paths, labels(list(paths)), name, first, read)


def _ids_are_unique(paths: Sequence[str]) -> bool:
    """Whether no explicit id stands twice."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [
        batch.column("id").cast(pa.string())
        for path in paths
        if "id" in leaf_names(open_parquet(path))
        for _, batch in read_leaves(path, ("id",))
    ]
    ids = pc.drop_null(pa.chunked_array(parts, pa.string()))
    return len(ids) == pc.count_distinct(ids).as_py()


def without_nulls(path: str, columns: Sequence[str]) -> bool:
    """Whether the file's statistics say that these text leaves hold no null and are text."""
    file = open_parquet(path)
    leaves = leaf_names(file)
    meta = file.metadata
    place = {meta.schema.column(i).path: i for i in range(len(meta.schema))}
    for column in columns:
        if column not in leaves or meta.schema.column(place[leaves[column]]).physical_type != "BYTE_ARRAY":
            return False
        for group in range(meta.num_row_groups):
            statistics = meta.row_group(group).column(place[leaves[column]]).statistics
            if statistics is None or not statistics.has_null_count or statistics.null_count:
                return False
    return True
