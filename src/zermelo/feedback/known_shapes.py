"""The two shapes whose judgements are read by columns: UltraFeedback's ratings, TRL's text pairs.

What is good, missing or bad follows the readers (`formats/ultrafeedback.py`, `formats/trl.py`); where this file cannot
be sure it raises `Unfit` and the reader decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from zermelo.feedback.flat import Flat, encoded, list_lengths, ranges
from zermelo.feedback.formats.ultrafeedback import ASPECT, JUDGE, OVERALL
from zermelo.feedback.leaves import open_parquet
from zermelo.feedback.protocol import NO_VALUE
from zermelo.feedback.shapes import Unfit, without_nulls
from zermelo.feedback.sources import RowsOf
from zermelo.feedback.texts import TEXTS

__all__ = ["TextPairs", "UltraFeedbackRatings", "parsed_ratings"]

Floats = NDArray[np.float64]
ITEM = "completions"


@dataclass(frozen=True)
class UltraFeedbackRatings:
    """`completions` with `model`, `annotations.<aspect>.Rating` and `overall_score`.

    Args:
        aspects: In the order of the file's schema.
        overall: Whether there is an overall score.
        model: Whether there is a model.
    """

    aspects: tuple[str, ...]
    overall: bool
    model: bool
    prompt: str = "instruction"
    text_columns: tuple[str, ...] = (f"{ITEM}.response",)

    @classmethod
    def of(cls, path: str) -> UltraFeedbackRatings | None:
        """The shape of a file, or None where its columns are not plain enough."""
        kind = _item_type(path)
        if kind is None or not without_nulls(path, ("instruction", f"{ITEM}.response")):
            return None
        names = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        annotations = names.get("annotations")
        aspects: tuple[str, ...] = ()
        if annotations is not None:
            if not pa.types.is_struct(annotations):
                return None
            inner = [annotations.field(i) for i in range(annotations.num_fields)]
            if any(not pa.types.is_struct(field.type) or field.type.get_field_index("Rating") < 0 for field in inner):
                return None
            aspects = tuple(field.name for field in inner)
        if "model" in names and not pa.types.is_string(names["model"]):
            return None
        shape = cls(aspects, "overall_score" in names, "model" in names)
        return shape if shape.columns else None  # something must count the completions

    @property
    def columns(self) -> tuple[str, ...]:
        """Leaves to read: ratings, and models for sources and the number of completions."""
        rated = tuple(f"{ITEM}.annotations.{aspect}.Rating" for aspect in self.aspects)
        return (
            *rated,
            *((f"{ITEM}.overall_score",) if self.overall else ()),
            *((f"{ITEM}.model",) if self.model else ()),
        )

    def flat(
        self,
        positions: RowsOf,
        ids: Callable[[], Any],
        batch: pa.RecordBatch,
        kinds: Sequence[str],
        fields: Sequence[str],
    ) -> Flat:
        """The ratings of a batch, completion by completion, aspect by aspect, the overall score last."""
        column = batch.column(ITEM)
        lengths = list_lengths(column)
        items = column.flatten()
        values = self._values(items) if "rating" in kinds else np.zeros((len(items), 0))
        there = ~np.isnan(values)
        which, what = np.divmod(np.flatnonzero(there), max(values.shape[1], 1))  # completion, criterion: row by row
        parent = np.repeat(np.arange(len(positions)), lengths)
        response = ranges(np.zeros(len(lengths), dtype=np.int64), lengths)
        criteria = [*self.aspects, *(["overall"] if self.overall else [])]
        scales = [*([ASPECT] * len(self.aspects)), *([OVERALL] if self.overall else [])]
        n = len(which)
        made: dict[str, Callable[[], Any]] = {
            "value": lambda: pa.array(values[there]),
            "by": lambda: _constant(JUDGE, n),
            "criterion": lambda: pa.DictionaryArray.from_arrays(
                pa.array(what.astype(np.int32)), pa.array(criteria, pa.string())
            ),
            "low": lambda: pa.array(np.array([scale["low"] for scale in scales])[what]),
            "high": lambda: pa.array(np.array([scale["high"] for scale in scales])[what]),
        }
        sources = None
        if "sources" in fields:
            model = pc.struct_field(items, "model") if self.model else pa.nulls(len(items), pa.string())
            sources = encoded(model).take(pa.array(which))
        return Flat(
            positions[parent][which],
            lambda: pa.DictionaryArray.from_arrays(pa.array(parent[which].astype(np.int32)), ids()),
            np.arange(n),
            _constant("rating", n),
            np.ones(n, dtype=np.int64),
            response[which],
            {name: made[name]() if name in made else _nothing(name, n) for name in fields if name != "sources"},
            sources,
        )

    def texts(self, positions: RowsOf, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The responses of a batch, not copied."""
        column = batch.column(ITEM)
        lengths = list_lengths(column)
        index = ranges(np.zeros(len(lengths), dtype=np.int64), lengths).astype(np.int32)
        text = pc.struct_field(column.flatten(), "response")
        return pa.RecordBatch.from_arrays(
            [pa.array(np.repeat(positions, lengths)), pa.array(index), text], schema=TEXTS
        )

    def _values(self, items: Any) -> Floats:
        """Ratings, NaN where missing. [completions, criteria]"""
        columns = []
        annotations = pc.struct_field(items, "annotations") if self.aspects else None
        for aspect in self.aspects:
            rating = pc.struct_field(pc.struct_field(annotations, aspect), "Rating")
            columns.append(parsed_ratings(rating, **ASPECT))
        if self.overall:
            columns.append(parsed_ratings(pc.struct_field(items, "overall_score"), **OVERALL))
        return np.stack(columns, 1) if columns else np.zeros((len(items), 0))


