"""Pairs whose training lowers the preferred answer too, because both sides look alike to the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.structure.flagged import examples_of
from zermelo.doctor.trainability.readings import readings
from zermelo.doctor.trainability.severity import mild
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = ["Ches"]


@dataclass(frozen=True)
class Ches:
    """Share of pairs whose length-normalised CHES is above 0: the step on the rejected side undoes the chosen side's.

    Source: "Unintentional Unalignment: Likelihood Displacement in Direct Preference Optimization", 2024,
        arXiv 2410.08847.
    """

    id: ClassVar[str] = "trainability.ches"
    asks: ClassVar[str] = "which pairs would push the preferred answer down, too?"

    def run(self, case: Case) -> Sequence[Result]:
        found = readings(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        score = found.ln_ches
        share = wilson(int((score > 0).sum()), len(score))
        quantiles = {f"quantile {q:.0%}": float(np.quantile(score, q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
        title = f"{share.value:.1%} of the pairs are so alike to {found.policy} that training lowers both sides"
        severity = mild(share.value)
        if severity is None:
            return [Passed(self.id, title, share, quantiles)]
        order = np.argsort(-score, kind="stable")
        order = order[score[order] > 0]
        return [
            Finding(
                self.id,
                severity,
                title,
                share,
                effect="The probability of the preferred answer falls, and its mass goes to answers of other meaning.",
                source="Unintentional Unalignment, 2024",
                remedy="leave out the pairs with the highest scores, or add a likelihood term to the objective",
                fix=f"drop-flagged:{self.id}",
                rows=found.row[order],
                scores=score[order],
                examples=examples_of(case, found.row[order][:10]),
                details={**quantiles, "pairs read": len(score), "pairs": found.of},
                plots=(lambda: _plot(score),),
            )
        ]


def _plot(score: np.ndarray) -> Svg:
    from zermelo.report.plots import histogram

    return histogram({"pairs": score}, title="ln-CHES of the pairs", x_label="ln-CHES")
