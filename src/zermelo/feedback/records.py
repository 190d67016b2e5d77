"""The records: `Response`, `Judgement`, `Group`. Immutable, plain Python, no I/O.

A group is one prompt, several responses, and everything anyone has said about them. Data is append-only:
a late label is a new judgement, never an edit. `docs/records.md` lists every field.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from zermelo.errors import DataError

__all__ = ["Group", "Judgement", "JudgementKind", "Message", "Outcome", "Prompt", "Response", "Span", "prompt_key"]

JudgementKind: TypeAlias = Literal["rating", "comparison", "ranking", "label", "steps", "critique", "event"]
Outcome: TypeAlias = Literal["first", "second", "tie", "both_bad"]
Origin: TypeAlias = Literal["offline", "online", "calibration"]

CHAT_ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Args:
        role: One of system, developer, user, assistant, tool.
        content: The text.
        extra: What else the chat format carried (`name`, `tool_calls`, `tool_call_id`, …), kept for writers.
    """

    role: str
    content: str
    extra: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The message as chat templates and writers want it."""
        return {"role": self.role, "content": self.content, **(self.extra or {})}


Prompt: TypeAlias = str | tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A marked stretch of a response, in characters: `text[start:end]`."""

    start: int
    end: int
    label: str = ""
    value: float = math.nan