@dataclass(frozen=True)
class TextPairs:
    """`prompt`, `chosen`, `rejected` as text; `margin`, `score_chosen`, `score_rejected` as numbers.

    Args:
        numbers: Which of the three there are.
    """

    numbers: tuple[str, ...]
    prompt: str = "prompt"
    text_columns: tuple[str, ...] = ("chosen", "rejected")

    @classmethod
    def of(cls, path: str) -> TextPairs | None:
        """The shape of a file, or None where a side is a conversation or may be null."""
        schema = open_parquet(path).schema_arrow
        sides = ("prompt", "chosen", "rejected")
        if any(name not in schema.names or not pa.types.is_string(schema.field(name).type) for name in sides):
            return None
        numbers = tuple(name for name in ("margin", "score_chosen", "score_rejected") if name in schema.names)
        return cls(numbers) if without_nulls(path, sides) else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The numbers."""
        return self.numbers

    def flat(
        self,
        positions: RowsOf,
        ids: Callable[[], Any],
        batch: pa.RecordBatch,
        kinds: Sequence[str],
        fields: Sequence[str],
    ) -> Flat:
        """One comparison a row, and the ratings of both sides where they stand."""
        n = len(positions)
        strength = self._number(batch, "margin", n)
        scores = np.stack([self._number(batch, name, n) for name in ("score_chosen", "score_rejected")], 1)
        # entries of a row: the comparison, the two ratings
        there = np.concatenate([np.full((n, 1), "comparison" in kinds), ~np.isnan(scores) & ("rating" in kinds)], 1)
        row, entry = np.nonzero(there)
        compared = entry == 0
        n_on = np.where(compared, 2, 1)
        on = np.zeros(int(n_on.sum()), dtype=np.int64)
        ends = np.cumsum(n_on)
        on[ends - 1] = np.where(compared, 1, entry - 1)
        value = np.where(compared, 1.0, scores[row, np.maximum(entry - 1, 0)])
        margin = np.where(compared, strength[row], np.nan)
        kind = pa.DictionaryArray.from_arrays(pa.array((~compared).astype(np.int32)), ["comparison", "rating"])
        made: dict[str, Callable[[], Any]] = {
            "value": lambda: pa.array(value),
            "outcome": lambda: pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(len(row), dtype=np.int32), mask=~compared), ["first"]
            ),
            "strength": lambda: pa.array(margin, mask=np.isnan(margin)),
        }
        return Flat(
            positions[row],
            lambda: pa.DictionaryArray.from_arrays(pa.array(row.astype(np.int32)), ids()),
            entry,
            kind,
            n_on,
            on,
            {name: made[name]() if name in made else _nothing(name, len(row)) for name in fields if name != "sources"},
            encoded(pa.nulls(len(on), pa.string())) if "sources" in fields else None,
        )

    def texts(self, positions: RowsOf, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Chosen and rejected, row by row."""
        both = pa.concat_arrays([batch.column("chosen"), batch.column("rejected")])
        n = len(positions)
        order = np.stack([np.arange(n), np.arange(n) + n], 1).ravel()
        index = np.tile(np.array([0, 1], dtype=np.int32), n)
        return pa.RecordBatch.from_arrays(
            [pa.array(np.repeat(positions, 2)), pa.array(index), both.take(pa.array(order))], schema=TEXTS
        )

    def _number(self, batch: Any, name: str, n: int) -> Floats:
        return parsed_ratings(batch.column(name)) if name in self.numbers else np.full(n, np.nan)


