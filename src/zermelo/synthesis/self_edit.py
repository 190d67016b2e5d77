"""RISE: pairs whose rejected side is the chosen one, edited in a few places to be subtly wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.synthesis.edits import NUMBER, OPERATORS, sound, trimmed

__all__ = [
    "ERROR_OPERATORS",
    "Edit",
    "SelfEditPair",
    "applicable_operators",
    "edit_request",
    "edit_span",
    "pairs_to_groups",
    "parse_edit",
    "rule_editor",
    "self_edit_pairs",
    "strip_boxed",
]

# operator → the instruction for a model that edits
ERROR_OPERATORS: Mapping[str, str] = {
    "change_value": "Change the numeric value in this step.",
    "change_values": "Change one numeric value in this step, or a series of values that belong together.",
    "wrong_substitution": "Substitute a wrong value or symbol into a calculation of this step.",
    "delete_term": "Leave out one term of a calculation in this step.",
    "change_symbol": "Change one calculation symbol (+, −, *, /) in this step.",
    "swap_terms": "Swap two terms of a calculation in this step.",
    "misread_words": "Change words of this step so that it misreads the question.",
}
STEPS = r"(?:^|\n)Step \d+:"  # the marker before each numbered step
LINES = r"(?m)^(?=[^\n])"  # for solutions with one step per line

_CORRECTING = ("a mistake", "let's reconsider", "the correct", "misleading", "python")
_ADMITTING = (*_CORRECTING, "mistakenly", "incorrect", "wrong")
_FENCED = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Edit:
    """One request to an editor: corrupt `span` of the step that follows `prefix`, by `operator`."""

    question: str
    prefix: str
    step: str
    span: str
    operator: str


@dataclass(frozen=True)
class SelfEditPair:
    """One preference: `prompt` and `prefix` stand, `chosen` ≻ `rejected` follow.

    Args:
        prompt: The question.
        prefix: The beginning of the answer that both sides share, '' for whole solutions.
        chosen: A correct solution, or one correct step.
        rejected: An incorrect sample, or that step with an error in it.
        kind: `full` or `step`.
        operator: The error put in, '' for `full`.
        span: Where in `chosen` the edit was allowed, in characters.
        origin: Id of the group it was made from.
    """

    prompt: str
    prefix: str
    chosen: str
    rejected: str
    kind: Literal["full", "step"]
    operator: str = ""
    span: tuple[int, int] = (0, 0)
    origin: str = ""


Editor = Callable[[Edit, random.Random], "str | None"]


@dataclass(frozen=True)
class _Editing:
    editor: Editor
    operators: Callable[[str], Sequence[str]]


def self_edit_pairs(
    groups: Iterable[Group],
    *,
    seed: int,
    editor: Editor | None = None,
    operators: Callable[[str], Sequence[str]] | None = None,
    marker: str = STEPS,
    step_pairs: int = 1,
    wrong: Callable[[Group, str, str], bool] | None = None,
) -> tuple[SelfEditPair, ...]:
    """Preference pairs by error-injected self-editing.

        D = {(x, y⁺, y⁻)} ∪ {(x ⊕ y⁺_{<k}, y⁺_k, E(y⁺_k))}

    For each group with a right and a wrong response (by its labels): one *full* pair of a random right and a random
    wrong response, and `step_pairs` *step* pairs of random steps k of that right response, with E an editor that puts
    one error into the step: an operator drawn uniformly among those that apply to the edit span. Then plain DPO on
    (prompt ⊕ prefix, chosen, rejected); the rejected ends with the edited step, so that sound text after it is not
    punished. The released run has β = 0.4; + α·NLL(chosen) with a small α is DPO + NLL.

    Right responses that talk of mistakes are left out, as are edits that admit one, edits outside the span, and edits
    that stay true (`wrong`, and the equalities of the step). `\\boxed{…}` wrappers are taken off a rejected step.

    Args:
        groups: Groups with label judgements (1 right, 0 wrong) on their responses.
        seed: Each group's stream is derived from it and the group's id.
        editor: (request, rng) → the span, edited; None where it cannot. By default the rules of `synthesis.edits`. A
            language model takes the place of the rules with `edit_request` and `parse_edit`.
        operators: span → operators that apply to it, for an editor with an error list of its own; by default the
            paper's list and conditions (`applicable_operators`).
        marker: Regular expression of what begins a step (`STEPS`: "Step k:"; `LINES`: every line).
        step_pairs: Step pairs per group, ≥ 0; the paper's data has one. 0 gives sampled pairs alone.
        wrong: (group, prefix, edited step) → True where it is really wrong; for worlds with a checker.
    Returns:
        Per group its full pair, then its step pairs.
    Raises:
        SettingError: step_pairs is negative.
    Source: "Subtle Errors (Matter | in Reasoning): Preference Learning via Error-injected Self-editing", ACL 2025,
        arXiv 2410.06638; the order of draws and the rule editor are ours.
    """
    if step_pairs < 0:
        raise SettingError("bad-setting", f"step_pairs must be at least 0. Got {step_pairs!r}")
    editing = _Editing(editor or rule_editor, operators or applicable_operators)
    pairs: list[SelfEditPair] = []
    for group in groups:
        question = _question(group)
        right, wrongs = _sides(group, question)
        if not right or not wrongs:
            continue
        rng = random.Random(f"self-edit:{seed}:{group.id}")
        chosen = rng.choice(right)
        pairs.append(SelfEditPair(question, "", chosen, rng.choice(wrongs), "full", origin=group.id))
        steps = [(match.end(), stop) for match, stop in _steps(chosen, marker)]
        rng.shuffle(steps)
        made = 0
        for start, stop in steps:
            if made == step_pairs:
                break
            pair = _edited(group, question, chosen[:start], chosen[start:stop], editing, wrong, rng)
            if pair is not None:
                pairs.append(pair)
                made += 1
    return tuple(pairs)


def pairs_to_groups(pairs: Iterable[SelfEditPair]) -> tuple[Group, ...]:
    """One group per pair: prompt ⊕ prefix, two responses, one declared comparison.

    Step responses carry `finish="cut"`: no end token belongs after them.
    """
    groups = []
    for index, pair in enumerate(pairs):
        finish: Literal["cut"] | None = "cut" if pair.kind == "step" else None
        meta = {"kind": pair.kind, "operator": pair.operator, "span": list(pair.span), "origin": pair.origin}
        responses = (
            Response(text=pair.chosen, source="sampled", finish=finish),
            Response(text=pair.rejected, source="sampled" if pair.kind == "full" else "injection", finish=finish),
        )
        judgement = Judgement("comparison", (0, 1), by="self_edit", value=1.0, outcome="first", note=pair.operator)
        prompt = pair.prompt + pair.prefix
        groups.append(Group(f"{pair.origin}/{pair.kind}-{index}", prompt, responses, (judgement,), meta=meta))
    return tuple(groups)


def edit_span(step: str) -> tuple[int, int]:
    """Where a step may be edited: from its fourth-last sentence on if it has more than three, else all of it.

    Sentences end at a newline or at ". ".
    """
    starts = [0, *(match.end() for match in re.finditer(r"\n+|\. ", step))]
    starts = [start for index, start in enumerate(starts) if step[start : [*starts, len(step)][index + 1]].strip()]
    return (starts[-4] if len(starts) > 3 else 0), len(step)


def applicable_operators(span: str) -> tuple[str, ...]:
    """Operators that apply to a span: by its numbers, by an equals sign, words only where it has neither."""
    n_numbers = len(NUMBER.findall(span))
    found = ["change_value"] if n_numbers == 1 else ["change_values"] if n_numbers > 1 else []
    if "=" in span:
        found += ["wrong_substitution", "delete_term", "change_symbol", "swap_terms"]
    if not any(character.isdigit() for character in span) and "=" not in span:
        found.append("misread_words")
    return tuple(found)


def rule_editor(edit: Edit, rng: random.Random) -> str | None:
    """Edit by rule: the operator's own function in `synthesis.edits`."""
    return OPERATORS[edit.operator](edit.span, rng)


