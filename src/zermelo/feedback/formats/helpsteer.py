"""HelpSteer and HelpSteer2: a row is one response with five attributes on 0 to 4."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import chat, one_turn, spoken
from zermelo.feedback.protocol import Row, Sample
from zermelo.feedback.records import Group, Judgement, Message, Prompt

__all__ = ["HelpSteer2"]

ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
SCALE: dict[str, Any] = {"low": 0.0, "high": 4.0}
TURN = re.compile(r"\n?<extra_id_1>(User|Assistant)\n")
NAMES = {"user": "User", "assistant": "Assistant"}


@dataclass(frozen=True)
class HelpSteer2:
    """`prompt`, `response` and attributes 0 to 4; adjacent rows with equal prompts form a group.

    Earlier turns inside `prompt` are marked `<extra_id_1>User` and `<extra_id_1>Assistant`; they become messages.
    """

    name: ClassVar[str] = "helpsteer2"
    title: ClassVar[str] = "HelpSteer2"
    shape: ClassVar[str] = "a HelpSteer row has prompt, response and attributes from 0 to 4"
    per_response: ClassVar[bool] = True

    def matches(self, sample: Sample) -> float:
        return 0.95 if sample.has("prompt", "response", "helpfulness", "correctness") else 0.0

    def read(self, row: Row) -> Group:
        judgements = []
        for name in ATTRIBUTES:
            if name not in row.fields:
                continue
            value = row.rating(name, row.fields[name], **SCALE)
            if value is not None:
                judgements.append(Judgement("rating", on=(0,), value=value, criterion=name, **SCALE))
        meta = row.rest("id", "prompt", "response", *ATTRIBUTES)
        prompt = _turns(row.text("prompt"))
        return Group(row.identity("id"), prompt, (row.side("response"),), tuple(judgements), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        for index, response in enumerate(group.responses):
            said = {
                item.criterion: item.value
                for item in group.judgements
                if item.kind == "rating" and item.on == (index,) and item.criterion in ATTRIBUTES
            }
            scores = {
                str(name): int(value) if value == int(value) else value
                for name, value in said.items()
                if value is not None
            }
            fields = {"prompt": _text(group.prompt), "response": response.content, **scores}
            yield {**fields, **other_columns(group, *fields, "id")}
        strange = sum(item.kind == "rating" and item.criterion not in ATTRIBUTES for item in group.judgements)
        lost["ratings on other criteria"] += strange
        count_lost(group, lost, kinds=("rating",), identity=False)


def _turns(text: str) -> Prompt:
    pieces = TURN.split(text)
    if len(pieces) == 1:
        return text
    roles = ["user", *(name.lower() for name in pieces[1::2])]
    contents = [pieces[0], *pieces[2::2]]
    return tuple(
        Message(role, content) for role, content in zip(roles, contents, strict=True) if content or role != "user"
    )


def _text(prompt: Prompt | None) -> str:
    text = one_turn(prompt)
    if text is not None or prompt is None:
        return text or ""
    turns = chat(prompt)
    marks = ["" if index == 0 else f"\n<extra_id_1>{NAMES.get(t['role'], 'User')}\n" for index, t in enumerate(turns)]
    return "".join(mark + spoken(turn) for mark, turn in zip(marks, turns, strict=True))
