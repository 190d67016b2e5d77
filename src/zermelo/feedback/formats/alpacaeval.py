"""AlpacaEval: annotations (two outputs and a judge's preference) and outputs of one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.ultrafeedback import instruction_text, joined
from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.protocol import Row, Sample
from zermelo.feedback.records import Group, Judgement, Outcome, Response

__all__ = ["AlpacaEval", "AlpacaEvalOutputs"]

DECLARED: dict[float, Outcome] = {0.0: "tie", 1.0: "first", 1.5: "tie", 2.0: "second"}


@dataclass(frozen=True)
class AlpacaEval:
    """`instruction`, `output_1`, `generator_1`, `output_2`, `generator_2`, `annotator`, `preference`.

    The preference is 1 + P(output_2 is better), from 1 to 2; 0 and 1.5 are ties, null is unparsed (missing, counted).
    So `value` = P(output_1 ≻ output_2) = 2 − preference; 1, 1.5, 2 and 0 are declared outcomes.
    """

    name: ClassVar[str] = "alpacaeval"
    title: ClassVar[str] = "AlpacaEval annotations"
    shape: ClassVar[str] = "an annotation has instruction, output_1, output_2 and preference"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        if not sample.has("output_1", "output_2", "preference"):
            return 0.0
        return 0.95 if sample.has("instruction") else 0.6

    def read(self, row: Row) -> Group:
        sides = tuple(
            Response(text=row.text(f"output_{n}"), source=row.optional_text(f"generator_{n}")) for n in (1, 2)
        )
        found = row.rating("preference", row.fields.get("preference"), low=0, high=2)
        judgements: tuple[Judgement, ...] = ()
        if found is not None:
            if 0 < found < 1:
                raise row.bad("off-scale", f"preference: {found:g}; expected 1 to 2, or 0 for a tie")
            value = 0.5 if found == 0 else 2 - found
            by = row.optional_text("annotator")
            judgements = (Judgement("comparison", on=(0, 1), by=by, value=value, outcome=DECLARED.get(found)),)
        used = (
            "instruction",
            "input",
            "annotator",
            "preference",
            *(f"{a}_{n}" for a in ("output", "generator") for n in (1, 2)),
        )
        prompt = joined(row.text("instruction"), row.fields.get("input")) if "instruction" in row.fields else None
        return Group(row.place, prompt, sides, judgements, meta=row.rest(*used))

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        used: set[int] = set()
        items: list[Judgement] = [item for item in group.judgements if item.kind == "comparison"]
        if not items and len(group.responses) == 2:  # an annotation whose preference could not be parsed
            items = [Judgement("comparison", on=(0, 1))]
        for item in items:
            first, second = (group.responses[index] for index in item.on)
            lost["'both bad' (written as ties)"] += item.outcome == "both_bad"
            used |= set(item.on)
            yield {
                "instruction": instruction_text(group.prompt, lost),
                "output_1": first.content,
                "generator_1": first.source,
                "output_2": second.content,
                "generator_2": second.source,
                "annotator": item.by,
                "preference": None if item.value is None else 2 - item.value,
                **other_columns(group, "instruction", "annotator", "preference", "id"),
            }
        count_lost(group, lost, kinds=("comparison",), written=used, sources=True, annotators=True, identity=False)


@dataclass(frozen=True)
class AlpacaEvalOutputs:
    """`instruction`, `output`, `generator`: one model's answers, also instruction data with an optional `input`."""

    name: ClassVar[str] = "alpacaeval-outputs"
    title: ClassVar[str] = "AlpacaEval outputs"
    shape: ClassVar[str] = "an output row has instruction and output"
    per_response: ClassVar[bool] = True

    def matches(self, sample: Sample) -> float:
        if not sample.has("instruction", "output"):
            return 0.0
        return 0.8 if sample.has("generator") else 0.4

    def read(self, row: Row) -> Group:
        prompt = joined(row.text("instruction"), row.fields.get("input"))
        response = Response(text=row.text("output"), source=row.optional_text("generator"))
        return Group(row.place, prompt, (response,), meta=row.rest("instruction", "input", "output", "generator"))

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        for response in group.responses:
            fields = {
                "instruction": instruction_text(group.prompt, lost),
                "output": response.content,
                "generator": response.source,
            }
            yield {**fields, **other_columns(group, *fields, "id")}
        count_lost(group, lost, kinds=(), sources=True, identity=False)
