"""Two ways of asking about the same responses, ratings and choices: do they say the same?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import mean_interval, wilson

__all__ = ["ProtocolTable", "protocol_win_rate", "rating_ranking_table"]


@dataclass(frozen=True)
class ProtocolTable:
    """Ratings against choices on the same pairs.

    Args:
        counts: Rows: what the ratings imply, columns: what was chosen; each first, second, equal. [3, 3]
        consistency: Share of pairs on which both say the same, `equal` included.
        decisive: Of the pairs on which both decide, the share on which they decide alike.
        rating_ties: Share of pairs with equal ratings.
        choice_ties: Share of pairs called equal.
    """

    counts: NDArray[np.int64]
    consistency: Estimate
    decisive: Estimate
    rating_ties: Estimate
    choice_ties: Estimate

    @property
    def turned(self) -> int:
        """Pairs on which both decide, and differently."""
        return int(self.counts[0, 1] + self.counts[1, 0])

    @property
    def hedged(self) -> int:
        """Pairs on which one decides and the other calls them equal."""
        return int(self.counts[:2, 2].sum() + self.counts[2, :2].sum())


def rating_ranking_table(first: ArrayLike, second: ArrayLike, choice: ArrayLike) -> ProtocolTable:
    """How often two protocols imply the same order of two responses.

    Args:
        first: Rating of the first response. [N]
        second: Rating of the second. [N]
        choice: 1 the first was chosen, −1 the second, 0 equal. [N]
    Raises:
        DataError: no pair with both ratings and a choice.
    Source: "Peering Through Preferences: Unraveling Feedback Acquisition for Aligning Large Language Models", 2023,
        arXiv 2308.15812.
    """
    a, b, c = (np.asarray(column, np.float64) for column in (first, second, choice))
    if not (a.shape == b.shape == c.shape) or a.ndim != 1:
        raise SettingError("bad-shape", f"first, second and choice must be [N]. Got {a.shape}, {b.shape}, {c.shape}")
    known = ~np.isnan(a) & ~np.isnan(b) & ~np.isnan(c)
    if not known.any():
        raise DataError("nothing-to-measure", "no pair has both ratings and a choice")
    place = {1: 0, -1: 1, 0: 2}
    implied = np.array([place[int(s)] for s in np.sign(a[known] - b[known])])
    chosen = np.array([place[int(s)] for s in np.sign(c[known])])
    counts = np.bincount(implied * 3 + chosen, minlength=9).reshape(3, 3)
    n, both = int(counts.sum()), int(counts[:2, :2].sum())
    return ProtocolTable(
        counts,
        wilson(float(np.trace(counts)), n),
        wilson(float(np.trace(counts[:2, :2])), both),
        wilson(float(counts[2].sum()), n),
        wilson(float(counts[:, 2].sum()), n),
    )


def protocol_win_rate(outcome: ArrayLike) -> Estimate:
    """Win rate with half ties from outcomes 1 (win), 0 (tie), −1 (loss), with its t interval; NaN = missing.

    Source: "Peering Through Preferences: Unraveling Feedback Acquisition for Aligning Large Language Models", 2023,
        arXiv 2308.15812.
    """
    return mean_interval((np.sign(np.asarray(outcome, np.float64)) + 1) / 2)