def parsed_ratings(column: Any, *, low: float = -math.inf, high: float = math.inf) -> Floats:
    """Numbers, or text that is one, on a scale; NaN where null or marked as missing (N/A, empty).

    Raises:
        Unfit: anything else.
    """
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        there = pc.is_valid(column).to_numpy(zero_copy_only=False)
        values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    elif pa.types.is_string(column.type):
        values, there = _from_text(column)
    else:
        raise Unfit
    good = np.isfinite(values) & (values >= low) & (values <= high)
    if not (good | ~there).all():
        raise Unfit
    return np.where(there, values, np.nan)


def _from_text(column: Any) -> tuple[Floats, NDArray[np.bool_]]:
    """Text as numbers, and where there is a value. Single digits, nearly all ratings, are read from the bytes."""
    if not len(column):
        return np.zeros(0), np.zeros(0, dtype=bool)
    _, offsets_of, data_of = column.buffers()
    offsets = np.frombuffer(offsets_of, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    there = (
        pc.is_valid(column).to_numpy(zero_copy_only=False) if column.null_count else np.ones(len(column), dtype=bool)
    )
    values = np.full(len(column), np.nan)
    data = np.frombuffer(data_of, dtype=np.uint8) if data_of is not None else np.zeros(0, dtype=np.uint8)
    first = data[np.minimum(offsets[:-1], len(data) - 1)] if len(data) else np.zeros(len(column), dtype=np.uint8)
    digit = (np.diff(offsets) == 1) & (first >= 48) & (first <= 57) & there
    values[digit] = first[digit] - 48.0
    rest = np.flatnonzero(~digit & there)
    if len(rest):
        words = column.take(pa.array(rest)).dictionary_encode()
        table = np.array([_number(word) for word in words.dictionary.to_pylist()])
        found = table[np.asarray(words.indices)]
        values[rest] = found
        there = there.copy()
        there[rest[np.isnan(found)]] = False
    return values, there


def _number(word: str) -> float:
    if word.strip().lower() in NO_VALUE:
        return math.nan
    try:
        value = float(word)
    except ValueError:
        raise Unfit from None
    if not math.isfinite(value):
        raise Unfit
    return value


def _constant(word: str, n: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([word]))


def _nothing(name: str, n: int) -> Any:
    """A column of nulls of the native type."""
    from zermelo.feedback.schema import JUDGEMENT

    empty = pa.nulls(n, JUDGEMENT.field(name).type)
    return encoded(empty) if name in ("by", "criterion") else empty


def _item_type(path: str) -> Any:
    """The struct type of a completion, or None."""
    schema = open_parquet(path).schema_arrow
    if ITEM not in schema.names or not pa.types.is_list(schema.field(ITEM).type):
        return None
    kind = schema.field(ITEM).type.value_type
    return kind if pa.types.is_struct(kind) and kind.get_field_index("response") >= 0 else None
