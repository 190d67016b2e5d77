"""Answers that were cut: by what the sampler said, or by a pile-up of lengths and ends in mid-sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Result, Skipped
from zermelo.doctor.scan import TextCheck
from zermelo.doctor.structure.flagged import SHOWN, found_rows
from zermelo.stats.intervals import newcombe_difference

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case
    from zermelo.doctor.scan import TextTable

__all__ = ["UNENDED", "Truncated", "cut_places"]

TAIL = 12  # characters
LEAST = 5  # cut answers that make a pile
PILE = 8.0  # times the lengths around it
EXCESS = 0.25  # of open ends among the longest, above the others
EXCERPT = 160
# an end of a sentence, a closing bracket or quote, an end of code or of a table, a sign beyond letters (an emoji)
ENDED = r"[^\pL\pN\s,;:(\[{\-–—/&+=]\s*$"


def _unended(text: pa.Array) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    tail = pc.utf8_slice_codeunits(pc.utf8_rtrim_whitespace(text), -TAIL)
    ended = np.asarray(pc.match_substring_regex(tail, ENDED).to_numpy(zero_copy_only=False), bool)
    visible = np.asarray(pc.greater(pc.binary_length(tail), 0).to_numpy(zero_copy_only=False), bool)
    return ~ended & visible


UNENDED = TextCheck("unended", _unended, "responses")


@dataclass(frozen=True)
class Truncated:
    """Answers that end in mid-sentence at a length cap.

    An answer counts where its sampler says that it was cut; where its length in characters is one at which lengths
    pile up (8 times their neighbours, most of them open-ended); or where it is one of the longest, ends openly, and
    the longest answers end openly at least 25 points more often than the others (lower end of the interval).
    """

    id: ClassVar[str] = "structure.truncated"
    asks: ClassVar[str] = "were answers cut at a length limit?"

    def run(self, case: Case) -> Sequence[Result]:
        table = case.texts
        if table.is_prompt.all():
            return [Skipped(self.id, "the data holds no answers, only their sources")]
        cut, how = cut_places(table)
        told = _said_cut(case)
        place = table.place(told[:, 0], told[:, 1])
        cut[place[place >= 0]] = True
        rows, counts = np.unique(table.row[cut], return_counts=True)
        return found_rows(
            case,
            self.id,
            rows.astype(np.int64),
            counts.astype(np.float64),
            title="{rows} of {of} rows ({share}) hold an answer that was cut",
            passed="no sign of a length limit",
            effect="A cut answer never shows its end: the model learns to go on, and a judge's verdict on half an"
            " answer says little about the whole.",
            source='"A Long Way to Go: Investigating Length Correlations in RLHF", 2023, arXiv 2310.03716',
            remedy="sample again with a higher limit, or drop the rows",
            fix="drop-truncated",
            details={**how, "said_by_the_sampler": float(len(told)), "open_ended": float(table.seen("unended").sum())},
            examples=_ends(case, rows.astype(np.int64)),
        )


def cut_places(table: TextTable) -> tuple[NDArray[np.bool_], dict[str, float]]:
    """Which texts seem cut [T], and by which sign: the length of a pile, the length from which open ends abound."""
    seen = table.seen("unended")
    answers = np.flatnonzero(~table.is_prompt & (table.chars > 0))
    cut, how = np.zeros(len(table.row), bool), dict[str, float]()
    if len(answers) < 2 * LEAST:
        return cut, how
    chars, opened = table.chars[answers], seen[answers]
    pile = _pile(chars, opened)
    if pile:
        cut[answers[opened & (abs(chars - pile) <= 1)]] = True
        how["cut_at_characters"] = float(pile)
    start = _open_from(chars, opened)
    if start:
        cut[answers[opened & (chars >= start)]] = True
        how["open_ends_from_characters"] = float(start)
    return cut, how


def _pile(chars: NDArray[np.int32], opened: NDArray[np.bool_]) -> int:
    """The length at which answers were cut, 0 where there is none."""
    lengths, counts = np.unique(chars, return_counts=True)
    for at in np.argsort(-counts, kind="stable")[:5].tolist():
        length, count = int(lengths[at]), int(counts[at])
        if count < LEAST or length <= np.median(chars):
            continue
        near = (abs(chars - length) <= max(0.1 * length, 10)) & (abs(chars - length) > 1)
        width = 2 * max(0.1 * length, 10)
        if count >= PILE * max(near.sum() / width, 0.1) and opened[chars == length].mean() >= 0.6:
            return length
    return 0


def _open_from(chars: NDArray[np.int32], opened: NDArray[np.bool_]) -> int:
    """The length from which answers end openly far more often than below, 0 where there is none."""
    best, start = 0.0, 0
    for share in (0.5, 0.3, 0.2, 0.1, 0.05, 0.02):
        edge = float(np.quantile(chars, 1 - share))
        long = chars >= edge
        if long.sum() < 2 * LEAST or (~long).sum() < 2 * LEAST:
            continue
        found = newcombe_difference(opened[long].sum(), long.sum(), opened[~long].sum(), (~long).sum())
        if found.low > EXCESS and found.value > best:
            best, start = found.value, int(np.ceil(edge))
    return start


def _said_cut(case: Case) -> NDArray[np.int64]:
    """(row, response) whose sampler says that it was cut."""
    import pyarrow.compute as pc

    from zermelo.feedback.flat import list_lengths

    found = [np.zeros((0, 2), np.int64)]
    for positions, batch in case.feedback.source.batches(("responses.finish",), case.feedback.rows):
        column = batch.column("responses")
        lengths = list_lengths(column)
        finish = pc.struct_field(column.flatten(), "finish")
        if finish.null_count == len(finish):
            continue
        is_cut = np.asarray(pc.fill_null(pc.equal(finish, "cut"), False).to_numpy(zero_copy_only=False), bool)
        index = np.arange(len(finish)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found.append(np.stack([np.repeat(positions, lengths)[is_cut], index[is_cut]], axis=1).astype(np.int64))
    return np.concatenate(found)


def _ends(case: Case, rows: NDArray[np.int64]) -> list[Example]:
    found = case.feedback.at(rows[:SHOWN].tolist()) if len(rows) else {}
    made = []
    for row in rows[:SHOWN].tolist():
        longest = max((answer.content for answer in found[row].responses), key=len)
        made.append(Example(row, "… " + longest[-EXCERPT:], f"{len(longest):,} characters"))
    return made
