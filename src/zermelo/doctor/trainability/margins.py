"""How strong are the preferences: stated strengths, differences of ratings, probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.structure.flagged import examples_of
from zermelo.doctor.trainability.severity import mild
from zermelo.errors import unit_interval
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = ["Margins"]


@dataclass(frozen=True)
class Margins:
    """Share of weak preferences, by the finest measure there is.

        strength of a comparison, else the difference of two ratings, else 2 |P − ½|;     divided by its 99 % quantile

    Args:
        weak: Share of the scale below which a preference is weak.
    """

    id: ClassVar[str] = "trainability.margins"
    asks: ClassVar[str] = "how strong are the preferences?"
    weak: float = 0.1

    def __post_init__(self) -> None:
        unit_interval(self, "weak")

    def run(self, case: Case) -> Sequence[Result]:
        found = _measured(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        what, row, size = found
        scale = float(np.quantile(size, 0.99))
        if scale <= 0 or float(size.min()) == float(size.max()):
            return [
                Passed(self.id, f"every {what} is {size[0]:g}: all preferences count alike", None, {"pairs": len(size)})
            ]
        part = size / scale
        feeble = part < self.weak
        share = wilson(int(feeble.sum()), len(size))
        details = {f"quantile {q:.0%}": float(np.quantile(size, q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
        title = f"{share.value:.1%} of the preferences are weak: a {what} below {self.weak:.0%} of the scale"
        severity = mild(share.value)
        if severity is None:
            return [Passed(self.id, title, share, details)]
        order = np.argsort(part, kind="stable")
        order = order[feeble[order]]
        rows, first = np.unique(row[order], return_index=True)
        return [
            Finding(
                self.id,
                severity,
                title,
                share,
                effect="A hard label says as much of a hair's breadth as of a mile: weak preferences are mostly noise.",
                remedy="train with the strengths (a margin or soft labels), or leave the weakest out",
                fix=f"drop-flagged:{self.id}",
                rows=rows,
                scores=1 - part[order][first],
                examples=examples_of(case, row[order][:10]),
                details=details,
                plots=(lambda: _plot(what, size),),
            )
        ]


def _measured(case: Case) -> tuple[str, NDArray[np.int64], NDArray[np.float64]] | str:
    """What is measured, and row and size of each preference that has it."""
    pairs = case.pairs
    if not pairs.num_rows:
        return "the data holds no preferences"
    row = pairs["row"].to_numpy().astype(np.int64)
    prob = pairs["prob"].to_numpy().astype(np.float64)
    measures = (
        ("stated strength", np.abs(pairs["strength"].to_numpy().astype(np.float64))),
        ("difference of ratings", np.abs(pairs["margin"].to_numpy().astype(np.float64))),
        ("preference", np.where(prob < 1, 2 * np.abs(prob - 0.5), np.nan)),
    )
    for what, size in measures:
        there = np.isfinite(size)
        if there.mean() >= 0.5 or (what == "preference" and there.any()):
            if what == "preference":
                size, there = 2 * np.abs(prob - 0.5), np.isfinite(prob)
            return what, row[there], size[there]
    return "every preference is a bare winner: no strengths, ratings or probabilities"


def _plot(what: str, size: np.ndarray) -> Svg:
    from zermelo.report.plots import histogram

    return histogram({what: size}, title="Strength of the preferences", x_label=what)
