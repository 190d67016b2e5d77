"""Several ranked answers to one prompt: Nectar, and plain lists of responses with ranks or scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import HH_MARK, as_side, chat, one_turn, parse_transcript, transcript
from zermelo.feedback.protocol import Row, Sample, explicit_id
from zermelo.feedback.records import Group, Judgement, Prompt, Response

__all__ = ["Listwise", "Nectar"]


@dataclass(frozen=True)
class Nectar:
    r"""`prompt` (a transcript that ends in `\n\nAssistant: `) and `answers` with `answer`, `model`, `rank` (1 best)."""

    name: ClassVar[str] = "nectar"
    title: ClassVar[str] = "Nectar"
    shape: ClassVar[str] = "a Nectar row has prompt and answers with answer and rank"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        answers = sample.first("answers")
        inside = answers[0] if isinstance(answers, list) and answers else None
        return 0.95 if sample.has("prompt") and isinstance(inside, dict) and "answer" in inside else 0.0

    def read(self, row: Row) -> Group:
        responses, on, ranks = [], [], []
        for index, item in enumerate(row.list("answers")):
            inside = Row(row.as_mapping(f"answers[{index}]", item), row.file, row.number, row.label, row.shape)
            source, meta = inside.optional_text("model"), inside.rest("answer", "model", "rank")
            responses.append(Response(text=inside.text("answer"), source=source, meta=meta))
            rank = row.rating(f"answers[{index}].rank", inside.fields.get("rank"), low=1)
            if rank is not None:
                on.append(index)
                ranks.append(rank)
        ranking = (Judgement("ranking", on=tuple(on), values=tuple(ranks)),) if len(on) > 1 else ()
        meta = row.rest("id", "prompt", "answers", "num_responses")
        return Group(row.identity("id"), _prompt(row.text("prompt"), row), tuple(responses), ranking, meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        rankings = [item for item in group.judgements if item.kind == "ranking"]
        lost["further rankings"] += max(0, len(rankings) - 1)
        ranks = dict(zip(rankings[0].on, rankings[0].values or (), strict=True)) if rankings else {}
        answers = [
            {**response.meta, "answer": response.content, "model": response.source, "rank": ranks.get(index)}
            for index, response in enumerate(group.responses)
        ]
        name = explicit_id(group)
        text = transcript(chat(group.prompt)) + "\n\nAssistant: "
        fields = {"prompt": text, "answers": answers, "num_responses": len(answers)}
        yield {**({} if name is None else {"id": name}), **fields, **other_columns(group, *fields, "id")}
        count_lost(group, lost, kinds=("ranking",), sources=True)


def _prompt(text: str, row: Row) -> Prompt:
    if not HH_MARK.match("\n\n" + text.lstrip("\n")):
        return text
    turns = parse_transcript(text, "prompt", row)
    if turns[-1].role == "assistant" and not turns[-1].content.strip():
        turns = turns[:-1]
    return turns[0].content if len(turns) == 1 and turns[0].role == "user" else turns


@dataclass(frozen=True)
class Listwise:
    """`prompt` and `responses` (a list), with `ranks` (1 best, equal = tie) or `scores`, and `models` if known."""

    name: ClassVar[str] = "listwise"
    title: ClassVar[str] = "lists of responses"
    shape: ClassVar[str] = "a listwise row has prompt, responses, and ranks or scores of equal length"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        responses = sample.first("responses")
        listed = isinstance(responses, list) and all(isinstance(item, str) for item in responses)
        return 0.8 if listed and sample.has("prompt") else 0.0

    def read(self, row: Row) -> Group:
        sides = row.list("responses")
        models = self._aligned(row, "models", len(sides)) or [None] * len(sides)
        responses = tuple(
            as_side(side, f"responses[{i}]", row, source=None if model is None else str(model))
            for i, (side, model) in enumerate(zip(sides, models, strict=True))
        )
        judgements: list[Judgement] = []
        ranks = self._aligned(row, "ranks", len(sides))
        if ranks is not None:
            known = {i: rank for i, found in enumerate(ranks) if (rank := row.rating(f"ranks[{i}]", found)) is not None}
            judgements.append(Judgement("ranking", on=tuple(known), values=tuple(known.values())))
        for index, found in enumerate(self._aligned(row, "scores", len(sides)) or ()):
            score = row.rating(f"scores[{index}]", found)
            if score is not None:
                judgements.append(Judgement("rating", on=(index,), value=score))
        meta = row.rest("id", "prompt", "responses", "ranks", "scores", "models")
        return Group(row.identity("id"), row.prompt("prompt"), responses, tuple(judgements), meta=meta)

    def _aligned(self, row: Row, name: str, n: int) -> list[Any] | None:
        if not row.has(name):
            return None
        found = row.list(name)
        if len(found) != n:
            raise row.bad("wrong-type", f"{name}: {len(found)} for {n} responses; {row.shape}")
        return found

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        n = len(group.responses)
        rankings = [item for item in group.judgements if item.kind == "ranking"]
        ratings = [item for item in group.judgements if item.kind == "rating"]
        scores = {item.on[0]: item.value for item in reversed(ratings)}
        lost["further rankings"] += max(0, len(rankings) - 1)
        lost["further ratings of a response"] += len(ratings) - len(scores)
        lost["criteria and scales of ratings"] += any(item.criterion or item.low is not None for item in ratings)
        text = one_turn(group.prompt)
        fields: dict[str, Any] = {"prompt": text if text is not None else chat(group.prompt)}
        fields["responses"] = [response.content for response in group.responses]
        if any(response.source for response in group.responses):
            fields["models"] = [response.source for response in group.responses]
        if rankings:
            ranks = dict(zip(rankings[0].on, rankings[0].values or (), strict=True))
            fields["ranks"] = [ranks.get(index) for index in range(n)]
        if scores:
            fields["scores"] = [scores.get(index) for index in range(n)]
        name = explicit_id(group)
        yield {**({} if name is None else {"id": name}), **fields, **other_columns(group, *fields, "id")}
        count_lost(group, lost, kinds=("ranking", "rating"), sources=True)
