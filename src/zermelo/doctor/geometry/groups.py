"""Kinds of prompts in which labels are contradicted far more often than elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["Groups", "weak_groups"]

LEAST = 30  # pairs of a kind
MOST_KINDS = 40
LEVEL = 0.01  # family-wise
GAP = 0.1  # of accuracy below the others'


def weak_groups(group: NDArray[np.int64], right: NDArray[np.bool_], *, level: float = LEVEL) -> NDArray[np.int64]:
    """Groups in which fewer are right than in all others together, by exact one-sided tests with Holm's correction.

    Args:
        group: Number of each item's group, from 0. [N]
        right: Whether it is right. [N]
        level: Chance that any group is named where all are alike.
    Returns:
        Numbers of the groups, the weakest first.
    """
    from scipy.stats import hypergeom

    from zermelo.stats.crossed import holm

    n, good = np.bincount(group), np.bincount(group, weights=right)
    p = hypergeom.cdf(good, len(group), int(right.sum()), n)
    found = np.flatnonzero(np.asarray(holm(p)) <= level)
    return np.asarray(found[np.argsort(good[found] / n[found], kind="stable")])


@dataclass(frozen=True)
class Groups:
    """Kinds of prompts (clusters of their words) in which a probe of the answers sides against the label more often."""

    id: ClassVar[str] = "noise.groups"
    asks: ClassVar[str] = "are labels of some kind of prompt contradicted more than others'?"

    def run(self, case: Case) -> Sequence[Result]:
        from zermelo.doctor.geometry.vectors import reduced
        from zermelo.doctor.noise.probe import pair_probe
        from zermelo.stats.neighbours import cells

        probe = pair_probe(case)
        if isinstance(probe, str):
            return [Skipped(self.id, probe)]
        prompts = dict.fromkeys(probe.pairs.prompt)
        if len(prompts) < 2 * LEAST or probe.accuracy.low <= 0.5:
            return [Skipped(self.id, "needs at least 60 different prompts and a probe that is better than chance")]
        features = reduced(tuple(prompts), case.encoder, case.seed)
        kind_of = cells(features, min(MOST_KINDS, len(prompts) // LEAST), seed=case.seed)
        place = {prompt: at for at, prompt in enumerate(prompts)}
        kind = kind_of[[place[prompt] for prompt in probe.pairs.prompt]]
        right = probe.margin > 0
        weak = [
            number
            for number in weak_groups(kind, right).tolist()
            if (kind == number).sum() >= LEAST and right[kind != number].mean() - right[kind == number].mean() >= GAP
        ]
        inside = np.isin(kind, weak)
        share = wilson(int(inside.sum()), len(kind))
        if not weak:
            return [
                Passed(self.id, f"in none of {kind.max() + 1} kinds of prompts are labels contradicted more", share)
            ]
        at = np.flatnonzero(inside & ~right)
        return [
            Finding(
                audit=self.id,
                # a kind that reads differently is no fault of every row in it: never high
                severity="medium" if severity_of_share(share.value) == "high" else severity_of_share(share.value),
                title=f"in {len(weak)} of {kind.max() + 1} kinds of prompts ({share.value:.1%} of pairs) a probe "
                f"agrees with {right[inside].mean():.0%} of the labels, elsewhere with {right[~inside].mean():.0%}",
                figure=share,
                effect="Either these labels are noisier, or they follow another rule; a single reward model serves "
                "these prompts badly.",
                remedy="read some; have them judged again, or model them apart",
                rows=np.unique(probe.pairs.row[inside]),
                scores=np.ones(len(np.unique(probe.pairs.row[inside]))),
                examples=[Example(int(probe.pairs.row[i]), probe.pairs.prompt[i][:200]) for i in at[:10].tolist()],
            )
        ]
