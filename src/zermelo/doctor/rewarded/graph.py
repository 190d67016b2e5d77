"""Which attributes go through which: a causal graph of attributes with the preference among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.rewarded.features import attributed

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["AttributeGraph"]

PREFERRED = "preferred"
OFTEN = 0.8  # share of resamples in which an edge must be found


@dataclass(frozen=True)
class AttributeGraph:
    """TOPO on differences of attributes, in standard deviations, and the choice (±1), sides drawn at random.

    An attribute that is preferred only because it comes with another has no edge of its own to the choice. Directions
    between attributes are a guess on standardised data; edges at the choice are what the audit is for.

    Args:
        threshold: Least weight of an edge.
        resamples: Bootstrap refits.
    Source: "Optimizing NOTEARS Objectives via Topological Swaps", 2023, arXiv 2305.17277.
    """

    id: ClassVar[str] = "rewarded.graph"
    asks: ClassVar[str] = "which attributes are preferred for themselves, and which come along?"
    threshold: float = 0.08
    resamples: int = 10

    def run(self, case: Case) -> Sequence[Result]:
        found = attributed(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        from zermelo.stats.causal_order import Topo

        side = np.random.default_rng((case.seed, 72)).choice([-1.0, 1.0], len(found.gaps))
        varied = [d for d in range(len(found.names)) if (found.gaps[:, d] != 0).mean() >= 0.02]
        if not varied:
            return [Skipped(self.id, "the answers of a pair differ in no attribute")]
        data = np.column_stack([found.gaps[:, varied] * side[:, None], side])
        names = [*(found.names[d] for d in varied), PREFERRED]
        graph = Topo(standardise=True, threshold=self.threshold, resamples=self.resamples, seed=case.seed).fit(
            data, names=names
        )
        edges = graph.edges(at_least=OFTEN)
        own = [edge for edge in edges if PREFERRED in edge[:2]]
        if not own:
            return [Passed(self.id, "no attribute is tied to the choice by itself")]
        told = ", ".join(f"{(set(edge[:2]) - {PREFERRED}).pop()} ({edge[2]:+.2f})" for edge in own[:4])
        return [
            Finding(
                self.id,
                "info",
                f"attributes tied to the choice by themselves: {told}",
                effect="The others come along with them: mend these, and those follow.",
                source="Optimizing NOTEARS Objectives via Topological Swaps, 2023",
                remedy="balance or control what is tied to the choice and should not be",
                table={
                    "cause": [edge[0] for edge in edges],
                    "effect": [edge[1] for edge in edges],
                    "weight": [edge[2] for edge in edges],
                    "in resamples": [edge[3] for edge in edges],
                },
                details={"pairs looked at": len(data), "attributes": len(varied)},
            )
        ]
