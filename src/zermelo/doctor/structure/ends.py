"""Beginnings and ends that a tokenizer adds: double BOS, end tokens as text, missing end tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Passed, Result, Skipped
from zermelo.doctor.scan import TextCheck
from zermelo.doctor.structure.flagged import found_rows, rows_with
from zermelo.doctor.structure.patterns import EOS

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["EOS_TEXT", "Bos", "Eos"]

TAIL = 64  # characters


def _ends_with_eos(text: pa.Array) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    tail = pc.utf8_slice_codeunits(pc.utf8_rtrim_whitespace(text), -TAIL)
    return np.asarray(pc.match_substring_regex(tail, rf"(?:{EOS})\s*$").to_numpy(zero_copy_only=False), bool)


EOS_TEXT = TextCheck("eos", _ends_with_eos, "responses")


@dataclass(frozen=True)
class Bos:
    """Texts that begin with a BOS token, to which a tokenizer adds its own, and prompt ids that begin with two."""

    id: ClassVar[str] = "structure.bos"
    asks: ClassVar[str] = "would a tokenizer put two beginning tokens in front?"

    def run(self, case: Case) -> Sequence[Result]:
        if not len(case.texts.row):
            return [Skipped(self.id, "the data holds no texts")]
        rows, _ = rows_with(case, case.texts.seen("bos"))
        double = np.array(sorted(_double_ids(case)), np.int64)
        every = np.union1d(rows, double)
        return found_rows(
            case,
            self.id,
            every,
            np.ones(len(every)),
            title="{rows} of {of} rows ({share}) begin with a BOS token of their own: tokenized, they have two",
            passed="no text begins with a BOS token",
            effect="Two beginning tokens are a start that the model has never seen; log-probabilities of the first"
            " tokens go astray, silently.",
            remedy="cut the token from the text, or tokenize without special tokens",
            fix="strip-template",
            details={"in_text": float(len(rows)), "in_token_ids": float(len(double))},
        )


@dataclass(frozen=True)
class Eos:
    """End tokens as text at the end of some answers only, and sampled ids that stopped without the end token."""

    id: ClassVar[str] = "structure.eos"
    asks: ClassVar[str] = "do answers end alike?"

    def run(self, case: Case) -> Sequence[Result]:
        table = case.texts
        answers = ~table.is_prompt & (table.chars > 0)
        if not answers.any():
            return [Skipped(self.id, "the data holds no answers, only their sources")]
        ends = table.seen("eos")
        share = float(ends[answers].mean())
        odd = ends if share <= 0.5 else answers & ~ends
        rows = np.union1d(rows_with(case, odd)[0], np.array(sorted(_stopped_without(case)), np.int64))
        details = {"share_with_end_token": share}
        if not len(rows):
            said = "every answer ends in an end token as text" if share else "no answer holds an end token as text"
            return [Passed(self.id, said, details=details)]
        title = "have an answer that ends in an end token as text" if share <= 0.5 else "lack the others' end token"
        return found_rows(
            case,
            self.id,
            rows,
            np.ones(len(rows)),
            title="{rows} of {of} rows ({share}) " + title,
            passed="",
            effect="The trainer adds an end token of its own: some answers end twice or, where the text was to bring"
            " it, some never end.",
            remedy="cut end tokens from the texts; the trainer adds one to each answer",
            fix="strip-template",
            details=details,
        )


def _ids(case: Case, names: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], list[pa.Array]]]:
    """Rows of the responses of a batch and some of their fields, where there are any."""
    import pyarrow.compute as pc

    from zermelo.feedback.flat import list_lengths

    paths = [f"responses.{name}" for name in names]
    for positions, batch in case.feedback.source.batches(paths, case.feedback.rows):
        column = batch.column("responses")
        inner = column.flatten()
        fields = [pc.struct_field(inner, name) for name in names]
        if fields[0].null_count < len(fields[0]):
            yield np.repeat(positions, list_lengths(column)), fields


def _double_ids(case: Case) -> set[int]:
    """Rows with prompt ids that begin with the same token twice, where that is how nearly all begin alike."""
    found: set[int] = set()
    starts: list[int] = []
    for rows, (ids,) in _ids(case, ["prompt_ids"]):
        for row, item in zip(rows.tolist(), ids.to_pylist(), strict=True):
            if item:
                starts.append(item[0])
                if len(item) > 1 and item[0] == item[1]:
                    found.add(row)
    common = max(np.unique(starts, return_counts=True)[1]) if starts else 0
    return found if starts and common >= 0.9 * len(starts) else set()


def _stopped_without(case: Case) -> set[int]:
    """Rows with sampled ids that stopped, but on another token than most."""
    last: list[tuple[int, int]] = []
    for rows, (ids, finish) in _ids(case, ["token_ids", "finish"]):
        for row, item, how in zip(rows.tolist(), ids.to_pylist(), finish.to_pylist(), strict=True):
            if item and how == "stopped":
                last.append((row, item[-1]))
    if not last:
        return set()
    tokens, counts = np.unique([token for _, token in last], return_counts=True)
    end = int(tokens[counts.argmax()])
    return {row for row, token in last if token != end} if counts.max() >= 0.5 * len(last) else set()
