"""Marks of chat templates that leaked into texts, taken out of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from zermelo.doctor.fixes.dropping import flagged_rows
from zermelo.doctor.fixes.history import changed
from zermelo.doctor.fixes.protocol import Findings, Plan
from zermelo.feedback.records import Group, Prompt, Response

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["StripTemplate", "stripped"]

ROLE = r"(?:system|user|assistant|tool|developer|model|ipython)"
# a mark with the role that it opens and the line end after it; then every mark that the audits look for
WHOLE = rf"<\|(?:im_start|start_header_id)\|>\s*(?:{ROLE})?(?:<\|end_header_id\|>)?\n*|<start_of_turn>\s*(?:{ROLE})?\n?"
AUDITS = ("structure.template", "structure.bos", "structure.eos")


@cache
def _marks() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What is taken out, and where another speaker begins."""
    from zermelo.doctor.structure.patterns import BOS, EOS, MARKS, python_regex
    from zermelo.doctor.structure.patterns import ROLE as SPEAKER

    return python_regex(rf"{WHOLE}|{MARKS}|^\s*(?:{BOS})|(?:{EOS})"), python_regex(SPEAKER)


def stripped(text: str, *, answer: bool = False) -> str:
    """A text without marks of chat templates; the spaces that stood around them at its ends go too.

    Args:
        text: Prompt or answer.
        answer: Cut it, too, where another speaker begins; a speaker's mark at its beginning goes alone.
    """
    marks, speaker = _marks()
    before = None
    found = text
    while found != before:  # what is left of two marks may be a third
        before = found
        found = marks.sub("", found)
        if answer and (met := speaker.search(found)) is not None:
            found = found[met.end() :] if not found[: met.start()].strip() else found[: met.start()]
        if found != before:
            found = found.strip()
    return found


@dataclass(frozen=True)
class StripTemplate:
    """Take leaked template marks out of prompts and answers; sampled ids go with a changed text, since they hold them.

    An answer is cut where another speaker begins. End tokens as text go from all answers, the trainer adds its own.
    """

    name: str = "strip-template"
    needs: tuple[str, ...] = AUDITS

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        def change(row: int, group: Group) -> Group:
            prompt = _prompt(group.prompt)
            responses = tuple(_response(item) for item in group.responses)
            return changed(group, replace(group, prompt=prompt, responses=responses), fix=self.name)

        rows = [flagged_rows(findings, audit) for audit in AUDITS]
        if findings.get("structure.eos"):  # it names the few that differ, with or without
            rows.append(case.texts.row[case.texts.seen("eos")])
        return Plan(edit=np.unique(np.concatenate(rows)), change=change)


def _prompt(prompt: Prompt | None) -> Prompt | None:
    if prompt is None or isinstance(prompt, str):
        return None if prompt is None else stripped(prompt)
    return tuple(replace(turn, content=stripped(turn.content)) for turn in prompt)


def _response(response: Response) -> Response:
    text = None if response.text is None else stripped(response.text, answer=True)
    turns = response.messages
    turns = (
        None
        if turns is None
        else tuple(replace(turn, content=stripped(turn.content, answer=turn.role == "assistant")) for turn in turns)
    )
    new = replace(response, text=text, messages=turns, prompt=_prompt(response.prompt))
    if new.text == response.text and new.messages == response.messages:
        return new
    return replace(new, token_ids=None, logprobs=None)
