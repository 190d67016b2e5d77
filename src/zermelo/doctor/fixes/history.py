"""Both versions of what the doctor changed, in the group itself: a change can be seen, counted and taken back.

A group that the doctor changed says in `meta["doctor"]` what was done, and what the changed fields were before, as rows
of the native schema:

    {"fix": "relabel-suspects:soft", "note": "P(wrong) = 0.83", "was": {"judgements": [ … ]}}

Views, trainers and writers read the fields as ever and so see the repaired version; a judgement that was superseded is
in the history and nowhere else, so that no reader has to know that there is one. `original` takes the changes back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from zermelo.feedback.records import Group

__all__ = ["DOCTOR", "changed", "noted", "original", "repairs"]

DOCTOR = "zermelo doctor"  # who says so
KEY = "doctor"  # in `meta`
FIELDS = ("prompt", "responses", "judgements")

Entry: TypeAlias = Mapping[str, object]


def changed(before: Group, after: Group, *, fix: str, note: str = "") -> Group:
    """`after`, with what it was before under `meta["doctor"]`; `before` itself where nothing changed.

    Args:
        before: The group.
        after: The same group with another prompt, responses, judgements or weight.
        fix: Name of the fix.
        note: Why, in a few words.
    """
    fields = [name for name in FIELDS if getattr(before, name) != getattr(after, name)]
    weighed = before.meta.get("weight") != after.meta.get("weight")
    if not fields and not weighed:
        return before
    was = _rows(before, fields)
    if weighed:
        was["weight"] = before.meta.get("weight")
    return _with(after, {"fix": fix, "note": note, "was": was}, before)


def noted(group: Group, *, fix: str, note: str = "") -> Group:
    """The group with a line in its history, nothing else changed: why it was dropped."""
    return _with(group, {"fix": fix, "note": note, "was": {}}, group)


def repairs(group: Group) -> tuple[Entry, ...]:
    """What the doctor did to a group, oldest first."""
    return tuple(group.meta.get(KEY) or ())


def original(group: Group) -> Group:
    """The group as it was before the doctor's first change."""
    from zermelo.feedback.schema import group_from_row, group_to_row

    entries = repairs(group)
    if not entries:
        return group
    row = group_to_row(replace(group, meta={}))
    meta = {name: value for name, value in group.meta.items() if name != KEY}
    for entry in reversed(entries):
        was = dict(entry["was"])  # type: ignore[call-overload]
        if "weight" in was:
            meta["weight"] = was.pop("weight")
            if meta["weight"] is None:
                del meta["weight"]
        row.update(was)
    return replace(group_from_row(row), meta=meta)


def _with(after: Group, entry: Entry, before: Group) -> Group:
    return replace(after, meta={**after.meta, KEY: [*repairs(before), entry]})


def _rows(group: Group, fields: list[str]) -> dict[str, object]:
    """Some fields of a group as plain JSON values of the native schema."""
    from zermelo.feedback.schema import group_to_row

    row = group_to_row(replace(group, meta={}))
    names = [name for field in fields for name in (("prompt", "prompt_messages") if field == "prompt" else (field,))]
    found: dict[str, object] = json.loads(json.dumps({name: row[name] for name in names}))
    return found
