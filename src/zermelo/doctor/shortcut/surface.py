"""Do format and style predict the label?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Result, Skipped
from zermelo.doctor.shortcut.features import FORMAT, STYLE, Measures, measured
from zermelo.doctor.shortcut.probe import probed
from zermelo.doctor.shortcut.verdict import sampled_pairs, shortcut

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Format", "Style"]

MOST_PAIRS = 3_000


@dataclass(frozen=True)
class Format:
    """A judge that sees lists, code, headers, bold, tables and paragraphs, and no word."""

    id: ClassVar[str] = "shortcut.format"
    asks: ClassVar[str] = "does markdown predict the label?"

    def run(self, case: Case) -> Sequence[Result]:
        return _judged(
            case,
            self.id,
            FORMAT,
            judge="format",
            effect="A policy trained on it decorates: lists, headers and bold where a sentence would do.",
            source='"From Lists to Emojis: How Format Bias Affects Model Alignment", 2024, arXiv 2409.11704',
            remedy="strip the format before judging, or balance pairs by format",
        )


@dataclass(frozen=True)
class Style:
    """A judge that sees punctuation, capitals, hedges, politeness and person, and no other word."""

    id: ClassVar[str] = "shortcut.style"
    asks: ClassVar[str] = "does style predict the label?"

    def run(self, case: Case) -> Sequence[Result]:
        return _judged(
            case,
            self.id,
            STYLE,
            judge="style",
            effect="A reward model learns the manner of speaking: exclamation marks, hedges or confidence are rewarded"
            " whatever they stand beside.",
            source='"Towards Understanding Sycophancy in Language Models", 2023, arXiv 2310.13548',
            remedy="control for style when ranking, or balance pairs by the marks below",
        )


def _judged(
    case: Case, audit: str, measures: Measures, *, judge: str, effect: str, source: str, remedy: str
) -> Sequence[Result]:
    pairs = sampled_pairs(case)
    if isinstance(pairs, str):
        return [Skipped(audit, pairs)]
    sample, kept, group = pairs
    if len(kept) > MOST_PAIRS:
        some = np.sort(np.random.default_rng((case.seed, 77)).choice(len(kept), MOST_PAIRS, replace=False))
        kept, group = kept[some], group[some]
    sides = [measured([side[at] for at in kept], measures) for side in (sample.chosen, sample.rejected)]
    delta = sides[0] - sides[1]
    if not delta.any():
        return [Skipped(audit, f"the answers of every pair have the same {judge}")]
    found = probed(delta, group, seed=case.seed)
    spread = np.sqrt((delta * delta).mean(0))
    pull = found.weights * spread
    order = np.argsort(-abs(pull), kind="stable")
    names = list(measures)
    differ = [delta[:, at] != 0 for at in range(len(names))]
    alone = [float((delta[differ[at], at] > 0).mean()) if differ[at].any() else None for at in range(len(names))]
    return shortcut(
        case,
        audit,
        found,
        sample.row[kept],
        judge=f"{judge} ({'more' if pull[order[0]] > 0 else 'fewer'} {names[order[0]]} wins)",
        effect=effect,
        source=source,
        remedy=remedy,
        table={
            "mark": [names[at] for at in order],
            "weight": [float(pull[at]) for at in order],
            "wins where it is more": [alone[at] for at in order],
            "pairs that differ": [int(differ[at].sum()) for at in order],
        },
        of=sample.of,
    )
