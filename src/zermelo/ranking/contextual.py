"""Ratings by category with partial pooling: a category with few battles borrows from the others.

rating of p in category c = μ_p + δ_pc,   δ_pc ~ N(0, τ²)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, positive
from zermelo.ranking.bradley_terry import unbeaten
from zermelo.ranking.counts import Counts, count
from zermelo.ranking.covariates import records_as_cells
from zermelo.ranking.graph import pieces
from zermelo.ranking.likelihood import half
from zermelo.ranking.result import FitInfo, Ratings

__all__ = ["Contextual", "ContextualBradleyTerry"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Contextual:
    """Ratings overall and in each category.

    Args:
        overall: μ, the ratings of the average category.
        categories: Name → ratings μ + δ in it; players without a battle there stand at μ with the spread of δ.
        spread: τ, standard deviation of a player's deviation in a category, logits; 0 = categories do not differ.
        battles: Name → comparisons.
    """

    overall: Ratings
    categories: dict[str, Ratings]
    spread: float
    battles: dict[str, int]


@dataclass(frozen=True)
class ContextualBradleyTerry:
    """Bradley–Terry whose ratings vary by category around a common value (ties half a win each).

    τ² is estimated by expectation–maximisation over the Gaussian approximation: the mean of δ̂² and its posterior
    variance. Errors are the model's posterior errors, with τ taken as known.

    Args:
        spread: τ where it is known; None = estimated.
        iterations: EM rounds.
    Source: "Bayesian Data Analysis", 2013, chapter 5, for the pooling; the likelihood is Bradley–Terry's.
    """

    spread: float | None = None
    iterations: int = 30

    def __post_init__(self) -> None:
        positive(self, "iterations")
        if self.spread is not None:
            positive(self, "spread")

    def fit(
        self,
        first: Ints,
        second: Ints,
        score: Floats,
        category: Ints,
        *,
        players: Sequence[str],
        categories: Sequence[str],
        weight: Floats | None = None,
        offset: Floats | None = None,
    ) -> Contextual:
        """Fit to records.

        Args:
            first: Index of the player in the first position. [B]
            second: Index of the player in the second position. [B]
            score: P(first ≻ second). [B]
            category: Code of each record's category. [B]
            players: Names. [P]
            categories: Names. [C]
            weight: Default 1. [B]
            offset: Known part of the logit, such as fitted style effects. [B]
        Raises:
            SettingError: a player without a finite rating overall (leave it out, or there is nothing to pool towards).
        """
        started = time.perf_counter()
        size = len(players)
        whole = count(first, second, score, players=players, weight=weight)
        piece = pieces(whole.first, whole.second, size)
        limit, warnings = unbeaten(whole, piece)
        if (limit != 0).any() or piece.max() > 0:
            raise SettingError(
                "no-common-scale",
                "ratings by category need players that are all linked and neither always won nor always lost",
                hint="; ".join(warnings) or "the comparisons fall into pieces",
            )
        parts = []
        for c in range(len(categories)):
            inside = category == c
            one = [x[inside] for x in (first, second, score)]
            w = None if weight is None else weight[inside]
            if offset is None:
                parts.append((count(*one, players=players, weight=w).unordered(), np.zeros(1)))
            else:
                cells = records_as_cells(*one, tie=np.zeros(len(one[0]), dtype=bool), weight=w, players=players)
                parts.append((cells, offset[inside]))
        tau2 = 0.05 if self.spread is None else self.spread**2
        mu, delta = np.zeros(size), np.zeros((len(categories), size))
        for _ in range(self.iterations if self.spread is None else 8):
            for _ in range(2 if self.spread is None else 1):
                mu, delta, cov_mu, solved = _step(parts, mu, delta, tau2)
            if self.spread is None:
                moment = [d @ d + np.trace(own) for d, (own, _) in zip(delta, solved, strict=True)]
                new = max(float(np.sum(moment)) / delta.size, 1e-6)
                done = abs(new - tau2) < 1e-4 * tau2
                tau2 = new
                if done:
                    break
        ones = np.eye(size) - 1 / size
        info = FitInfo(
            method="Bradley–Terry by category, partially pooled",
            n_battles=whole.battles,
            iterations=self.iterations,
            gradient_norm=float("nan"),
            log_likelihood=_log_likelihood(parts, mu, delta),
            seconds=time.perf_counter() - started,
            errors="model",
            warnings=tuple(warnings),
        )  # fmt: skip
        overall = Ratings(
            tuple(players), mu - mu.mean(), ones @ cov_mu @ ones, info, whole.games(), whole.win_rate(), piece
        )
        found, battles = {}, {}
        for name, (cells, _), d, (own, cross) in zip(categories, parts, delta, solved, strict=True):
            covariance = ones @ (cov_mu + own + cross + cross.T) @ ones
            rating = mu + d
            found[name] = replace(
                overall,
                rating=rating - rating.mean(),
                covariance=covariance,
                games=cells.games(),
                win_rate=cells.win_rate(),
                fit=replace(info, n_battles=cells.battles),
            )
            battles[name] = cells.battles
        return Contextual(overall, found, float(np.sqrt(tau2)), battles)


def _log_likelihood(parts: Sequence[tuple[Counts, Floats]], mu: Floats, delta: Floats) -> float:
    each = zip(parts, delta, strict=True)
    return float(sum(half(cells, _u(cells, mu + d) + offset, 0).value.sum() for (cells, offset), d in each))


def _u(cells: Counts, rating: Floats) -> Floats:
    return rating[cells.first] - rating[cells.second]


def _step(
    parts: Sequence[tuple[Counts, Floats]], mu: Floats, delta: Floats, tau2: float
) -> tuple[Floats, Floats, Floats, list[tuple[Floats, Floats]]]:
    """One Newton step in (μ, δ) by Schur complements over categories.

    Returns:
        μ [P], δ [C, P], Cov(μ) [P, P], and for each category Cov(δ_c) and Cov(μ, δ_c), [P, P] each.
    """
    size = len(mu)
    prior = 1 / tau2
    schur, right = np.full((size, size), 1 / size), np.zeros(size)
    held = []
    for (cells, offset), d in zip(parts, delta, strict=True):
        now = half(cells, _u(cells, mu + d) + offset, 0.0)
        flat = np.bincount(cells.first * size + cells.second, now.uu, size * size).reshape(size, size)
        flat = flat + flat.T
        laplacian = np.diag(flat.sum(0)) - flat
        g = np.bincount(cells.first, now.u, size) - np.bincount(cells.second, now.u, size)
        inverse = np.linalg.inv(laplacian + prior * np.eye(size))
        share = inverse @ laplacian  # how far δ follows −μ
        g_delta = g - prior * d
        schur += laplacian - laplacian @ share
        right += g - share.T @ g_delta
        held.append((inverse, share, g_delta))
    cov_mu = np.linalg.inv(schur) - 1 / size
    move = cov_mu @ right
    new, solved = [], []
    for (inverse, share, g_delta), d in zip(held, delta, strict=True):
        new.append(d + np.clip(inverse @ g_delta - share @ move, -2, 2))
        cross = -cov_mu @ share.T
        solved.append((inverse - share @ cross, cross))
    return mu + np.clip(move, -2, 2), np.stack(new), cov_mu, solved
