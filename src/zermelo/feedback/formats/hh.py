r"""HH-RLHF transcripts: `chosen` and `rejected` are whole dialogues marked `\n\nHuman:` and `\n\nAssistant:`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.trl import CHOSEN
from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import HH_MARK, chat, parse_transcript, side_of, split_sides, transcript
from zermelo.feedback.preferences import Derive, decided, kinds_of
from zermelo.feedback.protocol import Row, Sample
from zermelo.feedback.records import Group

__all__ = ["HH"]


@dataclass(frozen=True)
class HH:
    """Two transcripts; the prompt is the longest common leading run of turns that leaves each side its last reply.

    Where that leaves a side more than one turn, the two did not answer one prompt: the row is suspicious.
    """

    name: ClassVar[str] = "hh"
    title: ClassVar[str] = "HH-RLHF transcripts"
    shape: ClassVar[str] = "a transcript row has chosen and rejected"
    per_response: ClassVar[bool] = False
    derive: Derive = "stated"

    def matches(self, sample: Sample) -> float:
        chosen, rejected = sample.first("chosen"), sample.first("rejected")
        marked = [isinstance(side, str) and HH_MARK.match("\n\n" + side.lstrip("\n")) for side in (chosen, rejected)]
        return 0.9 if all(marked) and not sample.has("prompt") else 0.0

    def read(self, row: Row) -> Group:
        turns = [parse_transcript(row.text(name), name, row) for name in ("chosen", "rejected")]
        for name, side in zip(("chosen", "rejected"), turns, strict=True):
            if side[-1].role != "assistant":
                raise row.bad("missing-field", f"{name}: ends in a Human turn; expected an Assistant reply")
        prompt, first, second, differ = split_sides(*turns)
        if differ:
            row.suspicious.append("differing-prompts")
        sides = (side_of(first), side_of(second))
        return Group(row.identity("id"), prompt, sides, (CHOSEN,), meta=row.rest("id", "chosen", "rejected"))

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        pairs = decided(group, derive=self.derive, lost=lost)
        for pair in pairs:
            chosen, rejected = (chat(group.prompt, group.responses[item]) for item in (pair.win, pair.lose))
            lost["tool calls and other parts of messages"] += any(len(turn) > 2 for turn in (*chosen, *rejected))
            fields = {"chosen": transcript(chosen), "rejected": transcript(rejected)}
            yield {**fields, **other_columns(group, *fields, "id")}
        used = {item for pair in pairs for item in (pair.win, pair.lose)}
        count_lost(group, lost, turns=True, kinds=kinds_of(self.derive), written=used, identity=False)
