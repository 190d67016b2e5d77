"""Flat tables that Zermelo itself writes: comparisons and ratings, for spreadsheets and data frames."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.columns import Columns
from zermelo.feedback.losses import count_lost
from zermelo.feedback.messages import chat, one_turn
from zermelo.feedback.preferences import Derive, Preference, derived
from zermelo.feedback.protocol import Row, Sample, explicit_id
from zermelo.feedback.records import Group, Judgement, Outcome, Prompt, Response

__all__ = ["Pairs", "Ratings"]


@dataclass(frozen=True)
class Pairs:
    """A flat table of comparisons: id, prompt, a, b, winner, prob, source_a, source_b, by, criterion, strength."""

    name: ClassVar[str] = "csv"
    title: ClassVar[str] = "table of comparisons"
    shape: ClassVar[str] = "a row has prompt, a, b, and winner or prob"
    per_response: ClassVar[bool] = False
    derive: Derive = "stated"

    def matches(self, sample: Sample) -> float:
        return 0.85 if sample.has("prompt", "a", "b", "winner", "source_a", "source_b") else 0.0

    def read(self, row: Row) -> Group:
        named = ("prompt", "a", "b", "winner", "prob", "source_a", "source_b", "by", "criterion", "strength", "id")
        texts = row.has("a") or row.has("b") or not row.has("source_a", "source_b")
        if texts:
            row.value("a"), row.value("b")
        if not {"winner", "prob"} & row.fields.keys():
            row.value("winner")
        roles = [role for role in named if role in row.fields and (texts or role not in ("a", "b"))]
        if row.fields.get("prompt") is None and not texts:
            roles.remove("prompt")
        return Columns({role: (role,) for role in roles}).read(row)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        items = [item for item in group.judgements if item.kind == "comparison"]
        if self.derive != "stated":
            items += [_as_comparison(pair) for pair in derived(group, how=self.derive)]
        words = {"first": "a", "second": "b", None: None}
        used: set[int] = set()
        for item in items:
            first, second = (group.responses[index] for index in item.on)
            used |= set(item.on)
            declared = item.outcome is not None and item.value in (0, 0.5, 1)
            yield {
                "id": explicit_id(group) if len(items) == 1 else None,
                "prompt": prompt_cell(group.prompt),
                "a": _side_cell(first),
                "b": _side_cell(second),
                "winner": words.get(item.outcome, item.outcome),
                "prob": None if declared else item.value,
                "source_a": first.source,
                "source_b": second.source,
                "by": item.by,
                "criterion": item.criterion,
                "strength": item.strength,
            }
        lost["columns of meta"] += sum(name != "suspicious" for name in group.meta)
        count_lost(
            group, lost, kinds=("comparison",), written=used, sources=True, annotators=True, identity=len(items) <= 1
        )


@dataclass(frozen=True)
class Ratings:
    """A flat table of ratings: prompt, response, source, rating, criterion, low, high, by; a row is one rating."""

    name: ClassVar[str] = "ratings"
    title: ClassVar[str] = "table of ratings"
    shape: ClassVar[str] = "a row has prompt, response and rating"
    per_response: ClassVar[bool] = True
    fold: ClassVar[bool] = True  # a further row of the same response is a further rating

    def matches(self, sample: Sample) -> float:
        return 0.85 if sample.has("prompt", "response", "rating", "criterion", "low", "high", "by") else 0.0

    def read(self, row: Row) -> Group:
        row.value("response"), row.value("rating")
        named = ("prompt", "response", "source", "rating", "criterion", "low", "high", "by")
        return Columns({role: (role,) for role in named if role in row.fields}).read(row)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        used: set[int] = set()
        for item in sorted((item for item in group.judgements if item.kind == "rating"), key=lambda item: item.on):
            response = group.responses[item.on[0]]
            used.add(item.on[0])
            yield {
                "prompt": prompt_cell(group.prompt),
                "response": _side_cell(response),
                "source": response.source,
                "rating": item.value,
                "criterion": item.criterion,
                "low": item.low,
                "high": item.high,
                "by": item.by,
            }
        lost["columns of meta"] += sum(name != "suspicious" for name in group.meta)
        count_lost(group, lost, kinds=("rating",), written=used, sources=True, annotators=True, identity=False)


def _as_comparison(pair: Preference) -> Judgement:
    said = pair.judgement
    outcome: Outcome = "tie" if pair.tie else "first"
    return Judgement(
        "comparison", on=(pair.win, pair.lose), by=said.by, value=pair.prob, outcome=outcome, criterion=said.criterion
    )


def prompt_cell(prompt: Prompt | None) -> str | None:
    """A prompt as one cell: its text, or a conversation as JSON."""
    text = one_turn(prompt)
    return text if text is not None or prompt is None else json.dumps(chat(prompt), ensure_ascii=False)


def _side_cell(response: Response) -> str | None:
    return None if response.text is None and response.messages is None else response.content
