"""Numbers as judgements: ratings, comparisons of all pairs, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.feedback.records import Group, Judgement

__all__ = ["comparisons", "ratings", "values_of"]


def ratings(values: ArrayLike, by: str) -> tuple[Judgement, ...]:
    """One rating per response; NaN = not judged. values: [K]"""
    return tuple(
        Judgement("rating", (i,), by=by, value=float(value))
        for i, value in enumerate(np.asarray(values, dtype=np.float64))
        if not math.isnan(value)
    )


def comparisons(rewards: ArrayLike, by: str) -> tuple[Judgement, ...]:
    """P(i ≻ j) = σ(r_i − r_j) for each pair i < j of judged responses. rewards: [K], logits"""
    known = [(i, float(r)) for i, r in enumerate(np.asarray(rewards, dtype=np.float64)) if not math.isnan(r)]
    return tuple(
        Judgement("comparison", (i, j), by=by, value=1 / (1 + math.exp(min(700.0, b - a))))
        for at, (i, a) in enumerate(known)
        for j, b in known[at + 1 :]
    )


def values_of(group: Group, judgements: Sequence[Judgement]) -> NDArray[np.float64]:
    """Ratings and labels as one number per response, NaN = none; of several for one response the last. [K]"""
    out = np.full(len(group.responses), np.nan)
    for judgement in judgements:
        if judgement.kind in ("rating", "label") and len(judgement.on) == 1 and judgement.value is not None:
            out[judgement.on[0]] = judgement.value
    return out
