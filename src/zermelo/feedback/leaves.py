"""Parquet by leaf columns: what a view needs of nested columns, and nothing else, decoded on two threads in order.

A path names a column inside lists and structs by dots, `responses.source`; the file's own spelling of list levels
(`responses.list.element.source`) is found from its schema.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["leaf_names", "open_parquet", "read_leaves"]

ROW_GROUP_BYTES = 96 << 20  # decoded size up to which a row group is read at once
CHUNK_ROWS = 4096
THREADS = max(1, min(2, os.cpu_count() or 1))


def open_parquet(path: str) -> pq.ParquetFile:
    """Open a Parquet file.

    Raises:
        DataError: it is not there, cut, or no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except FileNotFoundError:
        raise DataError("no-such-file", "no such file", file=path) from None
    except (pa.ArrowException, OSError) as error:
        what = str(error).strip().splitlines()[0][:120]
        raise DataError("unreadable-file", f"cannot be read as Parquet; is it cut? ({what})", file=path) from None


def leaf_names(file: pq.ParquetFile) -> dict[str, str]:
    """Dotted path → the file's name of that leaf, list levels spelt out."""
    schema = file.schema
    names = (schema.column(i).path for i in range(len(schema)))
    return {_dotted(name): name for name in names}


def read_leaves(
    path: str, columns: Sequence[str], *, rows: NDArray[np.int64] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Record batches of some leaf columns, in the file's order.

    Args:
        path: A Parquet file.
        columns: Dotted paths; a path stands for all leaves below it. Those that the file lacks are left out.
        rows: Sorted positions; row groups without any are skipped (their neighbours in a row group are not).
    Yields:
        Position of the batch's first row in the file, and the batch (with one column without a name where none is
        left). At most a few row groups are held at a time.
    """
    import pyarrow as pa

    file = open_parquet(path)
    meta = file.metadata
    leaves = leaf_names(file)
    wanted = [real for name, real in leaves.items() if any(_below(name, column) for column in columns)]
    counts = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
    starts = [0, *itertools.accumulate(counts)]
    chosen = [i for i, n in enumerate(counts) if n and (rows is None or _any_between(rows, starts[i], starts[i] + n))]
    places = {meta.schema.column(i).path: i for i in range(len(meta.schema))}
    bytes_of = [sum(meta.row_group(i).column(places[name]).total_uncompressed_size for name in wanted) for i in chosen]

    def decode(group: int) -> pa.Table:
        # a reader of its own: one reader's reads are not to be run side by side
        import pyarrow.parquet as pq

        return pq.ParquetFile(path, metadata=meta, pre_buffer=False).read_row_group(
            group, columns=wanted, use_threads=False
        )

    try:
        if not wanted:
            yield from ((starts[i], pa.record_batch([pa.nulls(counts[i])], names=[""])) for i in chosen)
        elif max(bytes_of, default=0) > ROW_GROUP_BYTES:
            for i in chosen:
                at = starts[i]
                for batch in file.iter_batches(batch_size=CHUNK_ROWS, row_groups=[i], columns=wanted):
                    yield at, batch
                    at += batch.num_rows
        else:
            yield from _in_order(decode, chosen, starts)
    except (pa.ArrowException, OSError) as error:
        what = str(error).strip().splitlines()[0][:120]
        raise DataError("unreadable-file", f"cannot be read; is it cut? ({what})", file=path) from None


def _in_order(
    decode: Callable[[int], pa.Table], chosen: list[int], starts: list[int]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Decode row groups on `THREADS` threads, at most one more ahead, and give them in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        ahead: deque[tuple[int, Future[pa.Table]]] = deque()
        todo = iter(chosen)
        try:
            for i in itertools.islice(todo, THREADS + 1):
                ahead.append((i, pool.submit(decode, i)))
            while ahead:
                i, future = ahead.popleft()
                table = future.result()
                following = next(todo, None)
                if following is not None:
                    ahead.append((following, pool.submit(decode, following)))
                at = starts[i]
                for batch in table.to_batches():
                    yield at, batch
                    at += batch.num_rows
                del table
        finally:
            for _, future in ahead:
                future.cancel()


def _dotted(name: str) -> str:
    """`responses.list.element.source` → `responses.source`; older writers say `item` or `array`."""
    parts = name.split(".")
    kept = []
    at = 0
    while at < len(parts):
        if parts[at] == "list" and at + 1 < len(parts) and parts[at + 1] in ("element", "item", "array"):
            at += 2
            continue
        kept.append(parts[at])
        at += 1
    return ".".join(kept)


def _below(name: str, column: str) -> bool:
    return name == column or name.startswith(column + ".")


def _any_between(rows: NDArray[np.int64], low: int, high: int) -> bool:
    return bool(np.searchsorted(rows, low) < np.searchsorted(rows, high))
