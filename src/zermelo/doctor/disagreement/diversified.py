"""`disagreement.diversified`: what one reward for all makes of several criteria, annotators or sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.noise.probe import PairProbe, cross_fitted
from zermelo.doctor.noise.suspects import Suspects, label_suspects
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.errors import unit_interval
from zermelo.stats.crossed import holm
from zermelo.stats.estimate import Estimate
from zermelo.stats.pair_calibration import pair_calibration

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Diversified", "Taste", "parts_of"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
LEAST = 100
MOST = 12


@dataclass(frozen=True)
class Taste:
    """One part of the preferences under the probe of all, and under its own.

    Args:
        name: Criterion or annotator.
        n: Pairs.
        pooled: Accuracy of the probe that was trained on all parts.
        own: Of one that was trained on this part alone; both out of fold.
        p_value: Of `own` being better than `pooled` by chance, paired, one-sided.
        ece: Calibration error of the probe of all on this part, both orders.
    """

    name: str
    n: int
    pooled: float
    own: float
    p_value: float
    ece: float


@dataclass(frozen=True)
class Diversified:
    """Accuracy and calibration of one probe on each criterion (or annotator), against a probe of its own.

    A part whose own probe, trained on far fewer pairs, is clearly better than that of all wants something else.

    Args:
        level: Of the tests, with Holm's correction.
        least: Gain in accuracy that counts.
    """

    id: ClassVar[str] = "disagreement.diversified"
    asks: ClassVar[str] = "is one reward fair to every criterion and annotator?"
    level: float = 0.01
    least: float = 0.03

    def __post_init__(self) -> None:
        unit_interval(self, "level", "least")

    def run(self, case: Case) -> Sequence[Result]:
        found = label_suspects(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        split = parts_of(case, found.probe)
        if split is None:
            return [Skipped(self.id, f"no two criteria or annotators with {LEAST} preferences each")]
        kind, names, code = split
        tastes = [_taste(found, name, np.flatnonzero(code == k), case.seed) for k, name in enumerate(names)]
        overall = _calibration(found)
        p = holm(np.array([item.p_value for item in tastes]))
        apart = [
            item
            for item, value in zip(tastes, p.tolist(), strict=True)
            if value < self.level and item.own - item.pooled >= self.least
        ]
        details: dict[str, float | str] = {
            "kind": kind,
            "accuracy": found.probe.accuracy.value,
            "ece": overall.value,
            "worst_ece": max(item.ece for item in tastes),
        }
        seen = f"{len(tastes)} {kind}" + (" (in a sample of the preferences)" if found.probe.is_sample else "")
        if not apart:
            title = f"one probe serves {seen} as well as one of its own would"
            return [Passed(self.id, title, overall, details)]
        apart.sort(key=lambda item: item.pooled - item.own)
        worst = apart[0]
        by = np.isin(code, [names.index(item.name) for item in apart])
        return [
            Finding(
                audit=self.id,
                severity="medium" if by.mean() >= 0.05 else "low",
                title=f"one reward does not fit all: {len(apart)} of {seen} want something else, most of all "
                f"{worst.name} ({worst.pooled:.1%} right by the probe of all, {worst.own:.1%} by its own)",
                figure=overall,
                effect="Mixing preferences of different taste costs the reward model its calibration on what they "
                "share, and calibration goes with alignment.",
                source="On Diversified Preferences of Large Language Model Alignment, 2024, arXiv 2312.07401",
                remedy="a reward for each, or train with weights that no part loses by (scorers.more.MORE)",
                rows=np.unique(found.probe.pairs.row[by]).astype(np.int64),
                table={
                    kind: [item.name for item in tastes],
                    "pairs": [item.n for item in tastes],
                    "accuracy_of_all": [item.pooled for item in tastes],
                    "accuracy_of_own": [item.own for item in tastes],
                    "ece": [item.ece for item in tastes],
                },
                details=details,
            )
        ]


def parts_of(case: Case, probe: PairProbe) -> tuple[str, list[str], Ints] | None:
    """What the preferences are parted by: criteria where there are several, else annotators; names and codes. [M]"""
    criterion = case.pairs["criterion"].take(probe.pairs.index).cast("string").to_pylist()
    for kind, values in (("criteria", criterion), ("annotators", list(probe.pairs.by))):
        names, counts = np.unique([value for value in values if value is not None], return_counts=True)
        kept = [str(name) for name in names[np.argsort(-counts, kind="stable")][: int((counts >= LEAST).sum())]][:MOST]
        if len(kept) >= 2:
            place = {name: k for k, name in enumerate(kept)}
            return kind, kept, np.array([place.get(value or "", -1) for value in values], np.int64)
    return None


def _taste(found: Suspects, name: str, at: Ints, seed: int) -> Taste:
    from scipy.stats import binom

    probe = found.probe
    own = cross_fitted(probe.delta[at], _renumbered(probe.group[at]), seed=seed, repeats=2, n_folds=5).mean(axis=1)
    pooled = probe.margin[at]
    better, worse = int(((own > 0) & (pooled <= 0)).sum()), int(((own <= 0) & (pooled > 0)).sum())
    scale = found.lapse.scale if found.lapse.has_skill else 1.0
    return Taste(
        name,
        len(at),
        float((pooled > 0).mean()),
        float((own > 0).mean()),
        float(binom.sf(better - 1, better + worse, 0.5)) if better + worse else 1.0,
        pair_calibration(scale * pooled, np.zeros(len(at))).ece,
    )


def _calibration(found: Suspects) -> Estimate:
    """ECE of the probe of all, at the temperature that fits it, both orders; a bootstrap over pairs."""
    scale = found.lapse.scale if found.lapse.has_skill else 1.0
    margin = scale * found.probe.margin
    value = pair_calibration(margin, np.zeros(len(margin))).ece
    rng = np.random.default_rng(2312)
    drawn = []
    for _ in range(100):
        some = margin[rng.integers(len(margin), size=len(margin))]
        drawn.append(pair_calibration(some, np.zeros(len(some))).ece)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(
        value, min(float(low), value), max(float(high), value), n=len(margin), method="bootstrap over pairs"
    )


def _renumbered(group: Ints) -> Ints:
    return np.unique(group, return_inverse=True)[1].astype(np.int64)
