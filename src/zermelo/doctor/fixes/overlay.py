"""`Mended`: groups of which some are changed as they are read; nothing is copied, positions stay what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zermelo.feedback.records import Group
from zermelo.feedback.sources import Rows, RowsOf

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.feedback.flat import Flat

__all__ = ["Mended"]


class Mended:
    """A source (`Rows`) with some groups changed.

    Args:
        base: The groups.
        at: Sorted positions of those that change.
        change: (position, group) → the group instead; pure.
    """

    def __init__(self, base: Rows, at: NDArray[np.int64], change: Callable[[int, Group], Group]) -> None:
        self.base, self.at, self.change = base, np.unique(np.asarray(at, np.int64)), change

    def __len__(self) -> int:
        return len(self.base)

    def batches(
        self, columns: Sequence[str] | None = None, rows: RowsOf | None = None
    ) -> Iterator[tuple[RowsOf, pa.RecordBatch]]:
        for positions, batch in self.base.batches(columns, rows):
            mine = np.isin(positions, self.at)
            yield positions, self._changed(positions, batch, mine) if mine.any() else batch

    def flat(self, kinds: Sequence[str], fields: Sequence[str], rows: RowsOf | None = None) -> Iterator[Flat]:
        from zermelo.feedback.flat import flattened

        return flattened(self, kinds, fields, rows)

    def _changed(self, positions: RowsOf, batch: pa.RecordBatch, mine: NDArray[np.bool_]) -> pa.RecordBatch:
        """The batch with the changed groups in their places; a change needs the whole group, whatever was asked for."""
        import pyarrow as pa

        from zermelo.feedback.schema import group_to_row, groups_from_arrow

        new = []
        for at, whole in self.base.batches(None, positions[mine]):
            new += [
                group_to_row(self.change(row, group))
                for row, group in zip(at.tolist(), groups_from_arrow(whole), strict=True)
            ]
        added = pa.RecordBatch.from_pylist(new, schema=batch.schema)  # fields that were not asked for are passed over
        place = np.arange(batch.num_rows)
        place[mine] = batch.num_rows + np.arange(len(new))
        both = pa.Table.from_batches([batch, added]).combine_chunks().take(pa.array(place)).combine_chunks()
        return both.to_batches()[0]