@dataclass(frozen=True, slots=True)
class Response:
    """One answer to a group's prompt, and what its sampler knew.

    Args:
        text: The answer; None where only the source is known (bare battles) or where it is `messages`.
        messages: One or more turns after the prompt, instead of `text`.
        source: Model or person that wrote it.
        role: What it is for: `answer`, `test`, `plan`, …
        prompt: Overrides the group's prompt, for methods that compare one answer under two prompts.
        steps: The answer cut into steps, where it has them.
        answer: The extracted final answer.
        meta: Anything else; JSON values.
        token_ids: Sampled ids, the end token included; trained on as they are, never made again from text.
        logprobs: Log-probability of each of `token_ids` under the sampler, in nats.
        prompt_ids: The prompt ids it was sampled with.
        finish: `stopped`, `cut` (length limit) or `error`.
        sampling: Sampling settings (temperature, top_p, seed, …).
        policy_version: Version or fingerprint of the policy that sampled it.
    """

    text: str | None = None
    messages: tuple[Message, ...] | None = None
    source: str | None = None
    role: str = "answer"
    prompt: Prompt | None = None
    steps: tuple[str, ...] | None = None
    answer: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    prompt_ids: tuple[int, ...] | None = None
    finish: Literal["stopped", "cut", "error"] | None = None
    sampling: Mapping[str, Any] | None = None
    policy_version: str | None = None

    @property
    def content(self) -> str:
        """The answer as one string: `text`, or the contents of `messages` joined by blank lines, or ''."""
        if self.text is not None:
            return self.text
        return "\n\n".join(message.content for message in self.messages or ())

    @property
    def empty(self) -> bool:
        """True where the answer is known and has no visible character."""
        return (self.text is not None or self.messages is not None) and not self.content.strip()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one annotator said, as one wide nullable row.

    | kind | `on` | meaning |
    |---|---|---|
    | rating | [i] | `value` on the scale `low..high` |
    | comparison | [i, j] | `value` = P(i ≻ j); `outcome` where one was declared |
    | ranking | items | `values` = ranks aligned with `on` (1 best, equal = tie; absent = unranked) |
    | label | [i], [] or [i, j] | `value` 1/0 (the response, the group, or program i on test j) |
    | steps | [i] | `values` aligned with the response's steps, NaN = unlabelled |
    | critique | [i] or [] | `text` |
    | event | any | `text` = mark, `at` = time |

    `value` and `values` always refer to `on`, never to `shown` (the order in which the judge saw the responses).
    """

    kind: JudgementKind
    on: tuple[int, ...] = ()
    by: str | None = None
    value: float | None = None
    values: tuple[float, ...] | None = None
    text: str | None = None
    outcome: Outcome | None = None
    criterion: str | None = None
    low: float | None = None
    high: float | None = None
    strength: float | None = None
    shown: tuple[int, ...] | None = None
    at: float | None = None
    note: str | None = None
    spans: tuple[Span, ...] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One prompt, several responses, everything said about them. One row of a native file is one group."""

    id: str
    prompt: Prompt | None
    responses: tuple[Response, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    origin: Origin = "offline"
    user: str | None = None
    session: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """blake2b-128 of the canonical prompt, as 32 hex digits; splits, joins and merges use it."""
        return prompt_key(self.prompt)

    def with_judgements(self, judgements: Iterable[Judgement]) -> Group:
        """A copy with judgements appended."""
        return replace(self, judgements=(*self.judgements, *judgements))

    def with_responses(self, responses: Iterable[Response]) -> Group:
        """A copy with responses appended (existing indices keep their meaning)."""
        return replace(self, responses=(*self.responses, *responses))

    def keep_responses(self, kept: Sequence[int]) -> Group:
        """A copy with only the responses `kept`, in that order; the one place where `on` is remapped.

        A judgement loses the items that went; a comparison, label or rating that lost one goes as a whole,
        a ranking needs two left.
        """
        place = {old: new for new, old in enumerate(kept)}
        judgements = tuple(moved for judgement in self.judgements if (moved := _remap(judgement, place)) is not None)
        return replace(self, responses=tuple(self.responses[i] for i in kept), judgements=judgements)


def prompt_key(prompt: Prompt | None) -> str:
    """blake2b-128 of the canonical prompt.

    A string and a single user message with that content are one prompt. White space at the ends does not count.
    """
    if prompt is None:
        canonical: object = None
    elif isinstance(prompt, str):
        canonical = [["user", prompt.strip()]]
    else:
        canonical = [[message.role, message.content.strip()] for message in prompt]
    text = json.dumps(canonical, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _remap(judgement: Judgement, place: Mapping[int, int]) -> Judgement | None:
    left = [index for index, item in enumerate(judgement.on) if item in place]
    if len(left) == len(judgement.on):
        values = judgement.values
    elif judgement.kind == "ranking" and len(left) >= 2:
        values = None if judgement.values is None else tuple(judgement.values[index] for index in left)
    else:
        return None
    shown = None if judgement.shown is None else tuple(place[item] for item in judgement.shown if item in place)
    return replace(judgement, on=tuple(place[judgement.on[index]] for index in left), values=values, shown=shown)


def check_judgement(judgement: Judgement, n_responses: int, *, file: str | None = None, row: int | None = None) -> None:
    """Raise `DataError` where a judgement breaks the table in `Judgement`'s docstring.

    Args:
        judgement: The record to check.
        n_responses: Responses in its group; `on` and `shown` must point inside.
        file: Place for the message.
        row: Place for the message.
    """

    def bad(code: str, message: str) -> DataError:
        return DataError(code, message, file=file, row=row)

    arity = {"rating": (1,), "comparison": (2,), "steps": (1,), "label": (0, 1, 2)}.get(judgement.kind)
    if arity is not None and len(judgement.on) not in arity:
        expected = " or ".join(map(str, arity))
        raise bad("bad-judgement", f"{judgement.kind}: on={list(judgement.on)}; expected {expected} response(s)")
    for item in (*judgement.on, *(judgement.shown or ())):
        if not 0 <= item < n_responses:
            raise bad("bad-judgement", f"{judgement.kind}: on={item}; the group has {n_responses} responses (0-based)")
    if judgement.value is not None and math.isnan(judgement.value):
        raise bad("nan-score", f"{judgement.kind}: value is NaN; expected a number")
    if judgement.kind == "rating":
        if judgement.value is None:
            raise bad("missing-field", "rating: value: missing; a rating needs one")
        if (judgement.low is not None and judgement.value < judgement.low) or (
            judgement.high is not None and judgement.value > judgement.high
        ):
            raise bad(
                "off-scale",
                f"rating: value {judgement.value:g}; expected {judgement.low:g} to {judgement.high:g}"
                if judgement.low is not None and judgement.high is not None
                else f"rating: value {judgement.value:g} is outside its stated scale",
            )
    if judgement.kind == "comparison" and judgement.value is not None and not 0 <= judgement.value <= 1:
        raise bad("off-scale", f"comparison: value {judgement.value:g}; expected a probability in [0, 1]")
    if judgement.kind == "ranking":
        if judgement.values is None or len(judgement.values) != len(judgement.on):
            raise bad("bad-judgement", "ranking: values and on differ in length")
        if len(set(judgement.on)) != len(judgement.on):
            raise bad("bad-judgement", f"ranking: on={list(judgement.on)} names a response twice")
