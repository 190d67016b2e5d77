"""The shapes of TRL and Hugging Face: preference (explicit or implicit prompt), unpaired, stepwise, completion, prompt.

Text or conversations throughout; `tools` and `chat_template_kwargs` are kept in `meta` and written back.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.messages import as_messages, chat, one_turn, side_of, split_sides
from zermelo.feedback.preferences import Derive, decided, kinds_of, preferences
from zermelo.feedback.protocol import Row, Sample, explicit_id
from zermelo.feedback.records import Group, Judgement, Prompt, Response

__all__ = ["Completion", "Preference", "PromptOnly", "Stepwise", "Unpaired"]

CHOSEN = Judgement("comparison", on=(0, 1), value=1.0, outcome="first")


@dataclass(frozen=True)
class Preference:
    """`prompt`, `chosen`, `rejected` as text or conversations; without `prompt` it is what the two sides share.

    `score_chosen` and `score_rejected` are ratings without a scale, `margin` the strength of the comparison.
    """

    name: ClassVar[str] = "trl"
    title: ClassVar[str] = "TRL preference"
    shape: ClassVar[str] = "a preference row has prompt, chosen and rejected"
    per_response: ClassVar[bool] = False
    derive: Derive = "stated"

    def matches(self, sample: Sample) -> float:
        if not sample.has("chosen", "rejected"):
            return 0.0
        return 0.7 if sample.has("prompt") else 0.6

    def read(self, row: Row) -> Group:
        chosen, rejected = row.value("chosen"), row.value("rejected")
        if "prompt" in row.fields:
            prompt = row.prompt("prompt")
            if _opens_with_prompt(chosen) or _opens_with_prompt(rejected):
                prompt, sides = _strip_prompt(prompt, row)
            else:
                sides = (row.side("chosen"), row.side("rejected"))
        elif isinstance(chosen, str) and isinstance(rejected, str):
            shared = shared_text(chosen, rejected)
            prompt, sides = shared, (Response(text=chosen[len(shared) :]), Response(text=rejected[len(shared) :]))
        else:
            prompt, sides = _implicit(row)
        judgements = [CHOSEN]
        if row.fields.get("margin") is not None:
            strength = row.number_of("margin")
            judgements = [Judgement("comparison", on=(0, 1), value=1.0, outcome="first", strength=strength)]
        for index, name in enumerate(("score_chosen", "score_rejected")):
            if name in row.fields and (score := row.rating(name, row.fields[name])) is not None:
                judgements.append(Judgement("rating", on=(index,), value=score))
        meta = row.rest("id", "prompt", "chosen", "rejected", "margin", "score_chosen", "score_rejected")
        return Group(row.identity("id"), prompt, sides, tuple(judgements), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        pairs = decided(group, derive=self.derive, lost=lost)
        name = explicit_id(group) if len(pairs) == 1 else None
        for pair in pairs:
            sides = [group.responses[pair.win], group.responses[pair.lose]]
            fields = plain(group.prompt, {"chosen": sides[0], "rejected": sides[1]})
            scores: dict[str, Any] = {}
            for column, item in (("score_chosen", pair.win), ("score_rejected", pair.lose)):
                score = plain_rating(group, item)
                scores |= {} if score is None else {column: score}
            if pair.judgement.strength is not None:
                scores["margin"] = pair.judgement.strength
            yield {**({} if name is None else {"id": name}), **fields, **scores, **other_columns(group, *fields, "id")}
        both_rated = len(pairs) == 1 and all(
            plain_rating(group, item) is not None for item in (pairs[0].win, pairs[0].lose)
        )
        kinds = ("comparison", "rating") if both_rated else kinds_of(self.derive)
        used = {item for pair in pairs for item in (pair.win, pair.lose)}
        count_lost(group, lost, turns=True, kinds=kinds, written=used, identity=len(pairs) <= 1)


def plain_rating(group: Group, item: int) -> float | None:
    """The one rating of a response without criterion, scale and annotator, or None."""
    found = [
        judgement.value
        for judgement in group.judgements
        if judgement.kind == "rating"
        and judgement.on == (item,)
        and judgement.criterion is None
        and judgement.by is None
    ]
    return found[0] if len(found) == 1 else None


def plain(prompt: Prompt | None, sides: dict[str, Response]) -> dict[str, Any]:
    """Prompt and sides as columns: text where the prompt and every side are one bare turn, else conversations."""
    texts = {name: one_reply(side) for name, side in sides.items()}
    text = one_turn(prompt)
    if all(found is not None for found in texts.values()) and (prompt is None or text is not None):
        return {"prompt": text or "", **texts}
    return {"prompt": chat(prompt), **{name: chat(None, side) for name, side in sides.items()}}


def one_reply(response: Response) -> str | None:
    """The text of a response that is one bare turn, else None."""
    if response.messages is None:
        return response.text or ""
    only = response.messages[0]
    return only.content if len(response.messages) == 1 and only.role == "assistant" and not only.extra else None


def shared_text(first: str, second: str) -> str:
    """The longest common beginning of two texts, cut back to a space, as TRL's implicit prompt is."""
    shortest = min(len(first), len(second))
    shared = first[: next((at for at in range(shortest) if first[at] != second[at]), shortest)]
    if len(shared) in (len(first), len(second)):
        shared = shared[: shared.rstrip().rfind(" ") + 1]
    return shared if shared[-1:].isspace() else shared[: shared.rfind(" ") + 1]


