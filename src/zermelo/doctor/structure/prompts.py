"""Prompts that come more than once, and conversations that begin alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Result, Skipped
from zermelo.doctor.structure.flagged import EXCERPT, SHOWN, found_rows
from zermelo.doctor.structure.rows import repeats

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.feedback.records import Prompt

__all__ = ["Prompts"]


@dataclass(frozen=True)
class Prompts:
    """Rows whose prompt is an earlier row's; where most prompts come again by design, that is no fault:
    two rows a prompt, or one and a half where a row holds one labelled answer.

    Details count rows whose first human turn is an earlier row's (`first_turns`): a split by prompts that looks at
    whole conversations puts them on both sides.
    """

    id: ClassVar[str] = "structure.prompts"
    asks: ClassVar[str] = "do prompts repeat?"

    def run(self, case: Case) -> Sequence[Result]:
        from zermelo.feedback.neardup import plain_prompt
        from zermelo.feedback.records import prompt_key
        from zermelo.feedback.schema import prompts_from_arrow

        rows: list[int] = []
        keys: list[int] = []
        begins: list[int] = []
        for positions, batch in case.feedback.source.batches(("prompt", "prompt_messages"), case.feedback.rows):
            for row, prompt in zip(positions.tolist(), prompts_from_arrow(batch), strict=True):
                if prompt is not None and plain_prompt(prompt).strip():
                    rows.append(row)
                    plain = isinstance(prompt, str)
                    keys.append(hash(prompt.strip()) if plain else hash(prompt_key(prompt)))  # type: ignore[union-attr]
                    begins.append(hash(_first_turn(prompt)))
        if not rows:
            return [Skipped(self.id, "no row has a prompt")]
        places = np.array(rows, np.int64)
        again, origin = repeats(np.array(keys, np.int64).view(np.uint64))
        turns, of_turn = repeats(np.array(begins, np.int64).view(np.uint64))
        distinct = len(rows) - int(again.sum())
        single = (
            int((~case.texts.is_prompt).sum()) < 1.5 * case.n_rows
        )  # an answer a row: good and bad ones of a prompt
        by_design = len(rows) >= (1.5 if single else 2) * distinct and len(rows) > 2
        found = places[again]
        uses = np.bincount(origin, minlength=len(rows))[origin[again]]
        shown = case.feedback.at(found[:SHOWN].tolist()) if len(found) else {}
        first = places[origin[again]]
        return found_rows(
            case,
            self.id,
            found,
            uses.astype(np.float64),
            title="{rows} of {of} rows ({share}) ask what an earlier row has asked"
            + (f"; {len(rows) / distinct:,.1f} rows a prompt, so by design" if by_design else ""),
            passed="no prompt comes twice",
            effect="Repeated prompts weigh more than others, and in a split by rows they stand on both sides: what is"
            " measured there is memory.",
            source='"Deduplicating Training Data Makes Language Models Better", 2021, arXiv 2107.06499',
            remedy="split by prompt (`zermelo convert --split` does), merge the rows of a prompt into one group, or"
            " weigh them down",
            fix="" if by_design else "dedupe-prompts",
            most="info" if by_design else "high",
            details={
                "distinct": float(distinct),
                "first_turns": float(turns.sum()),
                "first_turns_shared": float((np.bincount(of_turn)[of_turn] > 1).sum()),
            },
            examples=[
                Example(row, plain_prompt(shown[row].prompt)[:EXCERPT], f"as row {first[at]}")
                for at, row in enumerate(found[:SHOWN].tolist())
            ],
        )


def _first_turn(prompt: Prompt) -> str:
    if isinstance(prompt, str):
        return prompt.strip()
    turns = [message.content.strip() for message in prompt if message.role == "user"]
    return turns[0] if turns else prompt[0].content.strip()
