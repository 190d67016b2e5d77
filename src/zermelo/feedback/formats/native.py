"""The native format: one group a row, in Parquet, Arrow or JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.protocol import Row, Sample
from zermelo.feedback.records import CHAT_ROLES, Group, Message
from zermelo.feedback.schema import group_from_row, group_to_row

__all__ = ["Native"]

KINDS = ("rating", "comparison", "ranking", "label", "steps", "critique", "event")
OUTCOMES = (None, "first", "second", "tie", "both_bad")


@dataclass(frozen=True)
class Native:
    """Every field of `Group`; the only format that loses nothing. `docs/records.md` lists the columns."""

    name: ClassVar[str] = "native"
    title: ClassVar[str] = "native groups"
    shape: ClassVar[str] = "a native row has id, prompt, responses and judgements"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        if sample.native:
            return 1.0
        responses = sample.first("responses")
        grouped = isinstance(responses, list) and all(isinstance(item, dict) for item in responses)
        return 0.95 if grouped and sample.has("id", "judgements", "origin") else 0.0

    def read(self, row: Row) -> Group:
        name = row.value("id")
        if not isinstance(name, str):
            raise row.bad("wrong-type", "id: expected text")
        try:
            group = group_from_row(row.fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"{type(error).__name__}: {error}"
            raise row.bad("wrong-type", f"does not fit the native schema ({what}); {row.shape}") from None
        if isinstance(group.prompt, tuple):
            _check_roles(group.prompt, "prompt_messages", row)
        for index, response in enumerate(group.responses):
            if response.messages is not None:
                _check_roles(response.messages, f"responses[{index}].messages", row)
        for judgement in group.judgements:
            if judgement.kind not in KINDS:
                raise row.bad("bad-judgement", f"kind {judgement.kind!r}; expected one of {', '.join(KINDS)}")
            if judgement.outcome not in OUTCOMES:
                raise row.bad(
                    "bad-judgement", f"outcome {judgement.outcome!r}; expected first, second, tie or both_bad"
                )
        return group

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        """The row as JSON lines hold it; free-form mappings stay JSON text, as in the Arrow schema."""
        yield json.loads(json.dumps(group_to_row(group), default=list))


def _check_roles(turns: tuple[Message, ...], name: str, row: Row) -> None:
    for turn in turns:
        if turn.role not in CHAT_ROLES:
            raise row.bad("unknown-role", f"{name}: role {turn.role!r}; expected one of {', '.join(CHAT_ROLES)}")
