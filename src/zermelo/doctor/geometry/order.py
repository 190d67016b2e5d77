"""Whether the order of the rows says something about what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.stats.estimate import Estimate

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Order"]

SURE = 0.01
MUCH, SOME = 0.75, 0.6  # share of neighbours that stand closer than a random pair; ½ by chance


@dataclass(frozen=True)
class Order:
    """Similar answers that stand near each other in the file: the rows are not in random order."""

    id: ClassVar[str] = "structure.order"
    asks: ClassVar[str] = "do similar rows stand together in the file?"

    def run(self, case: Case) -> Sequence[Result]:
        from zermelo.stats.neighbours import order_dependence

        points = case.points
        if points is None:
            return [Skipped(self.id, "needs at least 30 different answers in pairs")]
        test = order_dependence(points.neighbours, seed=case.seed)
        figure = Estimate(test.closeness, n=len(points.row), method="permutation test")
        if test.p > SURE or test.closeness < SOME:
            told = f"{test.closeness:.1%} of neighbours in content stand closer than a random pair (50 % by chance)"
            return [Passed(self.id, told, figure, {"p": test.p})]
        return [
            Finding(
                audit=self.id,
                severity="medium" if test.closeness >= MUCH else "low",
                title=f"similar answers stand together in the file: {test.closeness:.0%} of neighbours in content are "
                "closer than a random pair, 50% by chance",
                figure=figure,
                effect="Batches in file order hold one kind of answer, and a split by position tests on another kind "
                "than it trained on.",
                remedy="shuffle with a seed (training does so by default), and split by prompt, not by position",
                details={"p": test.p},
            )
        ]
