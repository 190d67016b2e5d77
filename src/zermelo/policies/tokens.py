"""Groups as ids: the one place where prompt and response ids are made and put together.

Ids that a sampler kept are used as they are; text is tokenised in two calls, prompts and responses apart, so that a
response's ids always follow exactly the ids it would be sampled behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from zermelo.errors import DataError, SettingError, one_of
from zermelo.feedback.records import Group, Message, Prompt, Response
from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse
from zermelo.policies.template import Chat, Template

if TYPE_CHECKING:
    from zermelo.policies.policy import Policy

__all__ = ["Overlong", "Place", "Tokenised", "tokenise"]

Overlong = Literal["drop", "cut", "error"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token group came from: index of the group, indices of its responses, in the token group's order."""

    group: int
    responses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tokenised:
    """Ids, where they came from, and what was left out.

    Args:
        tokens: One token group per group and distinct prompt.
        index: Aligned with `tokens.groups`.
        counts: `overlong_prompt`, `overlong_response` (responses dropped or cut), `no_prompt`, `no_text` (responses
            whose text is not known), `dropped_responses`, `dropped_groups` (groups with no response left); each 0 or
            more.
    """

    tokens: TokenGroups
    index: tuple[Place, ...]
    counts: Mapping[str, int]


@dataclass(slots=True)
class _Draft:
    """A response on its way to ids."""

    prompt: int  # into the list of prompts
    ids: tuple[int, ...]
    weight: tuple[float, ...] | None = None
    step: tuple[int, ...] | None = None
    finished: bool = True


def tokenise(
    groups: Sequence[Group],
    policy: Policy | Template,
    *,
    max_tokens: int | None = None,
    context: int | None = None,
    overlong: Overlong = "drop",
    chat: Chat | None = None,
) -> Tokenised:
    """Prompts and responses of groups as ids.

    A response that was sampled by this policy keeps its `token_ids` and `prompt_ids`. Any other is its text, then the
    end token unless `finish` is `cut` or `error`. In a response of several messages only what the assistant wrote has
    weight 1; tool output and the marks between turns have weight 0. Responses of a group with different prompts
    (`Response.prompt`, or other `prompt_ids`) become token groups of their own, `ID/1`, `ID/2`, …, beside `ID`.

    Args:
        groups: Groups; those without prompt are left out and counted.
        policy: The policy, or its template alone.
        max_tokens: Longest response, the end token included; None = only the context limits.
        context: Longest prompt + response; None = the policy's.
        overlong: What happens to a longer one: `drop` it; `cut` it (a response loses its end and is no longer
            finished, a prompt loses its beginning); `error`.
        chat: Overrides the template's `chat`.
    Raises:
        DataError: something is too long and `overlong="error"`.
        SettingError: the template fails, or is not a prefix template for a response of several messages.
    """
    template, context = _parts(policy, context)
    template = template if chat is None else template.with_chat(chat)
    limits = _Limits(max_tokens, context, overlong)
    counts: Counter[str] = Counter()
    drafts, prompts = _drafts(groups, template, counts)
    made: list[TokenGroup] = []
    index: list[Place] = []
    for number, (group, own) in enumerate(zip(groups, drafts, strict=True)):
        by_prompt: dict[tuple[int, ...], list[int]] = {}
        for at, draft in own.items():
            by_prompt.setdefault(prompts[draft.prompt], []).append(at)
        kept = 0
        for ids, members in by_prompt.items():
            fitted = limits.fit(group.id, ids, {at: own[at] for at in members}, counts)
            if fitted is None:
                continue
            prompt, responses = fitted
            made.append(TokenGroup(group.id if kept == 0 else f"{group.id}/{kept}", prompt, tuple(responses.values())))
            index.append(Place(number, tuple(responses)))
            kept += 1
        counts["dropped_groups"] += kept == 0
    counts["dropped_responses"] = sum(len(group.responses) for group in groups) - sum(len(p.responses) for p in index)
    names = ("overlong_prompt", "overlong_response", "no_prompt", "no_text", "dropped_responses", "dropped_groups")
    return Tokenised(TokenGroups(tuple(made)), tuple(index), {name: counts[name] for name in names})


