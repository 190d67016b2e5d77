"""Choosing among samples, on arrays: no model, no text beyond the final answers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = [
    "Vote",
    "best_of_n_kl",
    "canonical_answer",
    "expected_utility",
    "soft_weights",
    "vote",
    "vote_weights",
]

Floats: TypeAlias = NDArray[np.float64]
Aggregate: TypeAlias = Literal["sum", "mean", "max"]

_NUMBER = re.compile(r"^[-+]?(\d[\d,]*)?(\.\d+)?(/\d+)?$")


def best_of_n_kl(n: ArrayLike) -> Floats:
    """KL of the best-of-n policy to the policy it samples from, at most log n − (n − 1)/n, nat.

    Exact for scores without ties on a policy that never repeats itself; an upper bound otherwise.

    Args:
        n: Samples, ≥ 1.
    Source: Beirami et al., "Theoretical guarantees on the best-of-n alignment policy", 2024, arXiv 2401.01879; the
        formula was first used by Stiennon et al., 2020.
    """
    size = np.asarray(n, dtype=np.float64)
    if (size < 1).any():
        raise SettingError("bad-setting", f"n must be at least 1. Got {n!r}")
    return np.asarray(np.log(size) - (size - 1) / size)


def soft_weights(scores: ArrayLike, *, temperature: float) -> Floats:
    """Probabilities ∝ exp(score / temperature); NaN scores get none. → best-of-n at 0, uniform at ∞.

    Args:
        scores: Of the samples of one prompt. [N]
        temperature: In units of the scores, ≥ 0; 0 is best-of-n with ties shared evenly.
    Returns:
        Probabilities; all 0 where no score is known. [N]
    """
    if not temperature >= 0:
        raise SettingError("bad-setting", f"temperature must be ≥ 0. Got {temperature!r}")
    x = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(x)
    if not known.any():
        return np.zeros_like(x)
    top = x[known].max()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        raw = (x == top).astype(np.float64) if temperature == 0 else np.exp(np.where(known, x - top, 0) / temperature)
    raw = np.where(known, raw, 0.0)
    return np.asarray(raw / raw.sum())


def canonical_answer(text: str) -> str:
    """A final answer as it is counted in a vote: `$18`, `18.0`, ` 18 ` and `1,8`… become one string per number.

    Numbers (thousands separators, a currency sign, decimals, fractions) become a reduced fraction, a percent sign is
    kept; other text is lower-cased, white space collapsed, a closing full stop dropped.
    """
    plain = " ".join(text.split()).strip().rstrip(".").lower()
    number = plain.replace(" ", "").lstrip("$€£")
    percent = number.endswith("%")
    number = number.removesuffix("%")
    if number and any(mark.isdigit() for mark in number) and _NUMBER.match(number):
        top, _, bottom = number.replace(",", "").partition("/")
        if not bottom or int(bottom):
            return str(Fraction(top) / (int(bottom) if bottom else 1)) + ("%" if percent else "")
    return plain


@dataclass(frozen=True)
class Vote:
    """The outcome of a vote over final answers.

    Args:
        answer: The winner in canonical form; None where no sample had an answer.
        index: First sample with that answer, −1 where there is none.
        weights: Canonical answer → its total, in order of first occurrence.
        dropped: Samples without an answer (empty, unparsed) or without a weight.
        tied: Whether another answer had the same total.
    """

    answer: str | None
    index: int
    weights: dict[str, float]
    dropped: int
    tied: bool


def vote(
    answers: Sequence[str | None],
    *,
    weights: ArrayLike | None = None,
    aggregate: Aggregate = "sum",
    canonical: Callable[[str], str] = canonical_answer,
    rng: np.random.Generator | None = None,
) -> Vote:
    """(Weighted) majority: argmax_a Σ_{i: answer_i = a} w_i.

    Ties go to the answer that occurs first, or, with `rng`, to a random one of the tied.

    Args:
        answers: Final answer of each sample, None or blank = none; such samples are dropped and counted. [N]
        weights: Of each sample, NaN = dropped; default 1. [N]
        aggregate: Total of an answer: `sum`, `mean` or `max` of its weights.
        canonical: Makes equal answers equal strings.
        rng: Breaks ties at random.
    Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning", 2022, arXiv 2203.11171.
    """
    w = np.ones(len(answers)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(w) != len(answers):
        raise SettingError("bad-shape", f"{len(answers)} answers and {len(w)} weights; expected as many")
    if aggregate not in ("sum", "mean", "max"):
        raise SettingError("bad-setting", f"aggregate must be 'sum', 'mean' or 'max'. Got {aggregate!r}")
    members: dict[str, list[int]] = {}
    for i, answer in enumerate(answers):
        if answer is not None and answer.strip() and not math.isnan(w[i]):
            members.setdefault(canonical(answer), []).append(i)
    if not members:
        return Vote(None, -1, {}, len(answers), False)
    totals = {answer: _total(w[rows], aggregate) for answer, rows in members.items()}
    best = max(totals.values())
    # sums of equal weights in another order differ in the last digit; that must not decide a vote
    winners = [answer for answer, value in totals.items() if math.isclose(value, best, rel_tol=1e-12, abs_tol=1e-300)]
    winner = winners[0] if rng is None else winners[int(rng.integers(len(winners)))]
    dropped = len(answers) - sum(map(len, members.values()))
    return Vote(winner, members[winner][0], totals, dropped, len(winners) > 1)


def _total(weights: Floats, aggregate: Aggregate) -> float:
    if aggregate == "max":
        return float(weights.max())
    total = math.fsum(weights)
    return total / len(weights) if aggregate == "mean" else total


def vote_weights(scores: ArrayLike, *, beta: float = 1.0) -> Floats:
    """Weights of a weighted vote: the scores themselves where all lie in [0, 1], else exp((r − max r) / β).

    Args:
        scores: Of the samples of one prompt, NaN = dropped. [N]
        beta: Temperature in units of the scores, > 0; → 0 is best-of-n by answer, → ∞ the plain majority.
    """
    if not beta > 0:
        raise SettingError("bad-setting", f"beta must be positive. Got {beta!r}")
    x = np.asarray(scores, dtype=np.float64)
    known = x[~np.isnan(x)]
    if not len(known) or (known.min() >= 0 and known.max() <= 1):
        return x
    return np.asarray(np.exp((x - known.max()) / beta))


def expected_utility(utility: ArrayLike) -> Floats:
    """(1/N) Σ_j u(y_i, y_j): minimum Bayes risk takes its argmax. With u = 1[answers equal] that is the majority.

    Args:
        utility: u of sample i against sample j as the truth. [N, N]
    Source: Kumar and Byrne, "Minimum Bayes-Risk Decoding for Statistical Machine Translation", 2004.
    """
    table = np.asarray(utility, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise SettingError("bad-shape", f"utility must be [N, N]. Got {table.shape}")
    return np.asarray(table.mean(axis=1)) if len(table) else np.zeros(0)
