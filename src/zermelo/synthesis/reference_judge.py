"""A metric against a reference text as a preference judge: best and worst of N samples (CheXalign)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from zermelo.feedback.records import Group, Judgement

__all__ = ["best_worst", "green", "judged_by_reference"]


def green(matched: int, errors: int) -> float:
    """Matched findings over matched findings and clinically significant errors, in [0, 1]; 0 where there is neither.

    Source: "GREEN: Generative Radiology Report Evaluation and Error Notation", 2024, arXiv 2405.03595 (recalled).
    """
    total = matched + errors
    return matched / total if total else 0.0


@dataclass(frozen=True)
class BestWorst:
    """Indices of the best and the worst candidate, the first on ties, and their gap."""

    best: int
    worst: int
    gap: float


def best_worst(scores: Sequence[float], *, tolerance: float = 1e-8) -> BestWorst | None:
    """Best and worst of the scores; None where they differ by no more than the tolerance, or are fewer than two."""
    if len(scores) < 2:
        return None
    best = max(range(len(scores)), key=lambda i: (scores[i], -i))
    worst = min(range(len(scores)), key=lambda i: (scores[i], i))
    gap = scores[best] - scores[worst]
    return BestWorst(best, worst, gap) if gap > tolerance else None


def judged_by_reference(
    groups: Iterable[Group],
    scores: Iterable[Sequence[float]],
    *,
    by: str = "reference_metric",
    form: Literal["pairs", "labels"] = "pairs",
    low: float = 0.0,
    high: float = 1.0,
) -> tuple[list[Group], int]:
    """Groups with the scores as ratings and best ≻ worst as a comparison (or as labels, for unpaired losses).

    The metric sees a reference that already exists (a report, a summary), so no one has to compare. Its length bias
    goes into the pairs: audit with `objectives.diagnostics.length_use`, train with `rdpo` where it shows.

    Args:
        groups: Sampled groups.
        scores: The metric's score of each response.
        by: Name of the judge.
        form: `pairs`, or `labels` (best 1, worst 0).
        low: Lowest score.
        high: Highest score.
    Returns:
        The groups with a pair, and how many had none.
    Source: "Preference Fine-Tuning for Factuality in Chest X-Ray Interpretation Models Without Human Feedback", 2024,
        arXiv 2410.07025.
    """
    kept: list[Group] = []
    dropped = 0
    for group, row in zip(groups, scores, strict=True):
        ends = best_worst(row)
        if ends is None:
            dropped += 1
            continue
        ratings = [Judgement("rating", on=(i,), value=float(s), by=by, low=low, high=high) for i, s in enumerate(row)]
        if form == "pairs":
            said = [Judgement("comparison", on=(ends.best, ends.worst), value=1.0, by=by, strength=ends.gap)]
        else:
            said = [Judgement("label", on=(i,), value=v, by=by) for i, v in ((ends.best, 1.0), (ends.worst, 0.0))]
        kept.append(replace(group, judgements=(*group.judgements, *ratings, *said)))
    return kept, dropped