@dataclass(frozen=True)
class _Limits:
    max_tokens: int | None
    context: int | None
    overlong: Overlong

    def __post_init__(self) -> None:
        one_of(self, "overlong", ("drop", "cut", "error"))
        for name in ("max_tokens", "context"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingError("bad-setting", f"{name} must be at least 1. Got {value}")

    def fit(
        self, name: str, prompt: tuple[int, ...], drafts: Mapping[int, _Draft], counts: Counter[str]
    ) -> tuple[tuple[int, ...], dict[int, TokenResponse]] | None:
        """The prompt and those responses that fit, cut where asked; None where nothing is left."""
        if self.context is not None and len(prompt) >= self.context:
            self._complain(name, f"prompt of {len(prompt)} tokens; the context is {self.context}")
            counts["overlong_prompt"] += 1
            if self.overlong == "drop" or self.context < 2:
                return None
            longest = max(len(draft.ids) for draft in drafts.values())
            room = self.context - max(1, min(longest, self.max_tokens or longest, self.context // 2))
            prompt = prompt[-room:]
        room_left = None if self.context is None else self.context - len(prompt)
        limit = min((n for n in (self.max_tokens, room_left) if n is not None), default=None)
        responses: dict[int, TokenResponse] = {}
        for at, draft in drafts.items():
            if limit is not None and len(draft.ids) > limit:
                self._complain(name, f"response {at} of {len(draft.ids)} tokens; {limit} fit", limit=limit)
                counts["overlong_response"] += 1
                if self.overlong == "drop":
                    continue
                draft = replace(
                    draft,
                    ids=draft.ids[:limit],
                    weight=draft.weight and draft.weight[:limit],
                    step=draft.step and draft.step[:limit],
                    finished=False,
                )
            responses[at] = TokenResponse(draft.ids, draft.weight, draft.step, draft.finished)
        return (prompt, responses) if responses else None

    def _complain(self, name: str, what: str, limit: int | None = None) -> None:
        if self.overlong == "error":
            raise DataError("overlong", f"group {name}: {what}", hint="overlong: drop or cut; or raise max_tokens")


def _parts(policy: Policy | Template, context: int | None) -> tuple[Template, int | None]:
    if isinstance(policy, Template):
        return policy, context
    return policy.template, policy.max_length if context is None else context


def _drafts(
    groups: Sequence[Group], template: Template, counts: Counter[str]
) -> tuple[list[dict[int, _Draft]], list[tuple[int, ...]]]:
    """Per group: response index → draft; and the prompts that drafts point into."""
    prompts = _Prompts(template)
    drafts: list[dict[int, _Draft]] = []
    texts: list[tuple[_Draft, Response, str]] = []
    for group in groups:
        own: dict[int, _Draft] = {}
        for at, response in enumerate(group.responses):
            prompt = group.prompt if response.prompt is None else response.prompt
            if response.token_ids:
                if response.prompt_ids is None and prompt is None:
                    counts["no_prompt"] += 1
                    continue
                where = prompts.known(response.prompt_ids) if response.prompt_ids else prompts.add(prompt, group.meta)
                own[at] = _sampled(response, where, template)
            elif prompt is None:
                counts["no_prompt"] += 1
            elif response.messages is not None and not _is_text(response):
                own[at] = _turns(prompt, response, prompts.add(prompt, group.meta), template, group.meta)
            elif response.text is None and response.messages is None:
                counts["no_text"] += 1
            else:
                own[at] = _Draft(prompts.add(prompt, group.meta), ())
                texts.append((own[at], response, template.lead(prompt)))
        drafts.append(own)
    _fill(texts, template)
    return drafts, prompts.ids()


class _Prompts:
    """Prompts collected, tokenised once each in one call."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._place: dict[object, int] = {}
        self._made: list[tuple[int, ...] | None] = []
        self._open: list[tuple[int, Prompt, Mapping[str, Any]]] = []

    def known(self, ids: Sequence[int]) -> int:
        return self._at(tuple(ids), tuple(ids))

    def add(self, prompt: Prompt | None, meta: Mapping[str, Any]) -> int:
        assert prompt is not None
        special = repr((meta.get("tools"), meta.get("chat_template_kwargs"))) if meta else ""
        key = (isinstance(prompt, str), prompt if isinstance(prompt, str) else repr(prompt), special)
        if key in self._place:
            return self._place[key]
        at = self._at(key, None)
        self._open.append((at, prompt, meta))
        return at

    def ids(self) -> list[tuple[int, ...]]:
        made = self._template.prompts([p for _, p, _ in self._open], [m for _, _, m in self._open])
        for (at, _, _), ids in zip(self._open, made, strict=True):
            self._made[at] = ids
        return [ids or () for ids in self._made]

    def _at(self, key: object, ids: tuple[int, ...] | None) -> int:
        if key not in self._place:
            self._place[key] = len(self._made)
            self._made.append(ids)
        return self._place[key]


def _is_text(response: Response) -> bool:
    turns = response.messages or ()
    return response.messages is None or (len(turns) == 1 and turns[0].role == "assistant" and not turns[0].extra)


def _ended(response: Response) -> bool:
    return response.finish not in ("cut", "error")


def _sampled(response: Response, prompt: int, template: Template) -> _Draft:
    ids = tuple(response.token_ids or ())
    # a response that a stop text ended is stopped, but shows no end token to train on
    finished = ids[-1] in {*template.end_ids, template.turn_end} and response.finish != "cut"
    step = None
    if response.steps is not None:
        step = _step_map(_offsets(ids, template), response.content, response.steps)
    return _Draft(prompt, ids, None, step, finished)


def _fill(texts: Sequence[tuple[_Draft, Response, str]], template: Template) -> None:
    """Tokenise all text responses in one call."""
    made = template.responses([lead + response.content for _, response, lead in texts])
    end = template.end_id
    for (draft, response, lead), ids in zip(texts, made, strict=True):
        draft.finished = _ended(response) or not ids  # an empty response is its end token
        draft.ids = (*ids, end) if draft.finished else ids
        if response.steps is not None:
            ends = [max(0, at - len(lead)) for at in _offsets(draft.ids, template)]
            draft.step = _step_map(ends, response.content, response.steps)


def _offsets(ids: Sequence[int], template: Template) -> list[int]:
    """End of each id in the response's text, in characters; ids that make no text end where the one before did."""
    whole = template.decode(ids)
    each = [len(template.decode([token])) for token in ids]
    if sum(each) == len(whole):
        total, ends = 0, []
        for length in each:
            total += length
            ends.append(total)
        return ends
    # characters of several ids, or spaces that depend on the neighbour: decode every beginning
    return [len(template.decode(ids[: t + 1]).rstrip("�")) for t in range(len(ids))]


def _step_map(ends: Sequence[int], text: str, steps: Sequence[str]) -> tuple[int, ...]:
    """Step of each id, by its last character; what stands between two steps belongs to the first, −1 before any."""
    starts, at = [], 0
    for step in steps:
        found = text.find(step.strip(), at)
        at = at if found < 0 else found
        starts.append(at)
        at += len(step.strip())
    out, step_now = [], -1
    for end in ends:
        while step_now + 1 < len(starts) and end > starts[step_now + 1]:
            step_now += 1
        out.append(step_now)
    return tuple(out)


def _turns(prompt: Prompt, response: Response, where: int, template: Template, meta: Mapping[str, Any]) -> _Draft:
    """A response of several messages: the assistant's words have weight 1, everything else 0."""
    pieces = _chat_pieces(prompt, response, template, meta) if template.uses_chat else _plain_pieces(response, template)
    ids: list[int] = []
    weight: list[float] = []
    end = template.end_id
    for text, trained in pieces:
        made = template.responses([text])[0]
        ids += made
        # what the template writes behind the end of a turn is never sampled
        spoken = len(made) if end not in made else made.index(end) + 1
        weight += [float(trained and t < spoken) for t in range(len(made))]
    last_is_answer = (response.messages or ())[-1].role == "assistant"
    finished = _ended(response) and last_is_answer
    if last_is_answer and end in ids:
        last = len(ids) - 1 - ids[::-1].index(end)
        if not template.decode(ids[last + 1 :]).strip():  # templates write a line break behind the end of a turn
            ids, weight = ids[: last + finished], weight[: last + finished]
    if finished and ids[-1:] != [end]:
        ids.append(end)
        weight.append(1.0)
    return _Draft(where, tuple(ids), tuple(weight), None, finished)


def _chat_pieces(
    prompt: Prompt, response: Response, template: Template, meta: Mapping[str, Any]
) -> Iterable[tuple[str, bool]]:
    """The rendered conversation cut at turns: (text, written by the assistant?)."""
    before = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
    seen = template.render(prompt, meta)
    for turn in response.messages or ():
        if turn.role == "assistant" and turn is not (response.messages or ())[0]:
            opened = template.render_turns(before, meta, opened=True)
            yield _behind(seen, opened), False
            seen = opened
        before = [*before, turn]
        whole = template.render_turns(before, meta)
        yield _behind(seen, whole), turn.role == "assistant"
        seen = whole


def _behind(seen: str, whole: str) -> str:
    if not whole.startswith(seen):
        raise SettingError(
            "not-a-prefix",
            "the chat template rewrites earlier turns, so a response of several messages cannot be cut at its turns",
            hint="keep one assistant message per response, or use a template that only appends",
        )
    return whole[len(seen) :]


def _plain_pieces(response: Response, template: Template) -> Iterable[tuple[str, bool]]:
    for at, turn in enumerate(response.messages or ()):
        if at:
            yield "\n\n", False
        yield turn.content, turn.role == "assistant"
