"""OpenAI-style chats (`messages`), ShareGPT (`conversations`), and OpenAI's preference fine-tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.trl import CHOSEN
from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import chat, side_of, split_at_reply
from zermelo.feedback.preferences import Derive, decided, kinds_of
from zermelo.feedback.protocol import Row, Sample, explicit_id, jsonable
from zermelo.feedback.records import Group, Message

__all__ = ["Chat", "OpenAIPreference"]

INPUT_REST = ("tools", "parallel_tool_calls", "chat_template_kwargs")


@dataclass(frozen=True)
class Chat:
    """`messages` with optional `tools`, `system`, `chat_template_kwargs`: the last assistant turn is the response.

    A conversation that ends otherwise is a prompt without a response. ShareGPT's `conversations` with `from` and
    `value` are read too.
    """

    name: ClassVar[str] = "chat"
    title: ClassVar[str] = "chat messages"
    shape: ClassVar[str] = "a chat row has messages, each with role and content"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        turns = sample.first("messages") or sample.first("conversations")
        listed = isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns)
        return 0.75 if listed and "chosen" not in sample.fields else 0.0

    def read(self, row: Row) -> Group:
        name = "conversations" if "messages" not in row.fields and "conversations" in row.fields else "messages"
        turns = row.messages(name)
        system = row.optional_text("system")
        if system:
            turns = (Message("system", system), *turns)
        prompt, reply = split_at_reply(turns)
        meta = row.rest("id", name, "system")
        return Group(row.identity("id"), prompt, (side_of(reply),) if reply else (), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        single = len(group.responses) <= 1
        name = explicit_id(group) if single else None
        for response in group.responses or (None,):
            fields = {"messages": chat(group.prompt, response)}
            yield {**({} if name is None else {"id": name}), **fields, **other_columns(group, "messages", "id")}
        count_lost(group, lost, turns=True, kinds=(), identity=single)


@dataclass(frozen=True)
class OpenAIPreference:
    """`input` (with `messages`, `tools`), `preferred_output`, `non_preferred_output`."""

    name: ClassVar[str] = "openai-preference"
    title: ClassVar[str] = "OpenAI preference fine-tuning"
    shape: ClassVar[str] = "a row has input.messages, preferred_output and non_preferred_output"
    per_response: ClassVar[bool] = False
    derive: Derive = "stated"

    def matches(self, sample: Sample) -> float:
        return 0.9 if sample.has("input", "preferred_output", "non_preferred_output") else 0.0

    def read(self, row: Row) -> Group:
        inside = row.mapping("input")
        nested = Row(inside, row.file, row.number, row.label, row.shape)
        prompt = nested.messages("messages")
        sides = (row.side("preferred_output"), row.side("non_preferred_output"))
        meta = row.rest("id", "input", "preferred_output", "non_preferred_output")
        meta |= {key: jsonable(value) for key, value in inside.items() if key != "messages" and value is not None}
        return Group(row.identity("id"), prompt, sides, (CHOSEN,), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        pairs = decided(group, derive=self.derive, lost=lost)
        name = explicit_id(group) if len(pairs) == 1 else None
        inside = {key: group.meta[key] for key in INPUT_REST if key in group.meta}
        for pair in pairs:
            yield {
                **({} if name is None else {"id": name}),
                "input": {"messages": chat(group.prompt), **inside},
                "preferred_output": chat(None, group.responses[pair.win]),
                "non_preferred_output": chat(None, group.responses[pair.lose]),
                **other_columns(group, "input", *INPUT_REST, "id"),
            }
        used = {item for pair in pairs for item in (pair.win, pair.lose)}
        count_lost(group, lost, turns=True, kinds=kinds_of(self.derive), written=used, identity=len(pairs) <= 1)
