"""Labels and ratings of which nearly all say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Imbalance"]

NEARLY_ALL, MOST = 0.95, 0.9


@dataclass(frozen=True)
class Imbalance:
    """Unpaired labels or ratings that are nearly all equal, criterion by criterion; ties in comparisons likewise."""

    id: ClassVar[str] = "structure.imbalance"
    asks: ClassVar[str] = "do nearly all labels say the same?"

    def run(self, case: Case) -> Sequence[Result]:
        said = self._counts(case)
        if not said:
            return [Skipped(self.id, "the data holds no labels, no ratings and no ties")]
        results: list[Result] = []
        for what, (value, count, total) in said.items():
            share = wilson(count, total)
            told = f"{share.value:.1%} of {total:,} {what} say {value}"
            if share.low < MOST:
                results.append(Passed(self.id, told, share))
                continue
            results.append(
                Finding(
                    audit=self.id,
                    severity="medium" if share.low >= NEARLY_ALL else "low",
                    title=told,
                    figure=share,
                    effect="A judgement that is nearly always the same holds little information, and a loss over it is "
                    "dominated by one side.",
                    remedy="collect what is rare, or weight the sides (KTO: desirable_weight, undesirable_weight)",
                )
            )
        return results

    def _counts(self, case: Case) -> dict[str, tuple[str, int, int]]:
        import pyarrow.compute as pc

        found: dict[str, tuple[str, int, int]] = {}
        views = (("labels", case.feedback.labels().select("criterion", "value").arrow()), ("ratings", case.ratings))
        for name, table in views:
            criteria = table["criterion"].cast("string") if table.num_rows else ()
            for criterion in pc.unique(criteria).to_pylist() if table.num_rows else ():
                mask = pc.is_null(criteria) if criterion is None else pc.equal(criteria, criterion)
                values, counts = np.unique(table.filter(mask)["value"].to_numpy(), return_counts=True)
                if len(counts):
                    what = name if criterion is None else f"{name} of {criterion}"
                    found[what] = (f"{values[counts.argmax()]:g}", int(counts.max()), int(counts.sum()))
        if ties := int(case.comparisons.tie.sum()):
            found["comparisons"] = ("tie", ties, len(case.comparisons))
        return found
