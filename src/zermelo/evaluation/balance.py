"""The balance score: signed over- or under-confidence without bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError

__all__ = ["balance_score", "true_ece"]

Floats = NDArray[np.float64]


def balance_score(probability: Sequence[float] | Floats, outcome: Sequence[int] | Floats) -> float:
    """Accuracy minus mean confidence of the predicted class: mean(1[ŷ = y] − c), ŷ = 1[q ≥ ½], c = max(q, 1 − q).

    Above 0 under-confident, below 0 over-confident; 0 where calibrated, or where errors of both signs cancel: show a
    reliability curve beside it, and never train on it (it is no proper score). The form is derived from the paper's
    stated properties (g(p; p) = 0, |g(q; p)| = |q − p|); its own equation was not at hand.

    Args:
        probability: q = P(y = 1). [n]
        outcome: 1 or 0. [n]
    Raises:
        DataError: no prediction, or a probability outside [0, 1].
    Source: "Rethinking Evaluation Metric for Probability Estimation Models Using Esports Data", 2023, arXiv 2309.06248.
    """
    q, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if not len(q) or not ((q >= 0) & (q <= 1)).all():
        raise DataError("off-scale", "the balance score takes probabilities in [0, 1], at least one")
    return float((((q >= 0.5) == (y == 1)) - np.maximum(q, 1 - q)).mean())


def true_ece(probability: Sequence[float] | Floats, truth: Sequence[float] | Floats) -> float:
    """E|q − p| where the true probability p is known (simulations). [n], [n] → in [0, 1]"""
    return float(np.abs(np.asarray(probability, dtype=np.float64) - np.asarray(truth, dtype=np.float64)).mean())
