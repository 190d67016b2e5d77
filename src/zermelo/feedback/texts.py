"""Every response's text, once, streaming."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zermelo.feedback.flat import list_lengths
from zermelo.feedback.sources import Rows, RowsOf

__all__ = ["TEXTS", "text_batches"]

TEXTS = pa.schema([("row", pa.int64()), ("response", pa.int32()), ("text", pa.string())])


def text_batches(source: Rows, rows: RowsOf | None = None) -> Iterator[pa.RecordBatch]:
    """`row`, `response`, `text` of every response; several turns are joined by blank lines."""
    for positions, batch in source.batches(("responses.text", "responses.messages"), rows):
        yield texts_of(positions, batch.column("responses"))


def texts_of(positions: RowsOf, responses: Any) -> pa.RecordBatch:
    """The texts of a native `responses` column, without copying those that are plain."""
    lengths = list_lengths(responses)
    inner = responses.flatten()
    text = pc.struct_field(inner, "text")
    names = {inner.type.field(i).name for i in range(inner.type.num_fields)}
    if "messages" in names:
        turns = pc.struct_field(inner, "messages")
        if turns.null_count < len(turns):
            joined = pa.array(
                [None if item is None else "\n\n".join(turn["content"] for turn in item) for item in turns.to_pylist()],
                pa.string(),
            )
            text = pc.coalesce(text, joined)
    index = np.arange(len(inner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    columns = [pa.array(np.repeat(positions, lengths)), pa.array(index.astype(np.int32)), text]
    return pa.RecordBatch.from_arrays(columns, schema=TEXTS)
