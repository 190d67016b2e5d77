"""M021 · Balance score: miscalibration without bins, from few samples.

The paper: the balance score tracks the true expected calibration error without choosing bins and from few samples.

Here: p ~ U(0, 1), predictions q = p + 0.1 (p − ½) clipped (over-confident; true error 0.0227), n = 1000. Figure: the
ratio of the mean absolute error of |Balance| to that of the ECE with 10 bins, both against the true error. Rule,
written before the run: reproduced where the interval's upper end is at most ½, partly where the mean is below 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict
from zermelo.evaluation.balance import balance_score, true_ece

__all__ = ["CLAIM"]


def ece(q: np.ndarray, y: np.ndarray, bins: int) -> float:
    """Expected calibration error, equal widths."""
    place = np.minimum((q * bins).astype(int), bins - 1)
    gaps = [abs(float((y[place == b] - q[place == b]).sum())) for b in range(bins)]
    return float(sum(gaps) / len(q))


def run(seed: int) -> Mapping[str, float]:
    """Errors of both estimates over 200 draws."""
    rng = np.random.default_rng(seed)
    balance, binned = [], []
    for _ in range(200):
        p = rng.random(1000)
        q = np.clip(p + 0.1 * (p - 0.5), 0, 1)
        y = (rng.random(1000) < p).astype(float)
        truth = true_ece(q, p)
        balance.append(abs(abs(balance_score(q, y)) - truth))
        binned.append(abs(ece(q, y, 10) - truth))
    return {
        "ratio": float(np.mean(balance) / np.mean(binned)),
        "balance": float(np.mean(balance)),
        "ece": float(np.mean(binned)),
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    if summary.high["ratio"] <= 0.5:
        return "reproduced"
    return "partly" if summary.mean["ratio"] < 1 else "not reproduced"


CLAIM = Claim(
    id="M021",
    paper="the balance score tracks the true calibration error without bins and with few samples",
    measures="mean absolute error of |Balance| over that of ECE with 10 bins, n = 1000",
    headline="ratio",
    run=run,
    verdict=verdict,
    rule="the interval's upper end is at most 0.5",
)