def edit_request(edit: Edit) -> str:
    """The prompt for a model that edits; its answer is read by `parse_edit`."""
    return (
        f"Question:\n{edit.question}\n\nThe answer so far:\n{edit.prefix}\n\nThe current step:\n{edit.step}\n\n"
        f"Rewrite this part of the current step:\n```\n{edit.span}\n```\n{ERROR_OPERATORS[edit.operator]} "
        "Change as little as you can, and do not say that an error was made. "
        "Give the rewritten part alone, in one fenced block."
    )


def parse_edit(answer: str) -> str | None:
    """The first fenced block of a model's answer; None where it has none, or admits the error."""
    found = _FENCED.search(answer)
    return None if found is None or _says(found[1], _ADMITTING) else found[1].removesuffix("\n")


def strip_boxed(text: str) -> str:
    r"""Take off every `\boxed{…}`, its content kept: `\boxed{\frac{1}{2}}` → `\frac{1}{2}`."""
    opening = "\\boxed{"
    while (start := text.find(opening)) >= 0:
        depth, end = 1, start + len(opening)
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        inner_end = end - 1 if depth == 0 else end  # an unclosed box runs to the end
        text = text[:start] + text[start + len(opening) : inner_end] + text[end:]
    return text


def _edited(
    group: Group,
    question: str,
    prefix: str,
    step: str,
    editing: _Editing,
    wrong: Callable[[Group, str, str], bool] | None,
    rng: random.Random,
) -> SelfEditPair | None:
    start, stop = edit_span(step)
    span = step[start:stop]
    operators = editing.operators(span)
    for operator in rng.sample(operators, len(operators)):
        new = editing.editor(Edit(question, prefix, step, span, operator), rng)
        if new is None or new == span or _says(new, _ADMITTING):
            continue
        rejected = strip_boxed(step[:start] + new + step[stop:])
        if rejected == step or not _is_wrong(group, prefix, step, rejected, wrong):
            continue
        place, before, _ = trimmed(step, rejected)
        if place < start or place + len(before) > stop:  # a box taken off outside the span
            continue
        return SelfEditPair(question, prefix, step, rejected, "step", operator, (start, stop), group.id)
    return None


