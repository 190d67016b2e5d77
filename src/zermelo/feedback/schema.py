"""The native file: one Arrow row per group, versioned; records to Arrow and back.

Text prompts stand in `prompt`, conversations in `prompt_messages` (one of the two is null); likewise `text` and
`messages` of a response. Free-form mappings (`meta`, `sampling`, a message's `extra`) are JSON strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from zermelo.feedback.records import Group, Judgement, Message, Prompt, Response, Span

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "groups_from_arrow",
    "groups_to_arrow",
    "is_native",
    "judgements_to_arrow",
    "prompts_from_arrow",
]

SCHEMA_VERSION = 1

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("extra", pa.string())]))
RESPONSE = pa.struct(
    [
        ("text", pa.string()),
        ("messages", MESSAGES),
        ("source", pa.string()),
        ("role", pa.string()),
        ("prompt", pa.string()),
        ("prompt_messages", MESSAGES),
        ("steps", pa.list_(pa.string())),
        ("answer", pa.string()),
        ("meta", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("prompt_ids", pa.list_(pa.int32())),
        ("finish", pa.string()),
        ("sampling", pa.string()),
        ("policy_version", pa.string()),
    ]
)
SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string()), ("value", pa.float64())])
JUDGEMENT = pa.struct(
    [
        ("kind", pa.string()),
        ("on", pa.list_(pa.int32())),
        ("by", pa.string()),
        ("value", pa.float64()),
        ("values", pa.list_(pa.float64())),
        ("text", pa.string()),
        ("outcome", pa.string()),
        ("criterion", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("strength", pa.float64()),
        ("shown", pa.list_(pa.int32())),
        ("at", pa.float64()),
        ("note", pa.string()),
        ("spans", pa.list_(SPAN)),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        ("prompt", pa.string()),
        ("prompt_messages", MESSAGES),
        ("responses", pa.list_(RESPONSE)),
        ("judgements", pa.list_(JUDGEMENT)),
        ("origin", pa.string()),
        ("user", pa.string()),
        ("session", pa.string()),
        ("meta", pa.string()),
    ],
    metadata={b"zermelo.schema": str(SCHEMA_VERSION).encode()},
)


def is_native(schema: pa.Schema) -> bool:
    """True for an Arrow schema written by Zermelo (any version)."""
    return b"zermelo.schema" in (schema.metadata or {})


def groups_to_arrow(groups: Iterable[Group]) -> pa.Table:
    """Groups as one Arrow table in the native schema."""
    return pa.Table.from_pylist([group_to_row(group) for group in groups], schema=SCHEMA)


def judgements_to_arrow(judgements: Iterable[Judgement]) -> pa.Array:
    """Judgements as one struct array of the native schema."""
    return pa.array([_judgement_to_row(item) for item in judgements], JUDGEMENT)


def groups_from_arrow(data: pa.Table | pa.RecordBatch) -> Iterator[Group]:
    """Groups of a table or record batch in the native schema, in order."""
    batches = data.to_batches() if isinstance(data, pa.Table) else [data]
    for batch in batches:
        for row in batch.to_pylist():
            yield group_from_row(row)


def prompts_from_arrow(batch: pa.RecordBatch) -> list[Prompt | None]:
    """The prompts of a batch that has the columns `prompt` and `prompt_messages`."""
    texts = batch.column("prompt").to_pylist()
    messages = batch.column("prompt_messages")
    if messages.null_count == len(messages):
        return texts
    return [_join_prompt(text, turns) for text, turns in zip(texts, messages.to_pylist(), strict=True)]


def group_to_row(group: Group) -> dict[str, Any]:
    """One group as a row of the native schema."""
    text, messages = _split_prompt(group.prompt)
    return {
        "id": group.id,
        "prompt": text,
        "prompt_messages": messages,
        "responses": [_response_to_row(response) for response in group.responses],
        "judgements": [_judgement_to_row(judgement) for judgement in group.judgements],
        "origin": group.origin,
        "user": group.user,
        "session": group.session,
        "meta": _dump(group.meta),
    }


def group_from_row(row: Mapping[str, Any]) -> Group:
    """One group from a row of the native schema; columns that an older schema lacked take their defaults."""
    return Group(
        id=row["id"],
        prompt=_join_prompt(row.get("prompt"), row.get("prompt_messages")),
        responses=tuple(_response_from_row(item) for item in row.get("responses") or ()),
        judgements=tuple(_judgement_from_row(item) for item in row.get("judgements") or ()),
        origin=row.get("origin") or "offline",
        user=row.get("user"),
        session=row.get("session"),
        meta=_load(row.get("meta")) or {},
    )


def _split_prompt(prompt: Prompt | None) -> tuple[str | None, list[dict[str, Any]] | None]:
    if prompt is None or isinstance(prompt, str):
        return prompt, None
    return None, _messages_to_rows(prompt)


def _join_prompt(text: str | None, messages: Sequence[Mapping[str, Any]] | None) -> Prompt | None:
    return text if messages is None else _messages_from_rows(messages)


def _messages_to_rows(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"role": item.role, "content": item.content, "extra": _dump(item.extra)} for item in messages]


def _messages_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    return tuple(Message(row["role"], row["content"], _load(row.get("extra"))) for row in rows)


def _response_to_row(response: Response) -> dict[str, Any]:
    prompt, prompt_messages = _split_prompt(response.prompt)
    return {
        "text": response.text,
        "messages": None if response.messages is None else _messages_to_rows(response.messages),
        "source": response.source,
        "role": response.role,
        "prompt": prompt,
        "prompt_messages": prompt_messages,
        "steps": response.steps,
        "answer": response.answer,
        "meta": _dump(response.meta),
        "token_ids": response.token_ids,
        "logprobs": response.logprobs,
        "prompt_ids": response.prompt_ids,
        "finish": response.finish,
        "sampling": _dump(response.sampling),
        "policy_version": response.policy_version,
    }


def _response_from_row(row: Mapping[str, Any]) -> Response:
    return Response(
        text=row.get("text"),
        messages=None if row.get("messages") is None else _messages_from_rows(row["messages"]),
        source=row.get("source"),
        role=row.get("role") or "answer",
        prompt=_join_prompt(row.get("prompt"), row.get("prompt_messages")),
        steps=_tuple(row.get("steps")),
        answer=row.get("answer"),
        meta=_load(row.get("meta")) or {},
        token_ids=_tuple(row.get("token_ids")),
        logprobs=_tuple(row.get("logprobs")),
        prompt_ids=_tuple(row.get("prompt_ids")),
        finish=row.get("finish"),
        sampling=_load(row.get("sampling")),
        policy_version=row.get("policy_version"),
    )


def _judgement_to_row(judgement: Judgement) -> dict[str, Any]:
    row = {name: getattr(judgement, name) for name in Judgement.__dataclass_fields__}
    if judgement.spans is not None:
        row["spans"] = [{name: getattr(span, name) for name in Span.__dataclass_fields__} for span in judgement.spans]
    return row


def _judgement_from_row(row: Mapping[str, Any]) -> Judgement:
    known = {name: row[name] for name in Judgement.__dataclass_fields__ if name in row}
    for name in ("values", "shown"):
        known[name] = _tuple(known.get(name))
    known["on"] = tuple(known.get("on") or ())
    spans = known.get("spans")
    known["spans"] = None if spans is None else tuple(Span(**span) for span in spans)
    return Judgement(**known)


def _tuple(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _dump(value: Mapping[str, Any] | None) -> str | None:
    return None if not value else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _load(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)
