"""Answers that are like no other answer of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Outliers"]

FAR = 3.0  # interquartile ranges above the third quartile
EXCERPT = 300


@dataclass(frozen=True)
class Outliers:
    """Answers far from their ten nearest neighbours, by Tukey's outer fence on the mean cosine distance."""

    id: ClassVar[str] = "structure.outliers"
    asks: ClassVar[str] = "are there answers that are like no other?"

    def run(self, case: Case) -> Sequence[Result]:
        from zermelo.stats.neighbours import outlier_scores

        points = case.points
        if points is None:
            return [Skipped(self.id, "needs at least 30 different answers in pairs")]
        score = outlier_scores(points.neighbours)
        far = np.flatnonzero(score > FAR)
        share = wilson(len(far), len(score))
        if not len(far):
            return [Passed(self.id, f"no answer of {len(score):,} lies far from all others", share)]
        far = far[np.argsort(-score[far], kind="stable")]
        _, first = np.unique(points.row[far], return_index=True)
        order = np.sort(first)
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(share.value),
                title=f"{len(far):,} of {len(score):,} answers ({share.value:.1%}) are like no other answer",
                figure=share,
                effect="What is like nothing else is often broken, in another language or from another task; a model "
                "learns little from it, and a single one can dominate a probe.",
                remedy="look at them; drop what does not belong",
                fix="drop-flagged:structure.outliers",
                rows=points.row[far][order],
                scores=score[far][order],
                examples=[
                    Example(int(points.row[at]), points.text[at][:EXCERPT], f"{score[at]:.1f} ranges out")
                    for at in far[:10]
                ],
            )
        ]
