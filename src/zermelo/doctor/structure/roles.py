"""Conversations whose roles do not take turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Result, Skipped
from zermelo.doctor.structure.flagged import SHOWN, found_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["DifferingPrompts", "Roles"]

KINDS = ("a user twice running", "an assistant twice running", "a late system message", "begins with the assistant")
KNOWN = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True)
class Roles:
    """Prompts in messages in which the same side speaks twice running, a system message comes late, or the assistant
    begins. Assistant turns around tool calls may follow each other.
    """

    id: ClassVar[str] = "structure.roles"
    asks: ClassVar[str] = "do user and assistant take turns?"

    def run(self, case: Case) -> Sequence[Result]:
        rows: list[NDArray[np.int64]] = []
        kinds: list[NDArray[np.int64]] = []
        talks = 0
        for positions, turns in _conversations(case):
            talks += len(turns) - turns.null_count
            where, what = _wrong(turns)
            rows.append(positions[where])
            kinds.append(what)
        if not talks:
            return [Skipped(self.id, "no row has a conversation; prompts are plain text")]
        every, what = np.concatenate(rows), np.concatenate(kinds)
        wrong, counts = np.unique(every, return_counts=True)
        first = {row: KINDS[kind] for row, kind in zip(every.tolist()[::-1], what.tolist()[::-1], strict=True)}
        found = case.feedback.at(wrong[:SHOWN].tolist()) if len(wrong) else {}
        return found_rows(
            case,
            self.id,
            wrong.astype(np.int64),
            counts.astype(np.float64),
            title="{rows} of {of} conversations ({share}) do not take turns",
            passed="user and assistant take turns in every conversation",
            effect="Chat templates refuse such conversations or print turns that the model has never seen; roles that"
            " are swapped train it to speak as the user.",
            remedy="join turns of one side, put the system message first, drop what is mixed up",
            fix="drop-flagged:structure.roles",
            details={name: float((what == kind).sum()) for kind, name in enumerate(KINDS)},
            of=talks,
            examples=[
                Example(
                    row, " · ".join(turn.role for turn in found[row].prompt or () if not isinstance(turn, str)), note
                )
                for row, note in ((row, first[row]) for row in wrong[:SHOWN].tolist())
            ],
        )


@dataclass(frozen=True)
class DifferingPrompts:
    """Rows whose two sides do not share the prompt: found by the reader of transcripts, and left out of training."""

    id: ClassVar[str] = "structure.differing_prompts"
    asks: ClassVar[str] = "do both sides answer the same prompt?"

    def run(self, case: Case) -> Sequence[Result]:
        import pyarrow.compute as pc

        found = [np.zeros(0, np.int64)]
        for positions, batch in case.feedback.source.batches(("meta",), case.feedback.rows):
            marked = pc.match_substring(batch.column("meta").cast("string"), '"differing-prompts"')
            found.append(positions[pc.fill_null(marked, False).to_numpy(zero_copy_only=False).astype(bool)])
        rows = np.concatenate(found)
        return found_rows(
            case,
            self.id,
            rows,
            np.ones(len(rows)),
            title="{rows} of {of} rows ({share}) have sides that differ before the last reply",
            passed="both sides of every row answer the same prompt",
            effect="The label compares answers to two questions; a judge of the last reply alone sees half of why.",
            remedy="drop the rows (training does), or treat the differing turns as part of the answers",
            fix="drop-flagged:structure.differing_prompts",
        )


def _conversations(case: Case) -> Iterator[tuple[NDArray[np.int64], pa.Array]]:
    """Positions and lists of messages, of batches that have any."""
    for positions, batch in case.feedback.source.batches(("prompt_messages",), case.feedback.rows):
        turns = batch.column("prompt_messages")
        if turns.null_count < len(turns):
            yield positions, turns


def _wrong(turns: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place of the conversation and kind of the fault, for each fault."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from zermelo.feedback.flat import list_lengths

    lengths = list_lengths(turns)
    inner = turns.flatten()
    role = pc.index_in(pc.struct_field(inner, "role"), value_set=pa.array(KNOWN)).to_numpy(zero_copy_only=False)
    extra = pc.struct_field(inner, "extra")
    calls = pc.fill_null(pc.match_substring(extra.cast("string"), "tool_calls"), False)
    calls = calls.to_numpy(zero_copy_only=False).astype(bool)
    of = np.repeat(np.arange(len(lengths)), lengths)
    begins = np.append(True, of[1:] != of[:-1]) if len(of) else np.zeros(0, bool)
    before = np.append(-1, role[:-1])
    before_calls = np.append(False, calls[:-1])
    leading = role <= 1  # system or developer
    head = np.maximum.accumulate(np.where(begins, np.arange(len(of)), 0)) if len(of) else of
    talked = np.cumsum(~leading) - np.where(len(of), (np.cumsum(~leading) - ~leading)[head], 0) > 0
    first_talk = ~leading & talked & (np.append(True, ~talked[:-1]) | begins)
    faults = [
        ~begins & (role == 2) & (before == 2),
        ~begins & (role == 3) & (before == 3) & ~before_calls,
        ~begins & leading & talked,
        first_talk & (role == 3),
    ]
    places = [of[fault] for fault in faults]
    kinds = [np.full(len(place), kind) for kind, place in enumerate(places)]
    return np.concatenate(places).astype(np.int64), np.concatenate(kinds).astype(np.int64)
