"""Rows that say again what an earlier row has said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Result, Skipped
from zermelo.doctor.structure.flagged import SHOWN, examples_of, found_rows
from zermelo.doctor.structure.rows import Hashes, mixed, repeats, row_digests, summed

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["Duplicate"]

GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Duplicate:
    """Rows with the prompt, the answers and the judgements of an earlier row; the first one is not counted."""

    id: ClassVar[str] = "structure.duplicate"
    asks: ClassVar[str] = "are rows there twice?"

    def run(self, case: Case) -> Sequence[Result]:
        rows, hashes = row_digests(case)
        if not len(rows):
            return [Skipped(self.id, "the data holds no texts; battles between the same models repeat by nature")]
        whole = hashes.copy()
        for of_row, said in _said(case):
            whole[np.searchsorted(rows, of_row)] += said
        again, origin = repeats(whole)
        found = rows[again]
        copies = np.unique(origin[again], return_counts=True)[1] if again.any() else np.zeros(0, np.int64)
        shown = examples_of(case, found[:SHOWN])
        first = dict(zip(found.tolist(), rows[origin[again]].tolist(), strict=True))
        return found_rows(
            case,
            self.id,
            found,
            np.ones(len(found)),
            title="{rows} of {of} rows ({share}) repeat an earlier row: prompt, answers and judgements",
            passed="no row repeats another",
            effect="A row that stands n times weighs n times, is learnt by heart sooner, and may stand on both sides of"
            " a split.",
            source='"Deduplicating Training Data Makes Language Models Better", 2021, arXiv 2107.06499',
            remedy="keep the first of equal rows",
            fix="drop-duplicates",
            details={"repeated_rows": float(len(copies)), "most_copies": float(copies.max(initial=0) + 1)},
            examples=[Example(item.row, item.text, f"as row {first[item.row]}") for item in shown],
        )


def _said(case: Case) -> Iterator[tuple[NDArray[np.int64], Hashes]]:
    """Rows and a hash of what is said in them, for each kind of judgement that is there."""
    said = case.comparisons
    if len(said):
        parts: list[NDArray[np.generic]] = [
            said.first,
            said.second,
            said.by,
            said.criterion,
            _bits(said.prob),
            said.tie,
            _bits(said.at),
        ]
        yield summed(said.row, _hash(parts))
    feedback = case.feedback
    for kind, table in (("ratings", case.ratings), ("labels", feedback.labels().arrow())):
        if table.num_rows:
            names = ("response", "by", "criterion", "value")
            yield summed(
                table["row"].to_numpy().astype(np.int64), _hash([_column(table, name) for name in names], kind)
            )
    ranked = feedback.rankings().arrow()
    if ranked.num_rows:
        texts = [str(pair) for pair in zip(ranked["on"].to_pylist(), ranked["ranks"].to_pylist(), strict=True)]
        columns = [np.array([hash(text) for text in texts], np.int64), _column(ranked, "by")]
        yield summed(ranked["row"].to_numpy().astype(np.int64), _hash(columns, "rankings"))


def _column(table: pa.Table, name: str) -> NDArray[np.int64]:
    """A column as integers: codes of strings, bits of numbers, −1 for nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[name].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type):
        column = column.dictionary_encode().indices
    if pa.types.is_floating(column.type):
        return _bits(pc.fill_null(column, float("nan")).to_numpy(zero_copy_only=False))
    return np.asarray(pc.fill_null(column.cast(pa.int64()), -1).to_numpy(zero_copy_only=False), np.int64)


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(values, np.float64).view(np.int64)


def _hash(columns: Sequence[NDArray[np.generic]], kind: str = "comparisons") -> Hashes:
    total = np.full(len(columns[0]), len(kind), np.uint64)
    for column in columns:
        total = mixed(total * np.uint64(GOLDEN) + np.asarray(column).astype(np.int64).view(np.uint64))
    return total
