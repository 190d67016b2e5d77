"""Could the policy have written these answers?"""

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

__all__ = ["OnPolicy"]


@dataclass(frozen=True)
class OnPolicy:
    """Share of pairs with an answer far from what the policy writes.

        excess(y) = mean over tokens of −log π(y_t | x, y_<t) − H(π(· | x, y_<t)),     nat per token

    The expectation of the excess is 0 for the policy's own samples, whatever its entropy; e^excess is how many times
    more surprised it is by each token than by its own. Perplexity alone would call every rich text off-policy.

    Args:
        far: Nat per token from which an answer is far off.
    """

    id: ClassVar[str] = "trainability.on_policy"
    asks: ClassVar[str] = "could the policy have written the answers?"
    far: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "far")

    def run(self, case: Case) -> Sequence[Result]:
        found = readings(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        worst = np.maximum(found.excess_win, found.excess_lose)
        off = worst > self.far
        share = wilson(int(off.sum()), len(off))
        details = {
            "excess of the preferred, nat per token": float(np.median(found.excess_win)),
            "excess of the others, nat per token": float(np.median(found.excess_lose)),
            "perplexity of the preferred": float(np.exp(np.median(-found.win / found.tokens_win))),
            "perplexity of the others": float(np.exp(np.median(-found.lose / found.tokens_lose))),
            "pairs read": len(off),
            "pairs": found.of,
        }
        title = f"{share.value:.1%} of the pairs hold an answer that {found.policy} would hardly write"
        severity = mild(share.value)
        if severity is None:
            return [Passed(self.id, title, share, details)]
        order = np.argsort(-worst, kind="stable")
        order = order[off[order]]
        return [
            Finding(
                self.id,
                severity,
                title,
                share,
                effect="Training moves probability among texts that the policy never writes; what it does write moves "
                "by accident.",
                source="Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data, 2024",
                remedy="fine-tune on the preferred answers first, or sample answers from the policy and judge them",
                rows=found.row[order],
                scores=worst[order],
                examples=examples_of(case, found.row[order][:10]),
                details=details,
                plots=(lambda: _plot(found.excess_win, found.excess_lose),),
            )
        ]


def _plot(win: np.ndarray, lose: np.ndarray) -> Svg:
    from zermelo.report.plots import histogram

    series = {"preferred": win, "other": lose}
    return histogram(series, title="Surprise of the policy beyond its own entropy", x_label="nat per token")
