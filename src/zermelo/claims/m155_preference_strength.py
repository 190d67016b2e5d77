"""Secrets of RLHF II (M155): preference strength by an ensemble tells wrong, ambiguous and easy pairs apart; flipping
the labels of the weakest, smoothing those of the next and an adaptive margin each improve the reward model.

Here: linear rewards in 30 dimensions, 1,000 pairs; the label is wrong with probability 0.35 where the true margin is
below 0.7, else 0.2 (about 27 %). Strength by 10 ridge rewards on random halves, each pair scored only by members that
did not see it. Reward models are logistic regressions without intercept (weight decay 0.01), trained on the labels as
they are; with the weakest 20 % turned round where μ̂ < 0; the same dropped; the next 20 % smoothed by 0.3 beside the
flip; with −log σ(d − μ̂) on all; on true labels. Accuracy on 5,000 fresh pairs with true labels.

Rule, written before the run: reproduced where at least 80 % of the weakest 20 % are wrong and flipping, smoothing (over
flipping alone) and the margin each gain accuracy, all with their intervals; partly where the weakest 20 % are as wrong
and at least one of the three gains with its interval.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict
from zermelo.stats.preference_strength import Treatment, preference_strength

__all__ = ["CLAIM"]

DIM, PAIRS, MEMBERS, TEST = 30, 1000, 10, 5000
DECAY, RIDGE = 0.01, 10.0
Floats = NDArray[np.float64]


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=DIM) / np.sqrt(DIM)
    d = rng.normal(size=(PAIRS, DIM))
    d *= np.sign(d @ w)[:, None]  # the truly better one first
    margin = np.sqrt(2) * (d @ w)
    wrong = rng.random(PAIRS) < np.where(margin < 0.7, 0.35, 0.2)
    x = np.where(wrong[:, None], -d, d)  # as labelled
    test = rng.normal(size=(TEST, DIM))
    better = test @ w > 0
    margins, saw = np.empty((PAIRS, MEMBERS)), np.zeros((PAIRS, MEMBERS), bool)
    for m in range(MEMBERS):
        some = rng.permutation(PAIRS)[: PAIRS // 2]
        saw[some, m] = True
        part = x[some]
        margins[:, m] = x @ np.linalg.solve(part.T @ part + RIDGE * np.eye(DIM), part.sum(axis=0))
    strength = preference_strength(margins, saw=saw)
    weakest = np.argsort(np.nan_to_num(strength.mean, nan=np.inf), kind="stable")[: PAIRS // 5]

    def accuracy(prob: Floats, shift: Floats | None = None) -> float:
        kept = ~np.isnan(prob)
        found = _fit(x[kept], prob[kept], np.zeros(int(kept.sum())) if shift is None else shift)
        return float(((test @ found > 0) == better).mean())

    plain = accuracy(np.ones(PAIRS))
    flip = accuracy(Treatment(flip=0.2).labels(strength))
    soft = accuracy(Treatment(flip=0.2, soften=0.2, smoothing=0.3).labels(strength))
    shift = np.nan_to_num(strength.mean) / float(np.nanstd(strength.mean))
    adaptive = accuracy(np.ones(PAIRS), shift)
    drop = accuracy(Treatment(flip=0.2, weakest="drop").labels(strength))
    half = accuracy(Treatment(flip=0.0, soften=0.4, smoothing=0.5).labels(strength))
    clean = accuracy(np.where(wrong, 0.0, 1.0))
    return {
        "wrong_in_weakest": float(wrong[weakest].mean()),
        "wrong": float(wrong.mean()),
        "plain": plain,
        "clean": clean,
        "flip_gain": flip - plain,
        "drop_gain": drop - plain,
        "smooth_gain": soft - flip,
        "margin_gain": adaptive - plain,
        "half_gain": half - plain,
    }


def _fit(x: Floats, prob: Floats, shift: Floats) -> Floats:
    """argmin of mean p softplus(−(x·w − s)) + (1 − p) softplus(x·w − s) + decay/2 |w|²."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(w: Floats) -> tuple[float, Floats]:
        gap = x @ w - shift
        value = (np.logaddexp(0, -gap) + (1 - prob) * gap).mean() + 0.5 * DECAY * w @ w
        return float(value), np.asarray(x.T @ (expit(gap) - prob) / len(x) + DECAY * w)

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    detects = summary.low["wrong_in_weakest"] >= 0.8
    gains = [summary.low[name] > 0 for name in ("flip_gain", "smooth_gain", "margin_gain")]
    if detects and all(gains):
        return "reproduced"
    return "partly" if detects and any(gains) else "not reproduced"


CLAIM = Claim(
    id="M155",
    paper="the weakest pairs are mostly wrong; flipping, label smoothing and adaptive margins improve the reward",
    measures="share of wrong labels among the 20 % of pairs with the least strength (fraction)",
    headline="wrong_in_weakest",
    run=run,
    verdict=verdict,
    rule="≥ 0.8 of the weakest 20 % wrong; flipping, smoothing the next 20 % and the margin each gain accuracy, all "
    "with their intervals (partly: at least one)",
    seeds=tuple(range(101, 121)),
    notes="linear rewards; contrastive learning and meta learning of the paper are not part of this",
)
