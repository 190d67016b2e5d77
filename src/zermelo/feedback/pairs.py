"""The view `pairs`: stated comparisons, and pairs that ratings and rankings imply; the preferred response first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zermelo.feedback.deriving import Derive, ranking_pairs, rating_pairs, stated_pairs
from zermelo.feedback.flat import Flat
from zermelo.feedback.view import Dropped
from zermelo.feedback.views import NAME, as_batch

if TYPE_CHECKING:
    from zermelo.feedback.sources import Rows, RowsOf

__all__ = ["PAIRS", "pairs_of"]

PAIRS = pa.schema(
    [
        ("row", pa.int64()),
        ("id", NAME),
        ("win", pa.int32()),
        ("lose", pa.int32()),
        ("prob", pa.float64()),
        ("margin", pa.float64()),
        ("strength", pa.float64()),
        ("origin", NAME),
        ("source_win", NAME),
        ("source_lose", NAME),
        ("by", NAME),
        ("criterion", NAME),
    ]
)
FIELDS = ("sources", "by", "criterion", "value", "values", "outcome", "strength")


def pairs_of(
    source: Rows,
    rows: RowsOf | None,
    *,
    ratings: Derive | None,
    rankings: Derive | None,
    margin: float,
    criteria: Sequence[str] | None,
) -> Callable[[Dropped, pa.Schema], Iterator[pa.RecordBatch]]:
    """A pass over a source that gives its pairs by row: stated ones, then those of ratings, then of rankings."""
    kinds = ["comparison", *(["rating"] if ratings else []), *(["ranking"] if rankings else [])]

    def batches(dropped: Dropped, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        wider = schema if "row" in schema.names else schema.insert(0, PAIRS.field("row"))
        for flat in source.flat(kinds, FIELDS, rows):
            if criteria is not None:
                named = pc.is_in(flat.columns["criterion"].cast(pa.string()), pa.array(list(criteria), pa.string()))
                flat = flat.where(named.to_numpy(zero_copy_only=False).astype(bool))
            parts = [_stated(_of_kind(flat, "comparison"), dropped)]
            if ratings:
                parts.append(_rated(_of_kind(flat, "rating"), ratings, margin, dropped))
            if rankings:
                parts.append(_ranked(_of_kind(flat, "ranking"), rankings, dropped))
            found = [as_batch(part, wider) for part in parts if part is not None]
            if len(found) == 1:
                yield found[0].select(schema.names)
            elif found:
                whole = pa.concat_batches(found)
                order = np.argsort(whole.column("row").to_numpy(), kind="stable")
                yield whole.take(pa.array(order)).select(schema.names)

    return batches


def _of_kind(flat: Flat, kind: str) -> Flat:
    return flat.where(flat.of_kind(kind))


def _stated(flat: Flat, dropped: Dropped) -> dict[str, Any] | None:
    if not len(flat):
        return None
    swapped, prob, tie, unknown = stated_pairs(flat)
    dropped.add("tie", int(tie.sum()))
    dropped.add("no-value", int((unknown & ~tie).sum()))
    kept = ~(tie | unknown)
    flat, swapped, prob = flat.where(kept), swapped[kept], prob[kept]
    place = np.arange(len(flat)) * 2
    return _rows(flat, place + swapped, place + 1 - swapped, np.arange(len(flat)), prob, np.full(len(flat), np.nan))


def _rated(flat: Flat, how: Derive, margin: float, dropped: Dropped) -> dict[str, Any] | None:
    value = flat.number("value") if len(flat) else np.zeros(0)
    flat, value = flat.where(~np.isnan(value)), value[~np.isnan(value)]
    if not len(flat):
        return None
    win, lose = rating_pairs(flat, how)
    gap = value[win] - value[lose]
    dropped.add("tie", int((gap == 0).sum()))
    dropped.add("below-margin", int(((gap > 0) & (gap < margin)).sum()))
    kept = (gap > 0) & (gap >= margin)
    return _rows(flat, win[kept], lose[kept], win[kept], np.ones(int(kept.sum())), gap[kept])


def _ranked(flat: Flat, how: Derive, dropped: Dropped) -> dict[str, Any] | None:
    if not len(flat):
        return None
    ranks = flat.columns["values"].flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    win, lose = ranking_pairs(flat, ranks, how)
    gap = ranks[lose] - ranks[win]
    dropped.add("tie", int((gap == 0).sum()))
    kept = gap > 0
    judgement = np.repeat(np.arange(len(flat)), flat.n_on)
    return _rows(flat, win[kept], lose[kept], judgement[win[kept]], np.ones(int(kept.sum())), gap[kept])


def _rows(
    flat: Flat,
    win: np.ndarray,
    lose: np.ndarray,
    judgement: np.ndarray,
    prob: np.ndarray,
    margin: np.ndarray,
) -> dict[str, Any]:
    """Rows of the view. `win` and `lose` are places in the flattened `on`, `judgement` those of the judgement."""
    said = pa.array(judgement)
    return {
        "row": flat.row[judgement],
        "id": lambda: flat.id.take(said),
        "win": flat.on[win],
        "lose": flat.on[lose],
        "prob": prob,
        "margin": pa.array(margin, mask=np.isnan(margin)),
        "strength": flat.columns["strength"].take(said),
        "origin": flat.kind.take(said),
        "source_win": lambda: flat.sources.take(pa.array(win)),
        "source_lose": lambda: flat.sources.take(pa.array(lose)),
        "by": flat.columns["by"].take(said),
        "criterion": flat.columns["criterion"].take(said),
    }