def _opens_with_prompt(side: Any) -> bool:
    """A conversation that repeats the prompt before its answer."""
    opening = side[0] if isinstance(side, list) and side else None
    return isinstance(opening, dict) and (opening.get("role") or opening.get("from")) in {
        "system",
        "developer",
        "user",
        "human",
    }


def _implicit(row: Row) -> tuple[Prompt, tuple[Response, Response]]:
    conversations = [as_messages(row.value(name), name, row) for name in ("chosen", "rejected")]
    prompt, first, second, differ = split_sides(*conversations)
    for name, side in (("chosen", first), ("rejected", second)):
        if side[-1].role == "user":
            raise row.bad("missing-field", f"{name}: ends in a user turn; expected an assistant reply")
    if differ:
        row.suspicious.append("differing-prompts")
    return prompt, (side_of(first), side_of(second))


def _strip_prompt(prompt: Prompt, row: Row) -> tuple[Prompt, tuple[Response, Response]]:
    shared, sides = _implicit(row)
    text = one_turn(shared)
    return (prompt if isinstance(prompt, str) and text == prompt else shared), sides


@dataclass(frozen=True)
class Unpaired:
    """`prompt`, `completion`, `label`: one response and whether it is wanted (KTO)."""

    name: ClassVar[str] = "kto"
    title: ClassVar[str] = "TRL unpaired preference"
    shape: ClassVar[str] = "an unpaired row has prompt, completion and label"
    per_response: ClassVar[bool] = True
    derive: Derive = "stated"

    def matches(self, sample: Sample) -> float:
        return 0.8 if sample.has("prompt", "completion", "label") else 0.0

    def read(self, row: Row) -> Group:
        response = row.side("completion")
        label = Judgement("label", on=(0,), value=float(row.flag("label")))
        meta = row.rest("id", "prompt", "completion", "label")
        return Group(row.identity("id"), row.prompt("prompt"), (response,), (label,), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        labels = [
            (item.on[0], bool(item.value)) for item in group.judgements if item.kind == "label" and len(item.on) == 1
        ]
        kinds: tuple[str, ...] = ("label",)
        if not labels:  # both sides of a decided pair, as TRL itself unpairs them
            pairs = [pair for pair in preferences(group, derive=self.derive) if not pair.tie]
            labels = list(dict.fromkeys(item for pair in pairs for item in ((pair.win, True), (pair.lose, False))))
            kinds = kinds_of(self.derive)
            if pairs:
                lost["which two were compared (kept as wanted and unwanted)"] += len(pairs)
        for index, wanted in labels:
            fields = plain(group.prompt, {"completion": group.responses[index]})
            yield {**fields, "label": wanted, **other_columns(group, *fields, "label", "id")}
        count_lost(group, lost, turns=True, kinds=kinds, written={index for index, _ in labels}, identity=False)


@dataclass(frozen=True)
class Stepwise:
    """`prompt`, `completions`, `labels`: the steps of one answer and whether each is right; null = unlabelled."""

    name: ClassVar[str] = "stepwise"
    title: ClassVar[str] = "TRL stepwise supervision"
    shape: ClassVar[str] = "a stepwise row has prompt, completions and labels of equal length"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        listed = isinstance(sample.first("completions"), list) and isinstance(sample.first("labels"), list)
        return 0.85 if sample.has("prompt") and listed else 0.0

    def read(self, row: Row) -> Group:
        steps = tuple(row.as_text(f"completions[{i}]", step) for i, step in enumerate(row.list("completions")))
        labels = row.list("labels")
        if len(labels) != len(steps):
            raise row.bad("wrong-type", f"labels: {len(labels)} for {len(steps)} completions; {row.shape}")
        values = tuple(
            math.nan if label is None else row.as_number(f"labels[{i}]", label) for i, label in enumerate(labels)
        )
        row.missing.extend("labels" for label in labels if label is None)
        response = Response(text="\n".join(steps), steps=steps)
        judgement = Judgement("steps", on=(0,), values=values)
        meta = row.rest("id", "prompt", "completions", "labels")
        return Group(row.identity("id"), row.prompt("prompt"), (response,), (judgement,), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        written = set()
        labelled = [item for item in group.judgements if item.kind == "steps" and item.values is not None]
        for judgement in labelled:
            response = group.responses[judgement.on[0]]
            labels = [None if math.isnan(value) else _as_label(value) for value in judgement.values or ()]
            written.add(judgement.on[0])
            text = one_turn(group.prompt)
            prompt = chat(group.prompt) if text is None and group.prompt is not None else text or ""
            name = explicit_id(group) if len(labelled) == 1 else None
            head = {} if name is None else {"id": name}
            fields = {"prompt": prompt, "completions": list(response.steps or ()), "labels": labels}
            yield {**head, **fields, **other_columns(group, *fields, "id")}
        count_lost(group, lost, turns=True, kinds=("steps",), written=written, identity=len(labelled) <= 1)


def _as_label(value: float) -> bool | float:
    return bool(value) if value in (0, 1) else value


@dataclass(frozen=True)
class Completion:
    """`prompt`, `completion`: one answer to learn from; or bare `text` of a language-modelling set."""

    name: ClassVar[str] = "sft"
    title: ClassVar[str] = "TRL prompt and completion"
    shape: ClassVar[str] = "a completion row has prompt and completion"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        if sample.has("prompt", "completion") and "label" not in sample.fields:
            return 0.7
        return 0.2 if sample.fields == {"text"} else 0.0

    def read(self, row: Row) -> Group:
        if "text" in row.fields and "completion" not in row.fields:
            return Group(row.identity("id"), None, (Response(text=row.text("text")),), meta=row.rest("id", "text"))
        meta = row.rest("id", "prompt", "completion")
        return Group(row.identity("id"), row.prompt("prompt"), (row.side("completion"),), meta=meta)

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        name = explicit_id(group) if len(group.responses) == 1 else None
        for response in group.responses:
            fields = plain(group.prompt, {"completion": response})
            yield {**({} if name is None else {"id": name}), **fields, **other_columns(group, *fields, "id")}
        count_lost(group, lost, turns=True, kinds=(), identity=len(group.responses) == 1)


@dataclass(frozen=True)
class PromptOnly:
    """`prompt` alone: what a policy is to answer."""

    name: ClassVar[str] = "prompts"
    title: ClassVar[str] = "prompts"
    shape: ClassVar[str] = "a row has a prompt"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        answers = {"completion", "completions", "chosen", "rejected", "response", "responses", "output", "answer"}
        asked = isinstance(sample.first("prompt"), str | list)
        return 0.15 if asked and not sample.fields & answers else 0.0

    def read(self, row: Row) -> Group:
        return Group(row.identity("id"), row.prompt("prompt"), meta=row.rest("id", "prompt"))

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        text = one_turn(group.prompt)
        name = explicit_id(group)
        fields = {"prompt": text if text is not None else chat(group.prompt)}
        yield {**({} if name is None else {"id": name}), **fields, **other_columns(group, "prompt", "id")}
        count_lost(group, lost, turns=True, kinds=(), written=())
