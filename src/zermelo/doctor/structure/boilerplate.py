"""Openings and closings that many answers share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.doctor.structure.flagged import SHOWN, at_most
from zermelo.doctor.structure.rows import Texts, sampled_texts
from zermelo.errors import positive, unit_interval
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Boilerplate"]

LEAST = 5  # answers
SPAN = 400  # characters looked at, at either end


@dataclass(frozen=True)
class Boilerplate:
    """Answers whose first or last words are those of many different answers, on a seeded sample of rows.

    Style rather than damage, so never more than low here; `shortcut.ngram` says whether it decides pairs.

    Args:
        words: Words of an opening or closing.
        share: Share of answers from which a wording counts, in [0, 1]; and at least five.
        n: Rows looked at.
    Raises:
        SettingError: a setting is out of range.
    """

    id: ClassVar[str] = "structure.boilerplate"
    asks: ClassVar[str] = "do many answers begin or end alike?"
    words: int = 5
    share: float = 0.01
    n: int = 20_000

    def __post_init__(self) -> None:
        positive(self, "words", "n")
        unit_interval(self, "share")

    def run(self, case: Case) -> Sequence[Result]:
        sample = sampled_texts(case, self.n)
        found = self._wordings(sample)
        total = len({text for answers in sample.answers for text in answers if text.strip()})
        if not total:
            return [Skipped(self.id, "the data holds no answers, only their sources")]
        least = max(LEAST, self.share * total)
        common = {key: rows for key, (count, rows) in found.items() if count >= least}
        hits: Counter[int] = Counter(row for rows in common.values() for row in rows)
        share = wilson(len(hits), len(sample.row))
        if not hits:
            return [Passed(self.id, f"no opening or closing is shared by {self.share:.0%} of the answers", share)]
        order = sorted(common, key=lambda key: (-found[key][0], key))
        rows = np.array(sorted(hits), np.int64)
        return [
            Finding(
                audit=self.id,
                severity=at_most(severity_of_share(share.value), "low"),
                title=f"{len(order)} openings or closings are shared by many answers, in {len(hits):,} of"
                f" {len(sample.row):,} rows ({share.value:.1%})",
                figure=share,
                effect="Wordings that stand in many answers are learnt first and written everywhere; where one side"
                " holds more of them, they decide the pair.",
                remedy="cut them, or see with shortcut.ngram whether they decide pairs",
                fix="drop-flagged:structure.boilerplate",
                rows=rows,
                scores=np.array([hits[int(row)] for row in rows], float),
                examples=[
                    Example(min(common[key]), key[1], f"{key[0]} of {found[key][0]:,} answers") for key in order[:SHOWN]
                ],
                table={
                    "where": [key[0] for key in order[:50]],
                    "wording": [key[1] for key in order[:50]],
                    "share of answers": [found[key][0] / total for key in order[:50]],
                },
                details={"answers": float(total)},
            )
        ]

    def _wordings(self, sample: Texts) -> dict[tuple[str, str], tuple[int, list[int]]]:
        """(opening or closing, wording) → how many different answers have it, and in which rows."""
        texts: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for row, answers in zip(sample.row.tolist(), sample.answers, strict=True):
            for text in answers:
                head, tail = text[:SPAN].split(), text[-SPAN:].split()
                if len(head) <= self.words:
                    continue
                whole = hash(text)
                for key in (
                    ("opening", " ".join(head[: self.words]).lower()),
                    ("closing", " ".join(tail[-self.words :]).lower()),
                ):
                    texts[key].add(whole)
                    rows[key].append(row)
        return {key: (len(found), rows[key]) for key, found in texts.items() if len(found) >= LEAST}
