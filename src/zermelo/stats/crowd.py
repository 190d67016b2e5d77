"""How reliable is each annotator? EM over the items' true answers, for yes/no votes of many people on many items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive

__all__ = ["AnnotatorReliability", "OneCoin"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class AnnotatorReliability:
    """Fitted reliabilities.

    Args:
        eta: η_k, P(a vote of annotator k is right). [R]
        error: Standard error of η_k, from the votes that can be checked. [R]
        checked: Votes' worth of evidence on annotator k: Σ |2 P(true | the others) − 1|. [R]
        votes: How many he cast. [R]
        belief: P(the item's answer is yes | all votes, prior). [I]
        wrong: P(the vote is wrong). [B]
        log_likelihood: At the end, nat.
        iterations: EM rounds.
    """

    eta: Floats
    error: Floats
    checked: Floats
    votes: Ints
    belief: Floats
    wrong: Floats
    log_likelihood: float
    iterations: int


@dataclass(frozen=True)
class OneCoin:
    """Dawid and Skene's model with one coin per annotator, and a prior for every item.

        P(votes, z_i) = π_i(z_i) Π_k η_k^{1[vote = z_i]} (1 − η_k)^{1[vote ≠ z_i]}
        E: z_i given the votes;   M: η_k = (a + Σ P(vote right)) / (a + b + votes)

    Without a prior an annotator is measured by the others on the same items; with one (what a probe of the texts says)
    also where he is alone. Votes on one item are right or wrong independently of each other.

    Args:
        right: Pseudo-votes that are right, a.
        wrong: Pseudo-votes that are wrong, b.
        start: η of everyone at the start, in (½, 1): which of the two mirror images is meant.
        tolerance: Largest change of an η at which to stop.
        max_iterations: EM rounds.
    Source: "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", 1979; the annotator's
        posterior is that of "Latent Collective Preference Optimization", 2025, arXiv 2509.24159.
    """

    right: float = 4.0
    wrong: float = 1.0
    start: float = 0.8
    tolerance: float = 1e-6
    max_iterations: int = 500

    def __post_init__(self) -> None:
        positive(self, "right", "wrong", "tolerance", "max_iterations")
        if not 0.5 < self.start < 1:
            raise SettingError("bad-setting", f"OneCoin.start must be in (0.5, 1). Got {self.start!r}")

    def fit(
        self, item: ArrayLike, annotator: ArrayLike, vote: ArrayLike, *, prior: ArrayLike | None = None
    ) -> AnnotatorReliability:
        """Fit to votes, one row each.

        Args:
            item: Numbers 0…I−1. [B]
            annotator: Numbers 0…R−1. [B]
            vote: Yes or no. [B]
            prior: Log-odds of yes before any vote; 0 by default. [I]
        Raises:
            DataError: no votes.
        """
        i, k = np.asarray(item, np.int64), np.asarray(annotator, np.int64)
        sign = np.where(np.asarray(vote, bool), 1.0, -1.0)
        if not len(i):
            raise DataError("nothing-to-measure", "no votes")
        n, r = int(i.max()) + 1, int(k.max()) + 1
        odds = np.zeros(n) if prior is None else np.asarray(prior, np.float64)
        if len(odds) < n:
            raise SettingError("bad-shape", f"prior: {len(odds)} items, but item {n - 1} has a vote")
        count = np.bincount(k, minlength=r)
        eta = np.full(r, self.start)
        step = 0
        for step in range(1, self.max_iterations + 1):  # noqa: B007
            weight = np.log(eta / (1 - eta))
            total = odds + np.bincount(i, weights=sign * weight[k], minlength=len(odds))
            right = _sigmoid(sign * total[i])
            new = (np.bincount(k, weights=right, minlength=r) + self.right) / (count + self.right + self.wrong)
            moved = float(np.abs(new - eta).max())
            eta = new
            if moved < self.tolerance:
                break
        weight = np.log(eta / (1 - eta))
        pulls = sign * weight[k]
        total = odds + np.bincount(i, weights=pulls, minlength=len(odds))
        others = np.abs(np.tanh((total[i] - pulls) / 2))  # |2 P − 1| of the item without this vote
        checked = np.bincount(k, weights=others, minlength=r)
        likelihood = _log_likelihood(odds, i, k, sign, eta)
        return AnnotatorReliability(
            eta=eta,
            error=np.sqrt(eta * (1 - eta) / np.maximum(checked, 1e-9)),
            checked=np.asarray(checked, np.float64),
            votes=count,
            belief=_sigmoid(total),
            wrong=1 - _sigmoid(sign * total[i]),
            log_likelihood=likelihood,
            iterations=step,
        )


def _log_likelihood(odds: Floats, i: Ints, k: Ints, sign: Floats, eta: Floats) -> float:
    """Σ_i log Σ_z π(z) Π η…"""
    yes = np.where(sign > 0, np.log(eta[k]), np.log(1 - eta[k]))
    no = np.where(sign > 0, np.log(1 - eta[k]), np.log(eta[k]))
    n = len(odds)
    both = (
        np.bincount(i, weights=yes, minlength=n) - np.logaddexp(0, -odds),
        np.bincount(i, weights=no, minlength=n) - np.logaddexp(0, odds),
    )
    return float(np.logaddexp(*both).sum())


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
