"""Pairs that the policy ranks the wrong way round, and those that training is unlikely to turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.structure.flagged import examples_of
from zermelo.doctor.trainability.readings import readings
from zermelo.doctor.trainability.severity import mild
from zermelo.errors import positive
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = ["Difficulty"]


@dataclass(frozen=True)
class Difficulty:
    """Ranking accuracy of the policy, and the pairs that it has far the wrong way round.

        c = log π(y_l | x) − log π(y_w | x),     softplus(−βc) = the DPO loss at which the pair flips
        hopeless: that loss is below `loss`

    Args:
        beta: Of the DPO run to come.
        loss: Nat; a run rarely ends below it.
    Source: "Preference Learning Algorithms Do Not Learn Preference Rankings", 2024, arXiv 2405.19534.
    """

    id: ClassVar[str] = "trainability.difficulty"
    asks: ClassVar[str] = "which pairs does the policy rank wrongly, and how far?"
    beta: float = 0.1
    loss: float = 0.2

    def __post_init__(self) -> None:
        positive(self, "beta")
        positive(self, "loss")

    def run(self, case: Case) -> Sequence[Result]:
        found = readings(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        c = found.lose - found.win
        needed = np.logaddexp(0, -self.beta * c)
        hopeless = needed < self.loss
        right = wilson(int((c <= 0).sum()), len(c))
        normalised = float((found.win / found.tokens_win >= found.lose / found.tokens_lose).mean())
        share = wilson(int(hopeless.sum()), len(c))
        details = {
            "ranking accuracy": right.value,
            "ranking accuracy, per token": normalised,
            "median c, nat": float(np.median(c)),
            "pairs read": len(c),
            "pairs": found.of,
        }
        title = (
            f"{found.policy} ranks {right.value:.1%} of the pairs rightly; {share.value:.1%} are so far the wrong way "
            f"round that DPO at β = {self.beta:g} turns them only below a loss of {self.loss:g}"
        )
        severity = mild(share.value)
        if severity is None:
            return [Passed(self.id, title, share, details)]
        order = np.argsort(-c, kind="stable")
        order = order[hopeless[order]]
        return [
            Finding(
                self.id,
                severity,
                title,
                share,
                effect="Such pairs are learnt as a reward margin and never as a ranking; they keep the loss high.",
                source="Preference Learning Algorithms Do Not Learn Preference Rankings, 2024",
                remedy="fine-tune on the preferred answers first, sample pairs from the policy, or leave these out",
                fix=f"drop-flagged:{self.id}",
                rows=found.row[order],
                scores=c[order],
                examples=examples_of(case, found.row[order][:10]),
                details=details,
                plots=(lambda: _plot(c),),
            )
        ]


def _plot(c: np.ndarray) -> Svg:
    from zermelo.report.plots import histogram

    return histogram({"pairs": c}, title="Difficulty of the pairs", x_label="log π(rejected) − log π(chosen), nat")
