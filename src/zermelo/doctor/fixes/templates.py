"""Marks of chat templates that leaked into texts, taken out of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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
# a mark with the role that it opens and the line end after it, or alone
MARKS = re.compile(
    rf"<\|(?:im_start|start_header_id)\|>\s*(?:{ROLE})?(?:<\|end_header_id\|>)?\n*"
    rf"|<start_of_turn>\s*(?:{ROLE})?\n?"
    rf"|<\|(?:{ROLE}|im_end|eot_id|end_header_id|begin_of_text|end_of_text|endoftext|eom_id|end|sep|pad|assistant_end"
    r"|start_of_role|end_of_role|python_tag|user_end)\|>"
    r"|<(?:end_of_turn|bos|eos|pad)>"
    r"|</?s>|\[/?INST\]|<</?SYS>>"
    r"|<｜[^｜<>\n]{1,40}｜>"
)


def stripped(text: str) -> str:
    """A text without marks of chat templates; the spaces that stood around them at its ends go too."""
    found = MARKS.sub("", text)
    return text if found == text else found.strip()


@dataclass(frozen=True)
class StripTemplate:
    """Take leaked template marks out of prompts and answers; sampled ids go with a changed text, since they hold them.

    Args:
        audit: Whose rows are looked at.
    """

    audit: str = "structure.template"
    name: str = "strip-template"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.audit,)

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        def change(row: int, group: Group) -> Group:
            prompt = _prompt(group.prompt)
            responses = tuple(_response(item) for item in group.responses)
            return changed(group, replace(group, prompt=prompt, responses=responses), fix=self.name)

        return Plan(edit=np.asarray(flagged_rows(findings, self.audit)), change=change)


def _prompt(prompt: Prompt | None) -> Prompt | None:
    if prompt is None or isinstance(prompt, str):
        return None if prompt is None else stripped(prompt)
    return tuple(replace(turn, content=stripped(turn.content)) for turn in prompt)


def _response(response: Response) -> Response:
    text = None if response.text is None else stripped(response.text)
    turns = response.messages
    turns = None if turns is None else tuple(replace(turn, content=stripped(turn.content)) for turn in turns)
    new = replace(response, text=text, messages=turns, prompt=_prompt(response.prompt))
    if new.text == response.text and new.messages == response.messages:
        return new
    return replace(new, token_ids=None, logprobs=None)
