"""Conversations: from rows to `Message`, transcripts with role marks, and the prompt that two sides share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zermelo.feedback.records import CHAT_ROLES, Message, Prompt, Response

if TYPE_CHECKING:
    from zermelo.feedback.protocol import Row

__all__ = [
    "as_messages",
    "as_prompt",
    "as_side",
    "chat",
    "one_turn",
    "parse_transcript",
    "side_of",
    "split_at_reply",
    "split_sides",
    "spoken",
    "transcript",
]

SHAREGPT_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_call": "assistant",
}
HH_MARK = re.compile(r"\n\n(Human|Assistant|System):")
HH_ROLES = {"Human": "user", "Assistant": "assistant", "System": "system"}
HH_NAMES = {role: name for name, role in HH_ROLES.items()}


def as_messages(found: Any, name: str, row: Row) -> tuple[Message, ...]:
    """A list of `{role, content}` (or `{from, value}`) as messages; unknown roles are bad."""
    if not isinstance(found, list):
        raise row.bad("wrong-type", f"{name}: {type(found).__name__}; expected a list of messages")
    if not found:
        raise row.bad("missing-field", f"{name}: no messages; expected at least one")
    return tuple(_message(item, f"{name}[{index}]", row) for index, item in enumerate(found))


def _message(item: Any, name: str, row: Row) -> Message:
    if not isinstance(item, Mapping):
        raise row.bad("wrong-type", f"{name}: {type(item).__name__}; expected an object with role and content")
    role: Any
    if "role" not in item and "from" in item:
        role = SHAREGPT_ROLES.get(str(item["from"]), str(item["from"]))
        content, used = item.get("value"), ("from", "value")
    else:
        role, content, used = item.get("role"), item.get("content"), ("role", "content")
    if role is None:
        raise row.bad("missing-field", f"{name}.role: missing; a message has role and content")
    if role not in CHAT_ROLES:
        raise row.bad("unknown-role", f"{name}.role: {str(role)[:40]!r}; expected one of {', '.join(CHAT_ROLES)}")
    extra = {key: value for key, value in item.items() if key not in used and value is not None}
    if isinstance(content, list):  # parts: the text is read, the parts are kept for writers
        extra["content"] = content
        parts = [part if isinstance(part, str) else part.get("text") for part in content if part is not None]
        content = "".join(part for part in parts if isinstance(part, str))
    elif content is None and any(extra.get(key) for key in ("tool_calls", "function_call")):
        extra["content"] = None
        content = ""
    if content is None:
        raise row.bad("missing-field", f"{name}.content: missing; a message has role and content")
    if not isinstance(content, str):
        raise row.bad("wrong-type", f"{name}.content: {type(content).__name__}; expected text")
    return Message(str(role), content, extra or None)


def as_prompt(found: Any, name: str, row: Row) -> Prompt:
    """Text or a list of messages as a prompt."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return as_messages(found, name, row)
    raise row.bad("wrong-type", f"{name}: {type(found).__name__}; expected text or a list of messages")


def as_side(found: Any, name: str, row: Row, **known: Any) -> Response:
    """Text or a list of messages as a response."""
    if isinstance(found, str):
        return Response(text=found, **known)
    if isinstance(found, Mapping) and "content" in found:  # one message without its list
        found = [found]
    if isinstance(found, list):
        return side_of(as_messages(found, name, row), **known)
    raise row.bad("wrong-type", f"{name}: {type(found).__name__}; expected text or a list of messages")


def side_of(turns: Sequence[Message], **known: Any) -> Response:
    """The turns after a prompt as a response: plain text where it is one assistant turn with nothing else."""
    if len(turns) == 1 and turns[0].role == "assistant" and not turns[0].extra:
        return Response(text=turns[0].content, **known)
    return Response(messages=tuple(turns), **known)


def chat(prompt: Prompt | None, response: Response | None = None) -> list[dict[str, Any]]:
    """A prompt, and a response if given, as a list of `{role, content, …}`."""
    turns: list[dict[str, Any]] = []
    if isinstance(prompt, str):
        turns.append({"role": "user", "content": prompt})
    elif prompt is not None:
        turns.extend(message.as_dict() for message in prompt)
    if response is not None:
        turns.extend(
            [{"role": "assistant", "content": response.text or ""}]
            if response.messages is None
            else [message.as_dict() for message in response.messages]
        )
    return turns


def one_turn(prompt: Prompt | None) -> str | None:
    """The text of a prompt that is text or one bare user message, else None."""
    if prompt is None or isinstance(prompt, str):
        return prompt
    if len(prompt) == 1 and prompt[0].role == "user" and not prompt[0].extra:
        return prompt[0].content
    return None


def split_at_reply(turns: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """A conversation cut before its last assistant turn: (prompt, reply); no reply where it ends otherwise."""
    if turns and turns[-1].role == "assistant":
        return tuple(turns[:-1]), (turns[-1],)
    return tuple(turns), ()


def split_sides(
    first: Sequence[Message], second: Sequence[Message]
) -> tuple[tuple[Message, ...], tuple[Message, ...], tuple[Message, ...], bool]:
    """Two whole conversations as (prompt, side, side, differ).

    The prompt is the longest common leading run of turns that leaves each side at least its last turn; `differ` is
    true where that leaves a side more than one, so that the two were not answers to one prompt.
    """
    limit = min(len(first), len(second)) - 1
    common = 0
    while common < limit and first[common] == second[common]:
        common += 1
    differ = len(first) > common + 1 or len(second) > common + 1
    return tuple(first[:common]), tuple(first[common:]), tuple(second[common:]), differ


def parse_transcript(text: str, name: str, row: Row) -> tuple[Message, ...]:
    r"""A transcript marked `\n\nHuman: … \n\nAssistant: …` as messages without the marks."""
    pieces = HH_MARK.split(text if text.startswith("\n\n") else "\n\n" + text.lstrip("\n"))
    if pieces[0].strip() or len(pieces) < 3:
        raise row.bad("bad-transcript", f"{name}: does not begin with a turn; expected '\\n\\nHuman: …'")
    return tuple(
        Message(HH_ROLES[role], content.removeprefix(" "))
        for role, content in zip(pieces[1::2], pieces[2::2], strict=True)
    )


def spoken(turn: Mapping[str, Any]) -> str:
    """The text of a turn as `chat` gives it; of parts, their texts."""
    content = turn["content"]
    if isinstance(content, list):
        return "".join(part if isinstance(part, str) else part.get("text") or "" for part in content)
    return content or ""


def transcript(turns: Sequence[Mapping[str, Any]]) -> str:
    """Messages as a transcript with role marks."""
    return "".join(
        f"\n\n{HH_NAMES.get(str(turn['role']), str(turn['role']).capitalize())}: {spoken(turn)}" for turn in turns
    )
