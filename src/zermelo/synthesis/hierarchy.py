"""Pairs down a hierarchy of answers, and whether asking for an explanation costs accuracy (medical RPO)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from zermelo.feedback.records import Group, Judgement
from zermelo.stats.paired import mcnemar

__all__ = ["Stability", "answer_levels", "explanation_stability", "hierarchy_pairs", "leaks"]

LEAK = re.compile(r"(?i)\b(since|as|because|given that)\s+(the\s+)?(correct\s+)?answer\s+(is|was)\b")


def leaks(explanation: str) -> bool:
    """Whether an explanation that was written with the answer at hand gives that away."""
    return LEAK.search(explanation) is not None


def answer_levels(
    answers: Sequence[str | None], gold: str, *, references: Sequence[bool], texts: Sequence[str] | None = None
) -> list[int | None]:
    """Level of each candidate: 3 a reference explanation, 2 an own one with the right answer, 1 with a wrong one.

    None: no answer could be read, a reference with a wrong answer, or (where texts are given) one that leaks.

    Args:
        answers: Final answer read from each candidate, None = unreadable.
        gold: The right answer.
        references: Whether the candidate was written by a person, or with the answer given.
        texts: The explanations, to leave out leaking references.
    """
    levels: list[int | None] = []
    for place, (answer, reference) in enumerate(zip(answers, references, strict=True)):
        right = answer is not None and answer.strip() == gold.strip()
        leaked = texts is not None and reference and leaks(texts[place])
        if answer is None or leaked or (reference and not right):
            levels.append(None)
        else:
            levels.append(3 if reference else 2 if right else 1)
    return levels


def hierarchy_pairs(group: Group, levels: Sequence[int | None], *, max_pairs: int = 4) -> Group:
    """The group with a comparison for every (higher, lower) pair of levels, at most `max_pairs`.

    Wider gaps first, then in order of appearance; equal texts are compared once. A group whose candidates share one
    level gets none.

    Source: "Stabilizing Reasoning in Medical LLMs with Continued Pretraining and Reasoning Preference Optimization",
        2025, arXiv 2504.18080 (the three levels are our reading of its hierarchy).
    """
    found: list[tuple[int, int, int]] = []
    seen: set[tuple[str, str]] = set()
    for win, high in enumerate(levels):
        for lose, low in enumerate(levels):
            if high is None or low is None or high <= low:
                continue
            texts = group.responses[win].content, group.responses[lose].content
            if texts not in seen:
                seen.add(texts)
                found.append((low - high, win, lose))
    kept = sorted(found)[:max_pairs]
    return replace(
        group,
        judgements=(
            *group.judgements,
            *(Judgement("comparison", on=(win, lose), value=1.0, by="hierarchy") for _, win, lose in kept),
        ),
    )


@dataclass(frozen=True)
class Stability:
    """Accuracy when answering directly and when explaining first, on the same questions.

    Args:
        direct: Accuracy of direct answers.
        explained: Accuracy with an explanation first; an unreadable answer is wrong.
        drop: direct − explained.
        p_value: McNemar, exact, two-sided.
        unreadable: Share of explanations without a readable answer, a frequent hidden cause.
    """

    direct: float
    explained: float
    drop: float
    p_value: float
    unreadable: float


def explanation_stability(direct: ArrayLike, explained: ArrayLike, *, unreadable: ArrayLike | None = None) -> Stability:
    """Compare two vectors of right (1) and wrong (0) answers to the same questions."""
    first, second = np.asarray(direct, dtype=np.float64), np.asarray(explained, dtype=np.float64)
    test = mcnemar(first, second)
    lost = float(np.mean(np.asarray(unreadable, dtype=np.float64))) if unreadable is not None else 0.0
    return Stability(float(first.mean()), float(second.mean()), float(first.mean() - second.mean()), test.p_value, lost)
