"""Two collections as one: groups with one prompt, or one id, become one group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Response

if TYPE_CHECKING:
    from zermelo.feedback.dataset import Feedback

__all__ = ["merge_groups", "merged"]


def merged(first: Feedback, second: Feedback, *, by: Literal["key", "id"] = "key") -> Iterator[Group]:
    """The groups of both, each standing where its prompt (or id) first appears; streaming.

    Only groups that have a partner are held in memory. Groups without a prompt have no partner by key.

    Args:
        first: Its groups come first and give id, meta, user and session.
        second: The other.
        by: What makes two groups one.
    """
    if by not in ("key", "id"):
        raise SettingError("bad-setting", f"merge: by must be 'key' or 'id'. Got {by!r}")
    names = [*(first.keys() if by == "key" else first.ids()), *(second.keys() if by == "key" else second.ids())]
    count: dict[str, int] = {}
    for name in names:
        count[name] = count.get(name, 0) + 1
    held: dict[str, list[Group]] = {}
    for name, group in zip(names, _both(first, second), strict=True):
        if _partnered(name, group, count, by):
            held.setdefault(name, []).append(group)
    given: set[str] = set()
    for name, group in zip(names, _both(first, second), strict=True):
        if not _partnered(name, group, count, by):
            yield group
        elif name not in given:
            given.add(name)
            yield merge_groups(held.pop(name))


def merge_groups(groups: list[Group]) -> Group:
    """Groups of one prompt as one: responses that are the same stand once, judgements follow them.

    Two responses are the same where text, turns, source, role, prompt and sampled ids agree.
    """
    first = groups[0]
    responses: list[Response] = []
    place: dict[object, int] = {}
    judgements: list[Judgement] = []
    for group in groups:
        own = None if group.key == first.key else group.prompt
        to: dict[int, int] = {}
        mine: set[int] = set()
        for i, found in enumerate(group.responses):
            response = found if own is None or found.prompt is not None else replace(found, prompt=own)
            at = place.get(_identity(response))
            if at is None or at in mine:  # two equal responses of one group are two samples
                at = len(responses)
                place.setdefault(_identity(response), at)
                responses.append(response)
            mine.add(at)
            to[i] = at
        judgements += [_moved(judgement, to) for judgement in group.judgements]
    return replace(first, responses=tuple(responses), judgements=tuple(judgements))


def _both(first: Feedback, second: Feedback) -> Iterator[Group]:
    yield from first
    yield from second


def _partnered(name: str, group: Group, count: dict[str, int], by: str) -> bool:
    return count[name] > 1 and (by == "id" or group.prompt is not None)


def _identity(response: Response) -> tuple[object, ...]:
    turns = None if response.messages is None else tuple((turn.role, turn.content) for turn in response.messages)
    prompt = response.prompt if isinstance(response.prompt, str | None) else repr(response.prompt)
    return response.text, turns, response.source, response.role, prompt, response.token_ids


def _moved(judgement: Judgement, to: dict[int, int]) -> Judgement:
    shown = None if judgement.shown is None else tuple(to[item] for item in judgement.shown)
    return replace(judgement, on=tuple(to[item] for item in judgement.on), shown=shown)
