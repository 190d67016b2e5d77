"""UltraFeedback: one instruction, several completions, each rated on four aspects and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import chat, one_turn, transcript
from zermelo.feedback.protocol import Row, Sample, explicit_id, jsonable
from zermelo.feedback.records import Group, Judgement, Prompt, Response

__all__ = ["UltraFeedback"]

JUDGE = "gpt-4"
ASPECT: dict[str, Any] = {"low": 1.0, "high": 5.0}
OVERALL: dict[str, Any] = {"low": 1.0, "high": 10.0}
OWN = ("model", "response", "annotations", "overall_score", "critique")


@dataclass(frozen=True)
class UltraFeedback:
    """`instruction` and `completions`, each with `model`, `response`, `annotations`, `overall_score`, `critique`.

    Aspect ratings are on 1 to 5, the overall score on 1 to 10; N/A is a missing rating, counted.
    """

    name: ClassVar[str] = "ultrafeedback"
    title: ClassVar[str] = "UltraFeedback"
    shape: ClassVar[str] = "an UltraFeedback row has instruction and completions with response and annotations"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        completions = sample.first("completions")
        inside = completions[0] if isinstance(completions, list) and completions else None
        return 0.95 if sample.has("instruction") and isinstance(inside, dict) and "response" in inside else 0.0

    def read(self, row: Row) -> Group:
        responses: list[Response] = []
        judgements: list[Judgement] = []
        for index, item in enumerate(row.list("completions")):
            inside = Row(row.as_mapping(f"completions[{index}]", item), row.file, row.number, row.label, row.shape)
            responses.append(
                Response(text=inside.text("response"), source=inside.optional_text("model"), meta=inside.rest(*OWN))
            )
            judgements.extend(_aspects(index, inside))
            if "overall_score" in inside.fields:
                score = inside.rating("overall_score", inside.fields["overall_score"], **OVERALL)
                if score is not None:
                    overall = Judgement("rating", on=(index,), by=JUDGE, value=score, criterion="overall", **OVERALL)
                    judgements.append(overall)
            if critique := inside.optional_text("critique"):
                judgements.append(Judgement("critique", on=(index,), by=JUDGE, text=critique))
            row.missing.extend(inside.missing)
        prompt = row.text("instruction")
        meta = row.rest("id", "instruction", "completions", "models")
        return Group(row.identity("id"), prompt, tuple(responses), tuple(judgements), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        completions = [_completion(group, index) for index in range(len(group.responses))]
        name = explicit_id(group)
        yield {
            **({} if name is None else {"id": name}),
            **other_columns(group, "instruction", "models", "completions", "id"),
            "instruction": instruction_text(group.prompt, lost),
            "models": [response.source for response in group.responses],
            "completions": completions,
        }
        kinds = {"rating", "critique"}
        unnamed = sum(item.kind == "rating" and item.criterion is None for item in group.judgements)
        lost["ratings without a criterion"] += unnamed
        others = [item for item in group.judgements if item.kind in kinds and item.by not in (None, JUDGE)]
        lost["annotators of judgements"] += len(others)
        count_lost(group, lost, kinds=kinds, sources=True, annotators=True)


def _aspects(index: int, row: Row) -> Iterator[Judgement]:
    for aspect, said in (row.fields.get("annotations") or {}).items():
        if said is None:
            continue
        if isinstance(said, list):  # some releases wrap the one annotation in a list
            said = said[0] if said else {}
        inside = row.as_mapping(f"annotations.{aspect}", said)
        score = row.rating(f"annotations.{aspect}", inside.get("Rating"), **ASPECT)
        if score is not None:
            note = inside.get("Rationale") or inside.get("Rationale For Rating")
            yield Judgement("rating", on=(index,), by=JUDGE, value=score, criterion=aspect, note=note, **ASPECT)


def _completion(group: Group, index: int) -> dict[str, Any]:
    response = group.responses[index]
    annotations: dict[str, Any] = {}
    fields: dict[str, Any] = {"model": response.source, "response": response.content, "annotations": annotations}
    for item in group.judgements:
        if item.on != (index,):
            continue
        if item.kind == "critique":
            fields["critique"] = item.text
        elif item.kind == "rating" and item.criterion == "overall":
            fields["overall_score"] = item.value
        elif item.kind == "rating" and item.criterion is not None:
            annotations[item.criterion] = {"Rating": f"{item.value:g}", "Rationale": item.note}
    return {**jsonable(response.meta), **fields}


def instruction_text(prompt: Prompt | None, lost: Counter[str]) -> str:
    """The prompt as one text: a conversation becomes a transcript with role marks, counted as lost."""
    text = one_turn(prompt)
    if text is not None:
        return text
    if prompt is None:
        return ""
    lost["conversations (written as transcripts)"] += 1
    return transcript(chat(prompt))


def joined(instruction: str, more: Any) -> str:
    """An instruction with its separate input, if it has one, after a blank line."""
    return f"{instruction}\n\n{more}" if isinstance(more, str) and more.strip() else instruction