def _is_wrong(
    group: Group, prefix: str, step: str, rejected: str, wrong: Callable[[Group, str, str], bool] | None
) -> bool:
    if wrong is not None:
        return wrong(group, prefix, rejected)
    return sound(step) is not True or sound(rejected) is not True  # an edit that stays true is no error


def _steps(text: str, marker: str) -> list[tuple[re.Match[str], int]]:
    """(marker, end of its step) of each step."""
    found = list(re.finditer(marker, text))
    stops = [match.start() for match in found[1:]] + [len(text)]
    return [(match, stop) for match, stop in zip(found, stops, strict=True) if text[match.end() : stop].strip()]


def _sides(group: Group, question: str) -> tuple[list[str], list[str]]:
    labels = {
        judgement.on[0]: judgement.value
        for judgement in group.judgements
        if judgement.kind == "label" and len(judgement.on) == 1 and judgement.value is not None
    }
    exempt = any(word in question.lower() for word in ("wrong", "correct"))
    right, wrong = [], []
    for index, value in labels.items():
        text = group.responses[index].content
        if value <= 0.5:
            wrong.append(text)
        elif exempt or not _says(text, _CORRECTING):
            right.append(text)
    return right, wrong


def _says(text: str, words: tuple[str, ...]) -> bool:
    low = text.lower()
    return any(word in low for word in words)


def _question(group: Group) -> str:
    if group.prompt is None:
        return ""
    return group.prompt if isinstance(group.prompt, str) else group.prompt[-1].content
