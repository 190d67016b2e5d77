"""Suspicious rows: read, counted, reported; training leaves them out.

| kind | meaning |
|---|---|
| empty-response | an answer without a visible character |
| identical-responses | a comparison between two answers with the same text |
| self-comparison | a bare battle of a model against itself |
| differing-prompts | the two sides of a transcript do not share the prompt |
| duplicate-row | the same prompt, answers and judgements as an earlier row |

The last two cannot be seen on the group alone; readers write them into `meta["suspicious"]`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from zermelo.feedback.records import Group, Judgement, Message, Prompt, Response

__all__ = ["content_digest", "mark", "suspicions"]


def suspicions(group: Group) -> tuple[str, ...]:
    """Why a group is suspicious, in order of the table; empty for a sound one."""
    marked = group.meta.get("suspicious") or ()
    found = []
    if any(response.empty for response in group.responses):
        found.append("empty-response")
    compared = [judgement.on for judgement in group.judgements if judgement.kind == "comparison"]
    if any(_same(group, on) for on in compared):
        found.append("identical-responses")
    if any(_bare_self(group, on) for on in compared):
        found.append("self-comparison")
    return (*found, *(kind for kind in ("differing-prompts", "duplicate-row") if kind in marked))


def mark(group: Group, kinds: Iterable[str]) -> Group:
    """The group with kinds added to `meta["suspicious"]`."""
    known = list(dict.fromkeys([*(group.meta.get("suspicious") or ()), *kinds]))
    return replace(group, meta={**group.meta, "suspicious": known}) if known else group


def content_digest(group: Group) -> int | None:
    """64 bits of what a row says, whatever its id; None for groups without text, which repeat by nature."""
    if not any(response.text is not None or response.messages is not None for response in group.responses):
        return None
    parts: list[str] = _prompt_parts(group.prompt)
    for response in group.responses:
        parts += ["\x1er", response.source or "", *_response_parts(response)]
    for judgement in group.judgements:
        parts += ["\x1ej", *_judgement_parts(judgement)]
    data = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _prompt_parts(prompt: Prompt | None) -> list[str]:
    if prompt is None or isinstance(prompt, str):
        return [prompt or ""]
    return [part for message in prompt for part in _message_parts(message)]


def _message_parts(message: Message) -> tuple[str, ...]:
    extra = () if message.extra is None else (repr(message.extra),)
    return (message.role, message.content, *extra)


def _response_parts(response: Response) -> list[str]:
    own = [] if response.prompt is None else _prompt_parts(response.prompt)
    if response.messages is None:
        return [*own, response.text or ""]
    return own + [part for message in response.messages for part in _message_parts(message)]


def _judgement_parts(judgement: Judgement) -> list[str]:
    said = (judgement.kind, judgement.on, judgement.by, judgement.criterion, judgement.value, judgement.values)
    return [repr(said), judgement.text or "", judgement.note or ""]


def _same(group: Group, on: tuple[int, ...]) -> bool:
    first, second = (group.responses[item] for item in on)
    known = all(side.text is not None or side.messages is not None for side in (first, second))
    return known and first.prompt == second.prompt and first.content == second.content and not first.empty


def _bare_self(group: Group, on: tuple[int, ...]) -> bool:
    first, second = (group.responses[item] for item in on)
    bare = first.text is None and first.messages is None and second.text is None and second.messages is None
    return bare and first.source is not None and first.source == second.source
