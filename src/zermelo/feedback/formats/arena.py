"""Arena battles: two models, a vote, and, where they are kept, the two conversations."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.winners import outcome_judgement, outcome_of
from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import chat, side_of, split_sides
from zermelo.feedback.protocol import Row, Sample, explicit_id
from zermelo.feedback.records import Group, Judgement, Message, Outcome, Prompt, Response

__all__ = ["Arena"]

SIDES = (("model_a", "model_b"), ("left", "right"))
ANNOTATORS = ("judge", "worker", "annotator", "judge_hash")
TIMES = ("tstamp", "timestamp")
ONE_HOT: dict[str, Outcome] = {"winner_model_a": "first", "winner_model_b": "second", "winner_tie": "tie"}
WRITTEN: dict[Outcome | None, str] = {"first": "model_a", "second": "model_b", "tie": "tie", "both_bad": "both_bad"}


@dataclass(frozen=True)
class Arena:
    """`model_a`, `model_b`, `winner` (model_a, model_b, tie, tie (bothbad), both_bad), or `left`, `right`, `winner`.

    With `conversation_a` and `conversation_b`, or `prompt`, `response_a` and `response_b`, the texts are read too; a
    bare battle has responses of which only the source is known. `judge` or `worker` is the annotator, `tstamp` the
    time. One-hot winners (`winner_model_a`, `winner_model_b`, `winner_tie`) are understood.
    """

    name: ClassVar[str] = "arena"
    title: ClassVar[str] = "Arena battles"
    shape: ClassVar[str] = "a battle has model_a, model_b and winner"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        if sample.has("model_a", "model_b") and (sample.has("winner") or sample.has(*ONE_HOT)):
            return 0.9
        return 0.6 if sample.has("left", "right", "winner") else 0.0

    def read(self, row: Row) -> Group:
        first, second = SIDES[1] if "left" in row.fields and "model_a" not in row.fields else SIDES[0]
        models = [str(row.value(name)) for name in (first, second)]
        by = next((str(row.fields[name]) for name in ANNOTATORS if row.has(name)), None)
        at = next((row.number_of(name) for name in TIMES if _numeric(row.fields.get(name))), None)
        used = [first, second, "id", "winner", *ONE_HOT]
        used += [name for name in ANNOTATORS if by is not None and row.has(name)][:1]
        used += [name for name in TIMES if at is not None]
        prompt, sides, texts = _texts(row, models)
        outcome = _winner(row, first=first, second=second, models=models)
        judgement = outcome_judgement(outcome, by=by, at=at)
        return Group(row.identity("id"), prompt, sides, (judgement,), meta=row.rest(*used, *texts))

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        items = [item for item in group.judgements if item.kind == "comparison"]
        name = explicit_id(group) if len(items) == 1 else None
        used: set[int] = set()
        for item in items:
            sides = [group.responses[index] for index in item.on]
            used |= set(item.on)
            if item.outcome is None:
                lost["probabilities of comparisons"] += 1
            fields: dict[str, Any] = {
                **({} if name is None else {"id": name}),
                "model_a": sides[0].source or "a",
                "model_b": sides[1].source or "b",
                "winner": WRITTEN[item.outcome or _likelier(item)],
            }
            if item.by is not None:
                fields["judge"] = item.by
            if item.at is not None:
                fields["tstamp"] = item.at
            if all(side.text is not None or side.messages is not None for side in sides):
                fields["conversation_a"] = chat(group.prompt, sides[0])
                fields["conversation_b"] = chat(group.prompt, sides[1])
            yield {**fields, **other_columns(group, *fields, "id")}
        count_lost(
            group,
            lost,
            turns=True,
            kinds=("comparison",),
            written=used,
            sources=True,
            annotators=True,
            identity=len(items) <= 1,
        )


def _likelier(item: Judgement) -> Outcome:
    value = 0.5 if item.value is None else item.value
    return "tie" if value == 0.5 else "first" if value > 0.5 else "second"


def _numeric(found: object) -> bool:
    """A number, or text that is one, as in CSV; a date as text stays in the meta."""
    try:
        return isinstance(found, int | float | str) and math.isfinite(float(found))
    except ValueError:
        return False


def _winner(row: Row, *, first: str, second: str, models: list[str]) -> Outcome:
    if not row.has("winner") and row.has(*ONE_HOT):
        won = [outcome for name, outcome in ONE_HOT.items() if row.flag(name)]
        if len(won) != 1:
            raise row.bad("unknown-winner", f"{', '.join(ONE_HOT)}: {len(won)} are set; expected one")
        return won[0]
    names = {"first": first, "second": second}
    if models[0] != models[1]:
        names |= {"first_model": models[0], "second_model": models[1]}
    return outcome_of(row.value("winner"), "winner", row, **names)


def _texts(row: Row, models: list[str]) -> tuple[Prompt | None, tuple[Response, ...], tuple[str, ...]]:
    """Prompt, sides, and the columns they stood in."""
    if row.has("conversation_a", "conversation_b"):
        columns: tuple[str, ...] = ("conversation_a", "conversation_b")
        prompt, first, second, differ = split_sides(row.messages(columns[0]), row.messages(columns[1]))
        # users of an arena send the same turns to both, but the models' earlier replies differ: nothing is wrong
        if differ and _user_turns(row.messages(columns[0])) != _user_turns(row.messages(columns[1])):
            row.suspicious.append("differing-prompts")
        sides = tuple(side_of(turns, source=model) for turns, model in zip((first, second), models, strict=True))
        return prompt, sides, columns
    if row.has("prompt", "response_a", "response_b"):
        columns = ("prompt", "response_a", "response_b")
        asked, *answers = (_turns(row, name) for name in columns)
        rest = [_interleave(asked[1:], replies[1:]) for replies in answers]
        sides = tuple(
            side_of((Message("assistant", replies[0]), *more), source=model)
            for replies, more, model in zip(answers, rest, models, strict=True)
        )
        return asked[0], sides, columns
    prompt_text = row.prompt("prompt") if row.has("prompt") else None
    used = ("prompt",) if prompt_text is not None else ()
    return prompt_text, tuple(Response(source=model) for model in models), used


def _user_turns(turns: tuple[Message, ...]) -> list[str]:
    return [turn.content for turn in turns if turn.role == "user"]


def _turns(row: Row, name: str) -> list[str]:
    """Turns of one side: plain text, a list, or a list written as JSON text."""
    found = row.value(name)
    if isinstance(found, str) and found.startswith("["):
        try:
            found = json.loads(found)
        except ValueError:
            return [found]
    turns = found if isinstance(found, list) else [found]
    if not turns:
        raise row.bad("missing-field", f"{name}: no turns; expected at least one")
    return ["" if turn is None else row.as_text(name, turn) for turn in turns]


def _interleave(asked: list[str], replies: list[str]) -> list[Message]:
    return [
        Message(role, text)
        for pair in zip(asked, replies, strict=False)
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
