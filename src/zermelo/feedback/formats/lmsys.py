"""LMSYS-Chat-1M and WildChat: conversations of people with one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import chat, side_of, split_at_reply
from zermelo.feedback.protocol import Row, Sample, explicit_id
from zermelo.feedback.records import Group

__all__ = ["LMSYS"]


@dataclass(frozen=True)
class LMSYS:
    """`conversation_id`, `model`, `conversation`: the last assistant turn is the response, `model` its source."""

    name: ClassVar[str] = "lmsys"
    title: ClassVar[str] = "LMSYS conversations"
    shape: ClassVar[str] = "a row has model and conversation, a list of role and content"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        turns = sample.first("conversation")
        return 0.9 if isinstance(turns, list) and sample.has("model") else 0.0

    def read(self, row: Row) -> Group:
        prompt, reply = split_at_reply(row.messages("conversation"))
        responses = (side_of(reply, source=row.optional_text("model")),) if reply else ()
        used = ["conversation_id", "conversation", *(["model"] if reply else [])]
        return Group(row.identity("conversation_id"), prompt, responses, meta=row.rest(*used))

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        single = len(group.responses) <= 1
        name = explicit_id(group) if single else None
        for response in group.responses or (None,):
            model = group.meta.get("model") if response is None else response.source
            fields = {"model": model, "conversation": chat(group.prompt, response)}
            head = {} if name is None else {"conversation_id": name}
            yield {**head, **fields, **other_columns(group, *fields, "conversation_id")}
        count_lost(group, lost, turns=True, kinds=(), sources=True, identity=single)
