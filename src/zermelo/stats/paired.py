"""Is A better than B on the same items? Paired differences, their intervals and their tests.

Rows of the same prompt are not independent: give `cluster`, and whole prompts are resampled or flipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.stats.bootstrap import Method, bootstrap_mean, units_of
from zermelo.stats.estimate import Estimate

__all__ = [
    "PairedTest",
    "cohen_d",
    "equivalence_test",
    "mcnemar",
    "paired_bootstrap",
    "permutation_test",
    "sign_test",
]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The result of a paired test.

    Args:
        name: Of the test.
        difference: Mean of first − second.
        p_value: Two-sided.
        n: Independent units.
        wins: Units in which the first is better.
        losses: Units in which the second is better.
        ties: Units without a difference.
    """

    name: str
    difference: float
    p_value: float
    n: int
    wins: int
    losses: int
    ties: int

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "test": self.name,
            "difference": self.difference,
            "p_value": self.p_value,
            "n": self.n,
            "wins": self.wins,
            "losses": self.losses,
            "ties": self.ties,
        }


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    method: Method = "percentile",
    seed: int = 0,
) -> Estimate:
    """mean(first − second) with a bootstrap interval over items, or over clusters of them.

    Args:
        first: Scores of one system; NaN in either leaves the row out. [N]
        second: Scores of the other on the same items. [N]
        cluster: Independent unit of each row (prompt). [N]
        level: Coverage.
        resamples: B.
        method: `percentile` or `bca`.
        seed: Of the resamples.
    """
    difference, _, _ = _differences(first, second, None)
    where = None if cluster is None else _kept(first, second, cluster)
    return bootstrap_mean(
        difference, cluster=where, level=level, resamples=resamples, method=method, seed=seed
    ).estimate()


def sign_test(first: ArrayLike, second: ArrayLike, *, cluster: ArrayLike | None = None) -> PairedTest:
    """Exact sign test: units with a difference are heads or tails of a fair coin; ties are left out and counted.

    Args:
        first: Scores of one system. [N]
        second: Scores of the other on the same items. [N]
        cluster: Unit of each row; a unit's sign is that of its mean difference. [N]
    """
    difference, per_unit, _ = _differences(first, second, cluster)
    wins, losses = int((per_unit > 0).sum()), int((per_unit < 0).sum())
    ties = len(per_unit) - wins - losses
    p = _two_sided_coin(wins, losses)
    return PairedTest("sign test", float(difference.mean()), p, len(per_unit), wins, losses, ties)


def mcnemar(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """McNemar's exact test of paired yes/no outcomes: the sign test on the items that disagree.

    Args:
        first: 1 = right, 0 = wrong; independent items. [N]
        second: The same items. [N]
    Raises:
        SettingError: an outcome is neither 0 nor 1.
    Source: McNemar, 1947; exact form.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not np.isin(a[~np.isnan(a)], (0, 1)).all() or not np.isin(b[~np.isnan(b)], (0, 1)).all():
        raise SettingError("bad-setting", "McNemar's test takes outcomes 0 and 1; use the sign or permutation test")
    found = sign_test(a, b)
    return PairedTest("McNemar (exact)", found.difference, found.p_value, found.n, found.wins, found.losses, found.ties)


def permutation_test(
    first: ArrayLike,
    second: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Sign-flip permutation test of mean(first − second): exact up to 2^14 patterns, else sampled.

    Args:
        first: Scores of one system. [N]
        second: Scores of the other on the same items. [N]
        cluster: Unit of each row; a whole unit is flipped. [N]
        permutations: Sampled patterns; p = (1 + as extreme) / (1 + permutations), never 0.
        seed: Of the patterns.
    Source: Fisher, "The Design of Experiments", 1935.
    """
    difference, per_unit, unit_sum = _differences(first, second, cluster)
    size, seen = len(unit_sum), abs(float(unit_sum.sum()))
    slack = 1e-12 * max(float(np.abs(unit_sum).sum()), 1.0)  # equal sums must count as equal after rounding
    moving = unit_sum[unit_sum != 0]
    if 2 ** len(moving) <= 2**14:
        patterns = ((np.arange(2 ** len(moving))[:, None] >> np.arange(len(moving))) & 1) * 2 - 1
        p = float(np.mean(np.abs(patterns @ moving) >= seen - slack)) if len(moving) else 1.0
    else:
        rng, extreme, left = np.random.default_rng(seed), 0, permutations
        while left:
            rows = min(left, max(1, 4_000_000 // len(moving)))
            signs = rng.integers(0, 2, size=(rows, len(moving)), dtype=np.int8) * 2 - 1
            extreme += int((np.abs(signs @ moving) >= seen - slack).sum())
            left -= rows
        p = (1 + extreme) / (1 + permutations)
    wins, losses = int((per_unit > 0).sum()), int((per_unit < 0).sum())
    return PairedTest("permutation", float(difference.mean()), p, size, wins, losses, size - wins - losses)


def equivalence_test(
    first: ArrayLike, second: ArrayLike, *, margin: float, cluster: ArrayLike | None = None
) -> PairedTest:
    """Two one-sided t tests (TOST): a small p says |mean difference| < margin.

    Args:
        first: Scores of one system. [N]
        second: Scores of the other on the same items. [N]
        margin: Largest difference that does not matter, > 0, in units of the scores.
        cluster: Unit of each row; units enter as their means. [N]
    Source: Schuirmann, 1987.
    """
    if not margin > 0:
        raise SettingError("bad-setting", f"margin must be positive. Got {margin!r}")
    from scipy.special import stdtr

    difference, per_unit, _ = _differences(first, second, cluster)
    size, mean = len(per_unit), float(per_unit.mean())
    error = float(per_unit.std(ddof=1)) / math.sqrt(size) if size > 1 else math.nan
    if error == 0:
        p = 0.0 if abs(mean) < margin else 1.0
    else:
        p = max(1 - float(stdtr(size - 1, (mean + margin) / error)), float(stdtr(size - 1, (mean - margin) / error)))
    wins, losses = int((per_unit > 0).sum()), int((per_unit < 0).sum())
    return PairedTest("equivalence (TOST)", float(difference.mean()), p, size, wins, losses, size - wins - losses)


def cohen_d(first: ArrayLike, second: ArrayLike) -> float:
    """Paired effect size: mean difference / standard deviation of the differences; NaN without spread."""
    difference, _, _ = _differences(first, second, None)
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return float(difference.mean()) / spread if spread > 0 else math.nan


def _two_sided_coin(wins: int, losses: int) -> float:
    n = wins + losses
    if not n:
        return 1.0
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(wins, losses), n, 0.5)))


def _differences(first: ArrayLike, second: ArrayLike, cluster: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Differences of rows, mean difference of units, and sum of each unit's differences."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise SettingError("bad-shape", f"first is {a.shape}, second is {b.shape}; expected the same [N]")
    known = ~np.isnan(a) & ~np.isnan(b)
    if not known.any():
        raise SettingError("nothing-to-measure", "paired test: there is no item with both scores")
    difference = a[known] - b[known]
    if cluster is None:
        return difference, difference, difference
    unit, n_units = units_of(np.asarray(cluster)[known])
    total: Floats = np.asarray(np.bincount(unit, weights=difference, minlength=n_units), dtype=np.float64)
    return difference, total / np.bincount(unit, minlength=n_units), total


def _kept(first: ArrayLike, second: ArrayLike, cluster: ArrayLike) -> NDArray[Any]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return np.asarray(cluster)[~np.isnan(a) & ~np.isnan(b)]
