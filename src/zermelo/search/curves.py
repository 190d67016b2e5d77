"""How good is a way of selecting with n samples? Estimated from N ≥ n samples of each prompt, over their subsets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.search.selection import canonical_answer, vote_weights
from zermelo.stats.subsets import log_choose

__all__ = ["majority_curve", "selector_pass_at_k"]

Floats: TypeAlias = NDArray[np.float64]


def majority_curve(
    answers: Sequence[str | None],
    correct: ArrayLike,
    n: Sequence[int],
    *,
    scores: ArrayLike | None = None,
    beta: float = 1.0,
    subsets: int = 400,
    seed: int = 0,
    canonical: Callable[[str], str] = canonical_answer,
) -> Floats:
    """Accuracy of the (weighted) majority of n of N samples of one prompt, mean over subsets without replacement.

    Exact where there are at most `subsets` of them, or where only two answers occur and n is odd (hypergeometric);
    otherwise a mean over that many random subsets. A subset without any answer is wrong.

    Args:
        answers: Final answers, None = none. [N]
        correct: Whether each sample is right; samples with equal answers should agree. [N]
        n: Sizes, each ≤ N; NaN comes back for larger ones.
        scores: Makes it a weighted vote (`vote_weights`). [N]
        beta: Temperature of the weights.
        subsets: Random subsets for each size.
        seed: Of the subsets.
        canonical: Makes equal answers equal strings.
    Returns:
        Expected accuracy at each n. [len(n)]
    """
    right = np.asarray(correct, dtype=np.float64)
    if len(right) != len(answers):
        raise SettingError("bad-shape", f"{len(answers)} answers and {len(right)} outcomes; expected as many")
    names: dict[str, int] = {}
    weight = np.ones(len(answers)) if scores is None else vote_weights(scores, beta=beta)
    code = np.full(len(answers), -1)
    for i, answer in enumerate(answers):
        if answer is not None and answer.strip() and not math.isnan(weight[i]):
            code[i] = names.setdefault(canonical(answer), len(names))
    of_answer = np.array([right[code == c].mean() for c in range(len(names))])
    out = np.full(len(n), np.nan)
    for column, size in enumerate(n):
        if size > len(answers) or size < 1:
            continue
        if scores is None and len(names) == 2 and (code >= 0).all() and size % 2:
            out[column] = _two_answers(code, of_answer, size)
        else:
            out[column] = _over_subsets(code, weight, of_answer, size, subsets, seed)
    return out


def selector_pass_at_k(picked: Sequence[Sequence[int]], correct: Sequence[ArrayLike]) -> Floats:
    """1 where at least one of the samples that a selector returned is right, one number per prompt.

    Args:
        picked: Indices that the selector returned for each prompt. [G][k]
        correct: Whether each sample of each prompt is right. [G][N]
    """
    return np.array(
        [float(any(np.asarray(right)[i] for i in rows)) for rows, right in zip(picked, correct, strict=True)]
    )


def _two_answers(code: NDArray[np.int64], of_answer: Floats, size: int) -> float:
    first = int((code == 0).sum())
    taken = np.arange(size + 1)
    share = np.exp(log_choose(first, taken) + log_choose(len(code) - first, size - taken) - log_choose(len(code), size))
    wins = float(share[taken > size / 2].sum())
    return wins * float(of_answer[0]) + (1 - wins) * float(of_answer[1])


def _over_subsets(
    code: NDArray[np.int64], weight: Floats, of_answer: Floats, size: int, subsets: int, seed: int
) -> float:
    total = len(code)
    if not len(of_answer):
        return 0.0
    if math.comb(total, size) <= subsets:
        rows = np.array(list(itertools.combinations(range(total), size)))
    else:
        # the first n of a random order, then in their own order: ties go to the answer that came first
        rng = np.random.default_rng([seed, size])
        rows = np.sort(np.argsort(rng.random((subsets, total)), axis=1)[:, :size], axis=1)
    totals = np.zeros((len(rows), len(of_answer)))
    first = np.full((len(rows), len(of_answer)), size)
    lines = np.arange(len(rows))
    for place in range(size - 1, -1, -1):
        sample = rows[:, place]
        known = code[sample] >= 0
        np.add.at(totals, (lines[known], code[sample][known]), weight[sample][known])
        first[lines[known], code[sample][known]] = place
    seen = first < size
    best = np.where(seen, totals, -np.inf).max(axis=1, keepdims=True)
    tied = seen & (totals >= best - 1e-12 * np.abs(best))
    winner = np.where(tied, first, size + 1).argmin(axis=1)
    return float(np.where(seen.any(axis=1), of_answer[winner], 0.0).mean())
