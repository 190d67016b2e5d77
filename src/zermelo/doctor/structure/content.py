"""What answers should seldom say: refusals, the name of a model, people's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Finding, Result
from zermelo.doctor.scan import TextCheck
from zermelo.doctor.structure.flagged import flagged
from zermelo.doctor.structure.patterns import around

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["REFUSAL", "Identity", "Personal", "Refusals", "sides_of"]

HEAD = 240  # characters
REFUSES = (
    r"(?i)\b(?:i(?:'m|’m| am) (?:very |so |really |truly |afraid )?(?:sorry|unable|not able|afraid)\b"
    r"|i (?:can(?:'|’)?t|cannot|can not|could not|won(?:'|’)?t|will not|must decline|have to decline|do not feel"
    r" comfortable|don(?:'|’)t feel comfortable|refuse)\b|i apologi[sz]e|my apologies|as an ai\b"
    r"|unfortunately, i (?:can|am)"
    r"|it (?:is|would be|'s) (?:not appropriate|inappropriate|unethical|illegal))"
)
PERSONAL = ("email", "phone", "iban", "card", "ip", "key")


def _refuses(text: pa.Array) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    head = pc.utf8_slice_codeunits(text, 0, HEAD)
    return np.asarray(pc.match_substring_regex(head, REFUSES).to_numpy(zero_copy_only=False), bool)


REFUSAL = TextCheck("refusal", _refuses, "responses")


def sides_of(case: Case, check: str) -> Mapping[str, float]:
    """How often a check sees something in preferred and in other answers, and how often the pair that differs in it
    is decided for the one that shows it."""
    table, pairs = case.texts, case.pairs
    if not pairs.num_rows:
        return {}
    row = pairs["row"].to_numpy().astype(np.int64)
    places = [table.place(row, pairs[name].to_numpy().astype(np.int64)) for name in ("win", "lose")]
    known = (places[0] >= 0) & (places[1] >= 0)
    if not known.any():
        return {}
    seen = table.seen(check)
    win, lose = (seen[place[known]] for place in places)
    found = {"share_chosen": float(win.mean()), "share_rejected": float(lose.mean())}
    if (win != lose).any():
        found["wins_where_they_differ"] = float(win[win != lose].mean())
        found["pairs_that_differ"] = float((win != lose).sum())
    return found


def _with_sides(case: Case, check: str, results: Sequence[Result]) -> Sequence[Result]:
    return [
        replace(result, details={**result.details, **sides_of(case, check)}) if isinstance(result, Finding) else result
        for result in results
    ]


@dataclass(frozen=True)
class Refusals:
    """Answers that begin by declining. No fault by itself, so never more than medium; who is preferred matters."""

    id: ClassVar[str] = "structure.refusals"
    asks: ClassVar[str] = "how many answers decline?"

    def run(self, case: Case) -> Sequence[Result]:
        found = flagged(
            case,
            self.id,
            "refusal",
            title="{rows} of {of} rows ({share}) hold an answer that declines or apologises",
            passed="no answer declines",
            effect="What wins where one of two answers declines is what the model learns to do; many preferred refusals"
            " of harmless prompts make it decline those too.",
            source='"XSTest: A Test Suite for Identifying Exaggerated Safety Behaviours", 2023, arXiv 2308.01263',
            remedy="look at the pairs that differ in it; drop refusals of harmless prompts",
            fix="drop-flagged:structure.refusals",
            most="medium",
        )
        return _with_sides(case, "refusal", found)


@dataclass(frozen=True)
class Identity:
    """Answers that name a model or its maker as their author, or say 'as an AI language model'."""

    id: ClassVar[str] = "structure.identity"
    asks: ClassVar[str] = "do answers say which model wrote them?"

    def run(self, case: Case) -> Sequence[Result]:
        found = flagged(
            case,
            self.id,
            "identity",
            title="{rows} of {of} rows ({share}) hold an answer that speaks as a (named) AI model",
            passed="no answer speaks as a named AI model",
            effect="The trained model takes the name over; where one source says it, it gives the source away.",
            remedy="drop these answers, or take the sentences out",
            fix="drop-flagged:structure.identity",
            show=around(("identity",)),
        )
        return _with_sides(case, "identity", found)


@dataclass(frozen=True)
class Personal:
    """E-mail addresses, phone numbers, IBANs and card numbers with right check digits, public IP addresses, keys."""

    id: ClassVar[str] = "structure.personal"
    asks: ClassVar[str] = "do the texts hold personal data or secrets?"

    def run(self, case: Case) -> Sequence[Result]:
        return flagged(
            case,
            self.id,
            PERSONAL,
            title="{rows} of {of} rows ({share}) hold what looks like personal data or a secret",
            passed="nothing that looks like personal data or a secret",
            effect="Models repeat what they have seen word for word, addresses and keys included.",
            source='"Extracting Training Data from Large Language Models", 2020, arXiv 2012.07805',
            remedy="put placeholders in their place, or drop the rows",
            fix="drop-flagged:structure.personal",
            show=around(PERSONAL, masked=True),
        )
