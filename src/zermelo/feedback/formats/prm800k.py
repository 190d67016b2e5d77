"""PRM800K: solutions in steps, each step's completions rated −1, 0 or 1 by a labeller."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.ultrafeedback import instruction_text
from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.protocol import Row, Sample, jsonable
from zermelo.feedback.records import Group, Judgement, Response

__all__ = ["PRM800K"]

SCALE: dict[str, Any] = {"low": -1.0, "high": 1.0}


@dataclass(frozen=True)
class PRM800K:
    """`question.problem` and `label.steps[].completions[]` with `text` and `rating`.

    The response is the path that was taken (the chosen completion of each step, the person's own where there is one,
    the first where none was chosen); what else stood at a step is kept in `meta["alternatives"]`. A null rating is an
    unlabelled step, counted.
    """

    name: ClassVar[str] = "prm800k"
    title: ClassVar[str] = "PRM800K"
    shape: ClassVar[str] = "a PRM800K row has question.problem and label.steps"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        question, label = sample.first("question"), sample.first("label")
        nested = isinstance(question, dict) and isinstance(label, dict)
        return 0.95 if nested and "problem" in question and "steps" in label else 0.0

    def read(self, row: Row) -> Group:
        question = Row(row.mapping("question"), row.file, row.number, row.label, row.shape)
        label = Row(row.mapping("label"), row.file, row.number, row.label, row.shape)
        taken, values, alternatives = [], [], []
        for index, found in enumerate(label.list("steps")):
            step = Row(row.as_mapping(f"label.steps[{index}]", found), row.file, row.number, row.label, row.shape)
            text, value, others = _step(step, f"label.steps[{index}]")
            row.missing.extend(step.missing)
            taken.append(text)
            values.append(value)
            alternatives.append(others)
        if not taken:
            raise row.bad("missing-field", "label.steps: empty; expected at least one step")
        answer = question.optional_text("pre_generated_answer")
        response = Response(
            text="\n".join(taken),
            steps=tuple(taken),
            answer=answer,
            meta={"alternatives": alternatives} if any(alternatives) else {},
        )
        by = row.optional_text("labeler")
        judgement = Judgement("steps", on=(0,), by=by, values=tuple(values), **SCALE)
        meta = row.rest("labeler", "question", "label")
        meta |= {"question": question.rest("problem", "pre_generated_answer"), "label": label.rest("steps")}
        return Group(row.place, question.text("problem"), (response,), (judgement,), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        written = set()
        for item in group.judgements:
            if item.kind != "steps" or item.values is None:
                continue
            response = group.responses[item.on[0]]
            written.add(item.on[0])
            steps = response.steps or (response.content,)
            others = response.meta.get("alternatives") or [[] for _ in steps]
            label = {
                "steps": [_as_step(*step) for step in zip(steps, item.values, others, strict=True)],
                **(group.meta.get("label") or {}),
            }
            question = {"problem": instruction_text(group.prompt, lost), **(group.meta.get("question") or {})}
            if response.answer is not None:
                question["pre_generated_answer"] = response.answer
            rest = other_columns(group, "labeler", "question", "label")
            yield {"labeler": item.by, **rest, "question": question, "label": label}
        count_lost(group, lost, kinds=("steps",), written=written, annotators=True, identity=False)


def _step(step: Row, name: str) -> tuple[str, float, list[dict[str, Any]]]:
    """The step taken, its rating, and the completions not taken."""
    completions = [step.as_mapping(f"{name}.completions[{i}]", item) for i, item in enumerate(step.list("completions"))]
    ratings = []
    for index, item in enumerate(completions):
        step.as_text(f"{name}.completions[{index}].text", item.get("text"))
        rating = step.rating(f"{name}.completions[{index}].rating", item.get("rating"), **SCALE)
        ratings.append(math.nan if rating is None else rating)
    own = step.fields.get("human_completion")
    chosen = step.fields.get("chosen_completion")
    if own is not None:
        text = own if isinstance(own, str) else step.as_mapping(f"{name}.human_completion", own).get("text")
        others = [jsonable({**item, "by": "model"}) for item in completions]
        return step.as_text(f"{name}.human_completion.text", text), 1.0, others
    if not completions:
        raise step.bad("missing-field", f"{name}.completions: empty; expected at least one")
    taken = (
        0
        if chosen is None
        else int(step.as_number(f"{name}.chosen_completion", chosen, low=0, high=len(completions) - 1))
    )
    others = [jsonable(item) for index, item in enumerate(completions) if index != taken]
    return str(completions[taken]["text"]), ratings[taken], others


def _as_step(text: str, value: float, others: list[dict[str, Any]]) -> dict[str, Any]:
    if any(item.get("by") == "model" for item in others):
        completions = [{key: found for key, found in item.items() if key != "by"} for item in others]
        return {"completions": completions, "human_completion": {"text": text}, "chosen_completion": None}
    rating = None if math.isnan(value) else int(value)
    return {
        "completions": [{"text": text, "rating": rating}, *others],
        "human_completion": None,
        "chosen_completion": 0,
    }
