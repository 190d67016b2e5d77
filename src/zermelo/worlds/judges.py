"""Judges made of numbers: known taste, known noise, known biases, and the same luck whatever they are shown.

`annotators.py` has people who read texts; these see only latent qualities, so that thousands of verdicts cost nothing
and every planted bias can be compared with what an audit finds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError, positive

__all__ = ["SimulatedJudge", "SimulatedRater"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedJudge:
    """A judge that chooses between a first and a second answer.

        logit P(first) = sharpness · gap + taste · features + position · shown + own_bonus · own + Σ_c cue_c · pointed_c

    `shown`, `own` and `pointed_c` are +1 where the first answer is shown first, is the judge's own, or is the one that
    the cue points at, −1 where the second is, 0 where neither.

    Args:
        sharpness: Logits per unit of difference in quality, > 0.
        position: Logits for the answer that is shown first.
        own_bonus: Logits for its own answer.
        cues: Name of a cue → logits for the answer that it points at.
        taste: Logits per unit of each attribute's difference. [D]
        seed: Another seed, other luck.
    Raises:
        SettingError: a sharpness that is not positive.
    """

    sharpness: float = 1.0
    position: float = 0.0
    own_bonus: float = 0.0
    cues: Mapping[str, float] = field(default_factory=dict)
    taste: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        positive(self, "sharpness")

    def probability(
        self,
        gap: ArrayLike = 0.0,
        *,
        features: ArrayLike | None = None,
        shown: ArrayLike = 0.0,
        own: ArrayLike = 0.0,
        pointed: Mapping[str, ArrayLike] | None = None,
    ) -> Floats:
        """P(first ≻ second).

        Args:
            gap: Quality of the first minus that of the second. [N]
            features: Attributes of the first minus those of the second. [N, D]
            shown: +1 where the first is shown first, −1 where last. [N]
            own: +1 where the first is the judge's own, −1 where the second. [N]
            pointed: Name of a cue → +1 where it points at the first, −1 at the second. [N]
        Raises:
            SettingError: a cue the judge does not know.
        """
        logit = self.sharpness * np.asarray(gap, dtype=np.float64)
        if features is not None:
            logit = logit + np.asarray(features, dtype=np.float64) @ np.asarray(self.taste)
        logit = logit + self.position * np.asarray(shown) + self.own_bonus * np.asarray(own)
        for name, where in (pointed or {}).items():
            if name not in self.cues:
                raise SettingError("bad-setting", f"the judge knows no cue {name!r}; it knows {sorted(self.cues)}")
            logit = logit + self.cues[name] * np.asarray(where)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -700, 700))))

    def choose(self, probability: ArrayLike, *, repeat: int = 0) -> Floats:
        """1 where the first is chosen, 0 where the second.

        The luck of item i depends on the judge's seed, on i and on `repeat` alone: the same item shown under a cue
        meets the same luck, so verdicts differ only because probabilities do.

        Args:
            probability: Of the first. [N]
            repeat: Which time the judge is asked; another number, other luck.
        """
        p = np.asarray(probability, dtype=np.float64)
        luck = np.random.default_rng([self.seed, repeat]).random(p.shape)
        return (luck < p).astype(np.float64)


@dataclass(frozen=True)
class SimulatedRater:
    """A rater that grades answers one at a time, on a scale of whole numbers.

        grade = round(middle + sharpness · quality + leniency(question) + noise)     cut to low … high

    Leniency is drawn once for a question: it moves all answers to it alike, and cancels where two are compared.

    Args:
        sharpness: Grades per unit of quality, > 0.
        leniency: Standard deviation over questions, in grades.
        noise: Standard deviation of one grade.
        low: Lowest grade.
        high: Highest grade.
        seed: Another seed, other luck.
    Raises:
        SettingError: a sharpness that is not positive, a spread below 0, or low ≥ high.
    """

    sharpness: float = 1.0
    leniency: float = 1.0
    noise: float = 0.5
    low: int = 1
    high: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        positive(self, "sharpness")
        if not (self.leniency >= 0 and self.noise >= 0 and self.low < self.high):
            raise SettingError("bad-setting", "SimulatedRater: leniency and noise must be ≥ 0 and low < high")

    def grade(self, quality: ArrayLike, *, repeat: int = 0) -> Floats:
        """Grades of answers [systems, questions]; the leniency of a question is the same at every `repeat`."""
        q = np.asarray(quality, dtype=np.float64)
        if q.ndim != 2:
            raise SettingError("bad-shape", f"quality must be [systems, questions]. Got {q.shape}")
        lenient = self.leniency * np.random.default_rng([self.seed, 0]).standard_normal(q.shape[1])
        noise = self.noise * np.random.default_rng([self.seed, 1, repeat]).standard_normal(q.shape)
        middle = math.fsum((self.low, self.high)) / 2
        return np.clip(np.rint(middle + self.sharpness * q + lenient + noise), self.low, self.high)
