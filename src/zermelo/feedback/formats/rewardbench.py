"""Benchmarks of reward models: RewardBench (one pair a row), RM-Bench and RewardBench 2 (lists of right and wrong)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.trl import CHOSEN, plain
from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import as_side, chat, one_turn
from zermelo.feedback.preferences import Derive, decided, kinds_of, stated
from zermelo.feedback.protocol import Row, Sample, explicit_id
from zermelo.feedback.records import Group, Judgement

__all__ = ["RMBench", "RewardBench"]


@dataclass(frozen=True)
class RewardBench:
    """`prompt`, `chosen`, `chosen_model`, `rejected`, `rejected_model`, `subset`, `id`."""

    name: ClassVar[str] = "rewardbench"
    title: ClassVar[str] = "RewardBench"
    shape: ClassVar[str] = "a RewardBench row has prompt, chosen, chosen_model, rejected and rejected_model"
    per_response: ClassVar[bool] = False
    derive: Derive = "stated"

    def matches(self, sample: Sample) -> float:
        return 0.9 if sample.has("prompt", "chosen", "rejected", "chosen_model", "rejected_model") else 0.0

    def read(self, row: Row) -> Group:
        sides = tuple(row.side(name, source=row.optional_text(f"{name}_model")) for name in ("chosen", "rejected"))
        meta = row.rest("id", "prompt", "chosen", "rejected", "chosen_model", "rejected_model")
        return Group(row.identity("id"), row.prompt("prompt"), sides, (CHOSEN,), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        pairs = decided(group, derive=self.derive, lost=lost)
        name = explicit_id(group) if len(pairs) == 1 else None
        for pair in pairs:
            win, lose = group.responses[pair.win], group.responses[pair.lose]
            fields = plain(group.prompt, {"chosen": win, "rejected": lose})
            fields |= {"chosen_model": win.source, "rejected_model": lose.source}
            yield {**({} if name is None else {"id": name}), **fields, **other_columns(group, *fields, "id")}
        used = {item for pair in pairs for item in (pair.win, pair.lose)}
        count_lost(
            group, lost, turns=True, kinds=kinds_of(self.derive), written=used, sources=True, identity=len(pairs) <= 1
        )


@dataclass(frozen=True)
class RMBench:
    """`prompt`, `chosen` and `rejected` as lists of answers: every right one is preferred to every wrong one.

    RM-Bench has three of each (concise, detailed, with markup), RewardBench 2 one right one among four and the `models`
    that wrote them.
    """

    name: ClassVar[str] = "rmbench"
    title: ClassVar[str] = "RM-Bench, RewardBench 2"
    shape: ClassVar[str] = "a row has prompt, and lists chosen and rejected"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        lists = (sample.first("chosen"), sample.first("rejected"))
        listed = all(isinstance(side, list) and side and isinstance(side[0], str) for side in lists)
        return 0.9 if sample.has("prompt") and listed else 0.0

    def read(self, row: Row) -> Group:
        chosen, rejected = row.list("chosen"), row.list("rejected")
        if not chosen or not rejected:
            raise row.bad("missing-field", f"{'rejected' if chosen else 'chosen'}: empty; {row.shape}")
        models = row.fields.get("models")
        aligned = isinstance(models, list) and len(models) == len(chosen) + len(rejected)
        names = [str(name) for name in models or ()] if aligned else None
        sides = [(f"chosen[{i}]", side) for i, side in enumerate(chosen)]
        sides += [(f"rejected[{i}]", side) for i, side in enumerate(rejected)]
        responses = tuple(
            as_side(side, name, row, source=None if names is None else names[index])
            for index, (name, side) in enumerate(sides)
        )
        judgements = tuple(
            Judgement("comparison", on=(win, lose), value=1.0, outcome="first")
            for win in range(len(chosen))
            for lose in range(len(chosen), len(sides))
        )
        meta = row.rest("id", "prompt", "chosen", "rejected", *(["models"] if aligned else []))
        return Group(row.identity("id"), row.prompt("prompt"), responses, judgements, meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        pairs = [pair for pair in stated(group) if not pair.tie]
        right = sorted({pair.win for pair in pairs})
        wrong = sorted({pair.lose for pair in pairs})
        if not pairs or set(right) & set(wrong):
            lost["groups that do not part into right and wrong answers"] += 1
            return
        name, text = explicit_id(group), one_turn(group.prompt)
        fields: dict[str, Any] = {"prompt": text if text is not None else chat(group.prompt)}
        fields["chosen"] = [group.responses[index].content for index in right]
        fields["rejected"] = [group.responses[index].content for index in wrong]
        sources = [group.responses[index].source for index in (*right, *wrong)]
        if all(sources):
            fields["models"] = sources
        yield {**({} if name is None else {"id": name}), **fields, **other_columns(group, *fields, "id")}
        count_lost(group, lost, kinds=("comparison",), written={*right, *wrong}, sources=all(sources))
