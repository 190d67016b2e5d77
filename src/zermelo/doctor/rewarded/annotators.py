"""Who weighs an attribute otherwise than the rest?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.rewarded.features import Attributed, attributed
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import newcombe_difference

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Annotators"]

LEAST = 60  # pairs of an annotator
MOST = 20  # annotators looked at, the busiest
LEVEL = 0.05  # of all comparisons together


@dataclass(frozen=True)
class Annotators:
    """Share of choices in which the answer with more of an attribute won, of each annotator against all others.

        Δ = share(annotator) − share(others),    Newcombe's interval at 1 − 0.05 / (annotators · attributes)

    Ties of an attribute are left out. A person, a crowd and a model judge are annotators alike.

    Source: after "Dissecting Human and LLM Preferences", 2024, arXiv 2402.11296.
    """

    id: ClassVar[str] = "rewarded.annotators"
    asks: ClassVar[str] = "does an annotator reward other attributes than the rest?"

    def run(self, case: Case) -> Sequence[Result]:
        found = attributed(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        counted = Counter(name for name in found.by if name is not None)
        people = [name for name, n in counted.most_common(MOST) if n >= LEAST]
        if len(counted) < 2 or not people:
            return [Skipped(self.id, f"{len(counted)} annotators; needs two, one of them with {LEAST} choices")]
        told = _differences(found, people)
        if not told:
            return [Passed(self.id, f"no one of {len(people)} annotators rewards other attributes than the rest")]
        who, what, gap = told[0]
        return [
            Finding(
                self.id,
                "info",
                f"{len({name for name, _, _ in told})} of {len(people)} annotators reward what the rest does not; "
                f"most of all {who}: {what} {100 * gap.value:+.0f} points",
                gap,
                effect="Their choices average into a taste that nobody has.",
                source="Dissecting Human and LLM Preferences, 2024",
                remedy="look at their choices; keep them apart (`by`), or let a model of annotators weigh them",
                table={
                    "annotator": [name for name, _, _ in told],
                    "attribute": [name for _, name, _ in told],
                    "difference": [item.value for _, _, item in told],
                    "low": [item.low for _, _, item in told],
                    "high": [item.high for _, _, item in told],
                },
                details={"annotators": len(people), "pairs looked at": len(found.row)},
            )
        ]


def _differences(found: Attributed, people: Sequence[str]) -> list[tuple[str, str, Estimate]]:
    """(annotator, attribute, difference) where the interval excludes 0, the largest first."""
    by = np.array([name or "" for name in found.by])
    level = 1 - LEVEL / (len(people) * len(found.names))
    told = []
    for name in people:
        mine = by == name
        for d, attribute in enumerate(found.names):
            sign = found.signs[:, d]
            counts = [
                (int((sign[side] > 0).sum()), int((sign[side] != 0).sum())) for side in (mine, ~mine & (by != ""))
            ]
            if min(n for _, n in counts) < LEAST // 2:
                continue
            gap = newcombe_difference(*counts[0], *counts[1], level=level)
            if gap.excludes(0.0):
                told.append((name, attribute, gap))
    return sorted(told, key=lambda item: -abs(item[2].value))
