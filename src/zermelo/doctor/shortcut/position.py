"""Does the answer that was shown first win?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Result, Skipped
from zermelo.doctor.shortcut.probe import LEAST_PAIRS, clustered_share, probed
from zermelo.doctor.shortcut.verdict import pair_rows, shortcut

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Position"]


@dataclass(frozen=True)
class Position:
    """How often a judge is right that always takes the answer shown first (or always the other).

    Where the data does not say what was shown first, the order in which the answers are named is looked at, unless
    the preferred one is always named first: then the order has been lost.
    """

    id: ClassVar[str] = "shortcut.position"
    asks: ClassVar[str] = "does the order in which answers were shown predict the label?"

    def run(self, case: Case) -> Sequence[Result]:
        said = case.comparisons
        decided = (said.prob != 0.5) & ~np.isnan(said.prob) & ~said.tie
        shown = decided & (said.shown != 0)
        known = bool(shown.any())
        kept = np.flatnonzero(shown if known else decided)
        if len(kept) < LEAST_PAIRS:
            return [Skipped(self.id, f"{len(kept)} decided comparisons; a probe needs {LEAST_PAIRS}")]
        side = np.where(said.prob[kept] > 0.5, 1.0, -1.0)
        if known:
            side = side * said.shown[kept]
        if not known and len(np.unique(side)) == 1:
            return [Skipped(self.id, "the preferred answer is always named first: the order shown is not recorded")]
        group = pair_rows(case, said.row[kept])
        if len(np.unique(group)) < 2:
            return [Skipped(self.id, "all comparisons are of one prompt")]
        found = probed(side[:, None], group, seed=case.seed)
        first = clustered_share((side > 0).astype(float), group)
        order = "shown" if known else "named"
        details: dict[str, float | str] = {
            "first_wins": first.value,
            "first_wins_low": first.low,
            "first_wins_high": first.high,
            "order": order,
            "order_known": float(known),
            "ties": float(said.tie.sum()),
        }
        names = [name for name in range(len(said.annotators)) if (said.by[kept] == name).sum() >= LEAST_PAIRS // 2]
        shares = [
            clustered_share((side[said.by[kept] == n] > 0).astype(float), group[said.by[kept] == n]) for n in names
        ]
        rank = np.argsort([-abs(share.value - 0.5) for share in shares])[:50]
        return shortcut(
            case,
            self.id,
            found,
            said.row[kept],
            judge=f"which answer was {order} first (the {'first' if first.value >= 0.5 else 'second'} one wins)",
            effect="The label says where an answer stood; a judge or reward model that sees both learns to look there.",
            source='"Large Language Models are not Fair Evaluators", 2023, arXiv 2305.17926',
            remedy="judge each pair in both orders and keep the verdicts that agree; shuffle what is shown",
            details=details,
            table={
                "judge": [said.annotators[names[at]] for at in rank],
                "comparisons": [int((said.by[kept] == names[at]).sum()) for at in rank],
                "first wins": [shares[at].value for at in rank],
                "low": [shares[at].low for at in rank],
                "high": [shares[at].high for at in rank],
            },
        )
