"""Ratings with covariates (style, length, language control) and with clustered errors: fits on records, not on counts.

    logit P(first ≻ second) = β_first − β_second + γᵀ z

z are differences of covariates between the two sides. β then compares players at equal style.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError
from zermelo.ranking.bradley_terry import unbeaten
from zermelo.ranking.counts import count
from zermelo.ranking.graph import pieces
from zermelo.ranking.likelihood import log_sigmoid, sigmoid
from zermelo.ranking.result import FitInfo, Ratings

__all__ = ["ControlledBradleyTerry", "relative_difference", "standardise"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def relative_difference(first: Floats, second: Floats) -> Floats:
    """(f − s)/(f + s), 0 where both are 0: the arenas' style difference of counts such as tokens or headers."""
    total = first + second
    return np.divide(first - second, total, out=np.zeros_like(total, dtype=np.float64), where=total != 0)


def standardise(values: Floats) -> Floats:
    """Columns divided by their standard deviation over records; not centred, so that 0 stays "no difference". [B, K]"""
    spread = values.std(axis=0)
    return np.asarray(values / np.where(spread > 0, spread, 1.0))


@dataclass(frozen=True)
class ControlledBradleyTerry:
    """Bradley–Terry with covariates, a position term and clustered sandwich errors.

    Ties count half a win for each. Every error is a sandwich; with clusters (prompts, people) the scores are summed
    within a cluster before the outer product, so that repeated votes on one prompt do not pass for independent ones.

    Args:
        position: Fit the advantage of the first position.
        prior: Ridge on ratings and coefficients; 0 = none (a penalty shrinks the coefficients towards no control).
        tolerance: Largest absolute gradient at which to stop, relative to the number of battles.
        max_iterations: Newton steps.
    Source: style control: "Does Style Matter? Disentangling Style and Substance in Chatbot Arena", 2024.
    """

    position: bool = False
    prior: float = 0.0
    tolerance: float = 1e-10
    max_iterations: int = 50

    def __post_init__(self) -> None:
        if not self.prior >= 0:
            raise SettingError("bad-setting", f"ControlledBradleyTerry.prior must be ≥ 0. Got {self.prior!r}")

    def fit(
        self,
        first: Ints,
        second: Ints,
        score: Floats,
        *,
        players: Sequence[str],
        covariates: Floats | None = None,
        names: Sequence[str] = (),
        weight: Floats | None = None,
        cluster: Ints | None = None,
    ) -> Ratings:
        """Fit to records.

        Args:
            first: Index of the player in the first position. [B]
            second: Index of the player in the second position. [B]
            score: P(first ≻ second): 1, 0, ½ for a tie, or a probability. [B]
            players: Names. [P]
            covariates: Differences first − second. [B, K]
            names: Names of the covariates. [K]
            weight: Default 1. [B]
            cluster: Cluster codes. [B]
        Raises:
            DataError: a covariate is not finite; what `count` refuses.
        """
        started = time.perf_counter()
        counts = count(first, second, score, players=players, weight=weight)
        size = len(players)
        piece = pieces(counts.first, counts.second, size)
        limit, warnings = (np.zeros(size), []) if self.prior else unbeaten(counts, piece)
        keep = (first != second) & (limit[first] == 0) & (limit[second] == 0)
        z = np.zeros((len(score), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
        if not np.isfinite(z).all():
            row, column = np.argwhere(~np.isfinite(z))[0]
            raise DataError("bad-covariate", f"battle {row + 1}: {names[column]}: {z[row, column]}; expected a number")
        labels = [*(["home"] if self.position else []), *names]
        if self.position:
            z = np.column_stack([np.ones(len(score)), z])
        w = np.ones(len(score)) if weight is None else np.asarray(weight, dtype=np.float64)
        a, b, y, w, z = first[keep], second[keep], np.asarray(score, dtype=np.float64)[keep], w[keep], z[keep]
        core = np.flatnonzero(limit == 0)
        place = np.cumsum(limit == 0) - 1
        problem = _Problem(place[a], place[b], y, w, z, len(core), self.prior, piece[core])
        theta, h, steps, gradient, value = problem.solve(self.tolerance, self.max_iterations)
        inverse = np.linalg.inv(h + problem.gauge) - problem.gauge
        p = sigmoid(problem.logit(theta))
        meat = problem.meat(p, None if cluster is None else np.asarray(cluster)[keep])
        covariance = inverse @ meat @ inverse
        rating, spread = limit.copy(), np.full((size, size), np.nan)
        n = len(core)
        level = np.zeros(n)
        if not self.prior:
            own = piece[core]
            level = (np.bincount(own, theta[:n]) / np.maximum(np.bincount(own), 1))[own]
        rating[core] = theta[:n] - level
        spread[np.ix_(core, core)] = covariance[:n, :n]
        errors = np.sqrt(np.maximum(np.diag(covariance)[n:], 0))
        return Ratings(
            players=tuple(players),
            rating=rating,
            covariance=spread,
            fit=FitInfo(
                method="Bradley–Terry" + (", controlled for " + ", ".join(labels) if labels else "")
                + (", clustered errors" if cluster is not None else ""),
                n_battles=counts.battles,
                iterations=steps,
                gradient_norm=gradient,
                log_likelihood=value,
                seconds=time.perf_counter() - started,
                warnings=tuple(warnings),
            ),
            games=counts.games(),
            win_rate=counts.win_rate(),
            piece=piece,
            extra={name: (float(theta[n + k]), float(errors[k])) for k, name in enumerate(labels)},
        )  # fmt: skip


@dataclass(frozen=True)
class _Problem:
    first: Ints
    second: Ints
    score: Floats
    weight: Floats
    z: Floats
    size: int
    prior: float
    piece: Ints

    @property
    def gauge(self) -> Floats:
        full = self.size + self.z.shape[1]
        out = np.zeros((full, full))
        if not self.prior:
            same = self.piece[:, None] == self.piece[None, :]
            out[: self.size, : self.size] = same / np.bincount(self.piece)[self.piece][:, None]
        return out

    def logit(self, theta: Floats) -> Floats:
        return np.asarray(theta[self.first] - theta[self.second] + self.z @ theta[self.size :])

    def players(self, values: Floats) -> Floats:
        """Σ over records of ±value at first and second. [P]"""
        return np.asarray(
            np.bincount(self.first, values, self.size) - np.bincount(self.second, values, self.size), dtype=np.float64
        )

    def outer(self, v: Floats) -> Floats:
        """Σ v x xᵀ over records, x = (e_first − e_second, z)."""
        size, extra = self.size, self.z.shape[1]
        h = np.zeros((size + extra, size + extra))
        flat = np.bincount(self.first * size + self.second, v, size * size).reshape(size, size)
        h[:size, :size] = -(flat + flat.T)
        h[np.arange(size), np.arange(size)] += flat.sum(0) + flat.sum(1)
        for k in range(extra):
            h[size + k, :size] = h[:size, size + k] = self.players(v * self.z[:, k])
        h[size:, size:] = self.z.T @ (v[:, None] * self.z)
        return h

    def solve(self, tolerance: float, max_iterations: int) -> tuple[Floats, Floats, int, float, float]:
        theta = np.zeros(self.size + self.z.shape[1])
        ridge = self.prior * np.eye(len(theta))

        def value_at(theta: Floats) -> float:
            u = self.logit(theta)
            data = self.weight * (self.score * log_sigmoid(u) + (1 - self.score) * log_sigmoid(-u))
            return float(data.sum()) - self.prior / 2 * float(theta @ theta)

        value, steps = value_at(theta), 0
        while True:
            p = sigmoid(self.logit(theta))
            residual = self.weight * (self.score - p)
            g = np.concatenate([self.players(residual), self.z.T @ residual]) - self.prior * theta
            h = self.outer(self.weight * p * (1 - p)) + ridge
            gradient = float(np.abs(g).max(initial=0.0))
            if gradient <= tolerance * max(len(p), 1) or steps >= max_iterations:
                return theta, h, steps, gradient, value + self.prior / 2 * float(theta @ theta)
            move = np.linalg.solve(h + self.gauge, g)
            damping = 1.0
            while (new := value_at(theta + damping * move)) < value - 1e-12 * abs(value) and damping > 1e-8:
                damping /= 2
            theta, value, steps = theta + damping * move, new, steps + 1

    def meat(self, p: Floats, cluster: Ints | None) -> Floats:
        """Σ g gᵀ over records, or over clusters of records."""
        residual = self.weight * (self.score - p)
        if cluster is None:
            return self.outer(residual**2)
        from scipy.sparse import coo_matrix

        _, code = np.unique(cluster, return_inverse=True)
        rows, extra = int(code.max()) + 1, self.z.shape[1]
        index = np.concatenate([self.first, self.second, *(np.full(len(p), self.size + k) for k in range(extra))])
        values = np.concatenate([residual, -residual, *(residual * self.z[:, k] for k in range(extra))])
        scores = coo_matrix((values, (np.tile(code, 2 + extra), index)), shape=(rows, self.size + extra)).tocsr()
        return np.asarray((scores.T @ scores).todense())
