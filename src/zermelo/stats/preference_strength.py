"""Preference strength: what an ensemble of reward models thinks of a labelled pair, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, unit_interval

__all__ = ["PreferenceStrength", "Treatment", "preference_strength"]

Floats: TypeAlias = NDArray[np.float64]
BANDS = ("wrong", "ambiguous", "correct")


@dataclass(frozen=True)
class PreferenceStrength:
    """Strength of labelled pairs.

    Args:
        mean: μ̂, mean margin of the members that did not see the pair; NaN where all did. [M]
        doubt: σ̂, their standard deviation. [M]
        members: How many they are. [M]
    """

    mean: Floats
    doubt: Floats
    members: NDArray[np.int64]

    @property
    def band(self) -> NDArray[np.int64]:
        """0 wrong (μ̂ < −σ̂), 1 ambiguous (|μ̂| ≤ σ̂), 2 correct (μ̂ > σ̂); −1 unknown. [M]"""
        found = np.where(self.mean < -self.doubt, 0, np.where(self.mean > self.doubt, 2, 1))
        return np.where(np.isnan(self.mean), -1, found).astype(np.int64)

    def shares(self) -> dict[str, float]:
        """Share of the pairs in each band."""
        known = self.band[self.band >= 0]
        return {name: float((known == k).mean()) if len(known) else np.nan for k, name in enumerate(BANDS)}

    def curve(self, parts: int = 20) -> tuple[Floats, Floats]:
        """Share of pairs up to here (by rising strength), and mean strength of each part. [P], [P]"""
        ordered = np.sort(self.mean[~np.isnan(self.mean)])
        cut = np.array_split(ordered, min(parts, max(len(ordered), 1)))
        return np.cumsum([len(part) for part in cut]) / max(len(ordered), 1), np.array([part.mean() for part in cut])


def preference_strength(margins: ArrayLike, *, saw: ArrayLike | None = None, ddof: int = 0) -> PreferenceStrength:
    """μ̂ and σ̂ of margins r(chosen) − r(rejected) over an ensemble.

    Members that were trained on a pair know its label by heart: their margin is left out.

    Args:
        margins: One column per member, NaN = not scored. [M, R]
        saw: Whether a member was trained on the pair. [M, R]
        ddof: Of σ̂.
    Raises:
        DataError: no pairs or no members.
    Source: "Secrets of RLHF in Large Language Models Part II: Reward Modeling", 2024, arXiv 2401.06080.
    """
    d = np.array(margins, np.float64)
    if d.ndim != 2:
        raise SettingError("bad-shape", f"margins must be [pairs, members]. Got {d.shape}")
    if not d.size:
        raise DataError("nothing-to-measure", "no margins")
    if saw is not None:
        d[np.asarray(saw, bool)] = np.nan
    known = ~np.isnan(d)
    n = known.sum(axis=1)
    total = np.where(known, d, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total.sum(axis=1) / np.where(n > 0, n, np.nan)
        left = np.where(known, d - mean[:, None], 0.0)
        doubt = np.sqrt((left**2).sum(axis=1) / np.where(n > ddof, n - ddof, np.nan))
    return PreferenceStrength(mean, doubt, n.astype(np.int64))


@dataclass(frozen=True)
class Treatment:
    """What to make of labels, by the rank of their strength.

    Args:
        flip: Share with the least strength whose label is turned round, where μ̂ < 0.
        soften: Share next to those whose label becomes 1 − `smoothing`.
        smoothing: Weight of the other side for them; ½ takes the pair out of the loss.
        top: Share with the most strength that is softened by 0.1: so easy that a model only grows sure of it.
        weakest: `flip`, or `drop` (NaN), or `keep`.
    Source: "Secrets of RLHF in Large Language Models Part II: Reward Modeling", 2024, arXiv 2401.06080; the shares are
        ours.
    """

    flip: float = 0.1
    soften: float = 0.0
    smoothing: float = 0.1
    top: float = 0.0
    weakest: Literal["flip", "drop", "keep"] = "flip"

    def __post_init__(self) -> None:
        unit_interval(self, "flip", "soften", "smoothing", "top")
        if self.flip + self.soften + self.top > 1:
            raise SettingError("bad-setting", "Treatment: the shares add up to more than 1")
        if self.weakest not in ("flip", "drop", "keep"):
            raise SettingError("bad-setting", f"Treatment.weakest: flip, drop or keep. Got {self.weakest!r}")

    def labels(self, strength: PreferenceStrength) -> Floats:
        """P(chosen ≻ rejected) to train with; NaN = leave the pair out. [M]"""
        mean = np.nan_to_num(strength.mean, nan=np.inf)
        order = np.argsort(mean, kind="stable")
        n = len(order)
        prob = np.ones(n)
        weak = order[: round(self.flip * n)]
        weak = weak[mean[weak] < 0]  # a pair that the ensemble agrees with is never turned round
        if self.weakest != "keep":
            prob[weak] = 0.0 if self.weakest == "flip" else np.nan
        prob[order[round(self.flip * n) : round((self.flip + self.soften) * n)]] = 1 - self.smoothing
        if self.top > 0:
            prob[order[n - round(self.top * n) :]] = 0.9
        return prob
