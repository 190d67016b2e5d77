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

from collections.abc import Iterable
from dataclasses import replace

from zermelo.feedback.records import Group, Judgement, Prompt, Response

__all__ = ["content_digest", "mark", "suspicions"]


def suspicions(group: Group) -> tuple[str, ...]:
    """Why a group is suspicious, in order of the table; empty for a sound one."""
    found = []
    if any(response.empty for response in group.responses):
        found.append("empty-response")
    for judgement in group.judgements:
        if judgement.kind == "comparison":
            first, second = group.responses[judgement.on[0]], group.responses[judgement.on[1]]
            if first.text is None and first.messages is None:
                same = second.text is None and second.messages is None and first.source is not None
                kind = "self-comparison" if same and first.source == second.source else None
            elif first.text is not None and first.text != second.text and second.messages is None:
                kind = None
            else:
                kind = "identical-responses" if _same(first, second) else None
            if kind is not None and kind not in found:
                found.append(kind)
    marked = group.meta.get("suspicious")
    if marked:
        found += [kind for kind in ("differing-prompts", "duplicate-row") if kind in marked]
    return tuple(found)


def mark(group: Group, kinds: Iterable[str]) -> Group:
    """The group with kinds added to `meta["suspicious"]`."""
    known = list(dict.fromkeys([*(group.meta.get("suspicious") or ()), *kinds]))
    return replace(group, meta={**group.meta, "suspicious": known}) if known else group


def content_digest(group: Group) -> int | None:
    """64 bits of what a row says, whatever its id; None for groups without text, which repeat by nature.

    Good within one process only: it is Python's own hash, several times faster than a cryptographic one.
    """
    if not any(response.text is not None or response.messages is not None for response in group.responses):
        return None
    responses = tuple(
        [(item.text, item.source, _turns(item.messages), _turns(item.prompt)) for item in group.responses]
    )
    return hash((_turns(group.prompt), responses, tuple([_said(item) for item in group.judgements])))


def _turns(turns: Prompt | None) -> object:
    if turns is None or isinstance(turns, str):
        return turns
    return tuple([(turn.role, turn.content, repr(turn.extra)) for turn in turns])


def _said(item: Judgement) -> tuple[object, ...]:
    values = None if item.values is None else repr(item.values)  # repr: NaN equals itself
    return (item.kind, item.on, item.by, item.criterion, item.value, values, item.text, item.note, item.at)


def _same(first: Response, second: Response) -> bool:
    known = second.text is not None or second.messages is not None
    same = known and first.content == second.content and not first.empty
    return same and _turns(first.prompt) == _turns(second.prompt)
