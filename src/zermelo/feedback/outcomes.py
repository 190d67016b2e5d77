"""The view `outcomes`: source × prompt × score, one row for each rating or label of a response."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from zermelo.feedback.flat import Flat
from zermelo.feedback.records import prompt_key
from zermelo.feedback.view import Dropped
from zermelo.feedback.views import HEAD, NAME, RATED, SAID, as_batch

if TYPE_CHECKING:
    from zermelo.feedback.sources import Rows, RowsOf

__all__ = ["OUTCOMES", "keys_of", "outcomes_of"]

OUTCOMES = pa.schema(
    [
        *HEAD,
        ("key", NAME),
        *RATED,
        ("score", pa.float64()),
        ("kind", NAME),
        *SAID,
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)
FIELDS = ("sources", "by", "criterion", "value", "low", "high")


def keys_of(source: Rows, rows: RowsOf | None = None) -> Iterator[tuple[RowsOf, list[str]]]:
    """Positions and prompt keys (`Group.key`), batch by batch; reads prompts, not responses."""
    from zermelo.feedback.schema import prompts_from_arrow

    for positions, batch in source.batches(("prompt", "prompt_messages"), rows):
        yield positions, [prompt_key(prompt) for prompt in prompts_from_arrow(batch)]


def outcomes_of(source: Rows, rows: RowsOf | None) -> Callable[[Dropped, pa.Schema], Iterator[pa.RecordBatch]]:
    """A pass over a source that gives its outcomes."""

    def batches(dropped: Dropped, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        keys = _Keys(source, rows) if "key" in schema.names else None
        for flat in source.flat(("rating", "label"), FIELDS, rows):
            value = flat.number("value")
            kept = (flat.n_on == 1) & ~np.isnan(value)
            dropped.add("no-value", int(np.isnan(value).sum()))
            dropped.add("not-one-response", int(((flat.n_on != 1) & ~np.isnan(value)).sum()))
            flat = flat.where(kept)
            if len(flat):
                yield as_batch(_columns(flat, None if keys is None else keys.at(flat.row)), schema)

    return batches


def _columns(flat: Flat, key: Any) -> dict[str, Any]:
    said = {name: flat.columns[name] for name in ("by", "criterion", "low", "high")}
    return {
        "row": flat.row,
        "id": lambda: flat.id,
        "key": key,
        "response": flat.response(0),
        "source": lambda: flat.source(0),
        "score": flat.columns["value"],
        "kind": flat.kind,
        **said,
    }


class _Keys:
    """Keys of ascending positions, read alongside."""

    def __init__(self, source: Rows, rows: RowsOf | None) -> None:
        self.batches = keys_of(source, rows)
        self.positions = np.zeros(0, dtype=np.int64)
        self.keys: list[str] = []

    def at(self, rows: RowsOf) -> pa.Array:
        """The key of each of `rows`, ascending within and between calls; dictionary-encoded."""
        keep = int(np.searchsorted(self.positions, rows[0]))
        self.positions, self.keys = self.positions[keep:], self.keys[keep:]
        while not len(self.positions) or self.positions[-1] < rows[-1]:
            positions, keys = next(self.batches)
            self.positions = np.concatenate([self.positions, positions])
            self.keys += keys
        places = np.searchsorted(self.positions, rows).astype(np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(self.keys, pa.string())).cast(NAME)
