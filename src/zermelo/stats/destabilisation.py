"""How much wrong labels in a benchmark could change a ranking of models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = ["Destabilisation", "crossing", "human_check", "turning_share"]

Floats: TypeAlias = NDArray[np.float64]
Verdict: TypeAlias = Literal["given", "guessed", "both", "neither", "none"]


@dataclass(frozen=True)
class Destabilisation:
    """Accuracy of several models as the share of mislabelled items grows.

        a(N) = (1 − N) a_clean + N a_error       items with right labels are left out until a share N is erroneous

    Args:
        clean: Accuracy on the items whose given label is right. [P]
        error: Accuracy on the corrected labels of the others. [P]
    Source: "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks", 2021, arXiv 2103.14749.
    """

    clean: Floats
    error: Floats

    @classmethod
    def of(cls, correct: ArrayLike, mislabelled: ArrayLike) -> Destabilisation:
        """From outcomes.

        Args:
            correct: Whether a model is right, against the corrected labels. [items, P]
            mislabelled: Whether the item's given label was wrong. [items]
        Raises:
            SettingError: no item of one of the two kinds, or shapes differ.
        """
        right, wrong = np.asarray(correct, np.float64), np.asarray(mislabelled, bool)
        if right.ndim != 2 or wrong.shape != (len(right),):
            raise SettingError("bad-shape", f"correct must be [items, models]. Got {right.shape} and {wrong.shape}")
        if wrong.all() or not wrong.any():
            raise SettingError("nothing-to-measure", "destabilisation needs items with right and with wrong labels")
        return cls(right[~wrong].mean(axis=0), right[wrong].mean(axis=0))

    def accuracy(self, prevalence: ArrayLike) -> Floats:
        """Corrected accuracy at shares of mislabelled items. [..., P]"""
        n = np.asarray(prevalence, np.float64)[..., None]
        return np.asarray((1 - n) * self.clean + n * self.error)

    def crossings(self) -> Floats:
        """Prevalence at which two models change places, NaN where they never do in (0, 1). [P, P]"""
        p = len(self.clean)
        return np.array(
            [[crossing(self.clean[i], self.clean[j], self.error[i], self.error[j]) for j in range(p)] for i in range(p)]
        )


def crossing(clean_a: float, clean_b: float, error_a: float, error_b: float) -> float:
    """N* = Δa / (Δa − Δc), Δ the lead of A over B on clean and on corrected items; NaN where it is not in (0, 1).

    A leads by .90 − .88 on clean items, B by .60 − .40 on the others: N* = .02 / (.02 + .20) = 1/11.
    """
    lead, other = clean_a - clean_b, error_a - error_b
    if lead * other >= 0:
        return math.nan
    return float(lead / (lead - other))


def turning_share(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Least share of yes/no labels that must be wrong for B to be as good as A, NaN where A does not lead.

    A label that is wrong where only A is counted right takes one from A and gives one to B. Errors that strike at
    random shrink the lead by 1 − 2ε and turn nothing; these are the worst that could be.

    Args:
        correct_a: Outcomes of the leader. [N]
        correct_b: Outcomes of the other on the same items. [N]
    """
    a, b = np.asarray(correct_a, np.float64), np.asarray(correct_b, np.float64)
    known = ~np.isnan(a) & ~np.isnan(b)
    lead = float((a[known] - b[known]).sum())
    return math.ceil(lead / 2) / int(known.sum()) if lead > 0 else math.nan


def human_check(given: int, guessed: int, both: int, neither: int) -> tuple[bool, Verdict]:
    """Whether people who looked at a suspect found it mislabelled, and what they took it for.

    An error has fewer than three votes for the given label; what it is needs three votes for one answer (`none`: no
    majority; where two answers have three the larger, `given` first).

    Source: "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks", 2021, arXiv 2103.14749.
    """
    votes: dict[Verdict, int] = {"given": given, "guessed": guessed, "both": both, "neither": neither}
    if min(votes.values()) < 0:
        raise SettingError("bad-setting", f"votes are counts. Got {list(votes.values())}")
    top: Verdict = max(votes, key=lambda name: votes[name])
    return given < 3, (top if votes[top] >= 3 else "none")
