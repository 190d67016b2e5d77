"""Ratings with covariates (style, length, language control) and with clustered errors: fits on records, not on counts.

    logit P(first ≻ second) = β_first − β_second + γᵀ z

z are differences of covariates between the two sides. β then compares players at equal style.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, one_of
from zermelo.ranking.bradley_terry import unbeaten
from zermelo.ranking.counts import Counts, count
from zermelo.ranking.graph import pieces
from zermelo.ranking.likelihood import LIKELIHOODS, Parts, Ties
from zermelo.ranking.newton import tie_parameter
from zermelo.ranking.result import FitInfo, Ratings

__all__ = ["ControlledBradleyTerry", "Problem", "records_as_cells", "relative_difference", "standardise"]

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

    Every error is a sandwich; with clusters (prompts, people) the scores are summed within a cluster before the outer
    product, so that repeated votes on one prompt do not pass for independent ones.

    Args:
        ties: `half` a win each (default), `davidson` or `rao-kupper`, as in `BradleyTerry`.
        position: Fit the advantage of the first position.
        prior: Ridge on ratings and coefficients; 0 = none (a penalty shrinks the coefficients towards no control).
        tolerance: Largest absolute gradient at which to stop, relative to the number of battles.
        max_iterations: Newton steps.
    Source: style control: "Does Style Matter? Disentangling Style and Substance in Chatbot Arena", 2024.
    """

    ties: Ties = "half"
    position: bool = False
    prior: float = 0.0
    tolerance: float = 1e-10
    max_iterations: int = 50

    def __post_init__(self) -> None:
        one_of(self, "ties", ("half", "davidson", "rao-kupper"))
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
        tie: NDArray[np.bool_] | None = None,
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
            tie: Declared ties; by default where score is exactly ½. [B]
            weight: Default 1. [B]
            cluster: Cluster codes. [B]
        Raises:
            DataError: a covariate is not finite; what `count` refuses.
            SettingError: probabilities as outcomes with a model of ties; covariates that are collinear.
        """
        started = time.perf_counter()
        counts = count(first, second, score, players=players, tie=tie, weight=weight)
        if counts.soft and self.ties != "half":
            raise SettingError("soft-outcomes", f"{self.ties} models declared ties; here are probabilities")
        size = len(players)
        piece = pieces(counts.first, counts.second, size)
        limit, warnings = (np.zeros(size), []) if self.prior else unbeaten(counts, piece)
        z = np.zeros((len(score), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
        if z.size and not np.isfinite(z.sum()):
            row, column = np.argwhere(~np.isfinite(z))[0]
            raise DataError("bad-covariate", f"battle {row + 1}: {names[column]}: {z[row, column]}; expected a number")
        labels = [*(["home"] if self.position else []), *names]
        if self.position:
            z = np.column_stack([np.ones(len(score)), z])
        core = np.flatnonzero(limit == 0)
        place = np.cumsum(limit == 0) - 1
        cells = records_as_cells(first, second, np.asarray(score, dtype=np.float64), tie=tie, weight=weight)
        code = None if cluster is None else np.unique(cluster, return_inverse=True)[1]
        keep = first != second
        if len(core) < size:
            keep &= (limit[first] == 0) & (limit[second] == 0)
        if not keep.all():
            cells, z = _where(cells, keep), z[keep]
            code = None if code is None else code[keep]
        cells = replace(cells, first=place[cells.first], second=place[cells.second])
        gram = z.T @ z
        if np.linalg.matrix_rank(gram, hermitian=True) < len(gram):
            raise SettingError(
                "collinear",
                f"the covariates {', '.join(labels)} are not independent of each other in these battles",
                hint="leave one out: one that is constant, or two that say the same",
            )
        z = np.asfortranarray(z)  # passes go down its columns
        problem = Problem(cells, z, len(core), self.ties, self.prior, piece[core])
        theta, now, steps, gradient = problem.solve(self.tolerance, self.max_iterations)
        inverse = np.linalg.inv(problem.hessian(now) + problem.gauge) - problem.gauge
        covariance = inverse @ problem.meat(now, code) @ inverse
        rating, spread = limit.copy(), np.full((size, size), np.nan)
        n = len(core)
        own = piece[core]
        level = 0.0 if self.prior or not n else (np.bincount(own, theta[:n]) / np.maximum(np.bincount(own), 1))[own]
        rating[core] = theta[:n] - level
        spread[np.ix_(core, core)] = covariance[:n, :n]
        errors = np.sqrt(np.maximum(np.diag(covariance)[n:], 0))
        extra = {name: (float(theta[n + k]), float(errors[k])) for k, name in enumerate(labels)}
        if self.ties != "half":
            extra["tie"] = tie_parameter(self.ties, float(theta[-1]), float(errors[-1]))
        ties_words = "" if self.ties == "half" else f", ties by {self.ties}"
        return Ratings(
            players=tuple(players),
            rating=rating,
            covariance=spread,
            fit=FitInfo(
                method="Bradley–Terry" + ties_words + (", controlled for " + ", ".join(labels) if labels else "")
                + (", clustered errors" if cluster is not None else ""),
                n_battles=counts.battles,
                iterations=steps,
                gradient_norm=gradient,
                log_likelihood=float(now.value.sum()),
                seconds=time.perf_counter() - started,
                warnings=tuple(warnings),
            ),
            games=counts.games(),
            win_rate=counts.win_rate(),
            piece=piece,
            extra=extra,
        )  # fmt: skip


def records_as_cells(
    first: Ints,
    second: Ints,
    score: Floats,
    *,
    tie: NDArray[np.bool_] | None = None,
    weight: Floats | None = None,
    players: Sequence[str] = (),
) -> Counts:
    """Every record a cell of its own, so that a likelihood can be evaluated record by record."""
    w = np.ones(len(score)) if weight is None else np.asarray(weight, dtype=np.float64)
    t = (score == 0.5) if tie is None else tie
    w2 = w if weight is None else w * w
    wy = score if weight is None else w * score
    w2y = wy if weight is None else w2 * score
    return Counts(
        players=tuple(players),
        first=np.asarray(first, dtype=np.int64),
        second=np.asarray(second, dtype=np.int64),
        n=w,
        score=wy,
        tie=w * t,
        n2=w2,
        tie2=w2 * t,
        score2=w2y,
        square2=w2y * score,
        soft=False,
        battles=len(score),
    )


def _where(cells: Counts, keep: NDArray[np.bool_]) -> Counts:
    columns = ("first", "second", "n", "score", "tie", "n2", "tie2", "score2", "square2")
    return replace(cells, **{name: getattr(cells, name)[keep] for name in columns})


@dataclass(frozen=True)
class Problem:
    """Likelihood of records in θ = (β [P], coefficients [K], tie parameter if the model has one).

    Args:
        cells: One record each.
        z: Covariates. [B, K]
        size: P.
        model: Name in `LIKELIHOODS`.
        prior: Ridge.
        piece: Piece of the comparison graph of each player. [P]
    """

    cells: Counts
    z: Floats
    size: int
    model: str
    prior: float
    piece: Ints

    @property
    def n_parameters(self) -> int:
        """P + K, and one for a model of ties."""
        return self.size + self.z.shape[1] + (self.model != "half")

    @cached_property
    def gauge(self) -> Floats:
        """Projector on the free level of each piece."""
        out = np.zeros((self.n_parameters, self.n_parameters))
        if not self.prior:
            same = self.piece[:, None] == self.piece[None, :]
            out[: self.size, : self.size] = same / np.bincount(self.piece)[self.piece][:, None]
        return out

    def parts(self, theta: Floats) -> Parts:
        """Likelihood and derivatives of every record."""
        size = self.size
        u = theta[self.cells.first] - theta[self.cells.second]
        if self.z.shape[1]:
            u += self.z @ theta[size : size + self.z.shape[1]]
        return LIKELIHOODS[self.model](self.cells, u, float(theta[-1]) if self.model != "half" else 0.0)

    def value(self, now: Parts, theta: Floats) -> float:
        """Penalised log-likelihood."""
        return float(now.value.sum()) - self.prior / 2 * float(theta @ theta)

    def players(self, values: Floats) -> Floats:
        """Σ over records of ±value at first and second. [B] → [P] or [B, K] → [P, K]"""
        first, second, size = self.cells.first, self.cells.second, self.size
        if values.ndim == 1:
            return np.asarray(np.bincount(first, values, size) - np.bincount(second, values, size), dtype=np.float64)
        return np.stack([self.players(column) for column in values.T], axis=1)

    def gradient(self, now: Parts, theta: Floats) -> Floats:
        """[P + K (+ 1)]"""
        tie = [now.eta.sum()] if self.model != "half" else []
        return np.concatenate([self.players(now.u), self.z.T @ now.u, tie]) - self.prior * theta

    def outer(self, uu: Floats, ue: Floats, ee: Floats) -> Floats:
        """Σ v x xᵀ over records, x = (e_first − e_second, z, 1 in η)."""
        size, extra = self.size, self.z.shape[1]
        h = np.zeros((self.n_parameters, self.n_parameters))
        flat = np.bincount(self.cells.first * size + self.cells.second, uu, size * size).reshape(size, size)
        h[:size, :size] = -(flat + flat.T)
        h[np.arange(size), np.arange(size)] += flat.sum(0) + flat.sum(1)
        if extra:
            vz = uu[:, None] * self.z
            end = size + extra
            h[:size, size:end] = self.players(vz)
            h[size:end, :size] = h[:size, size:end].T
            h[size:end, size:end] = self.z.T @ vz
        if self.model != "half":
            h[-1, :size] = h[:size, -1] = self.players(ue)
            h[-1, size : size + extra] = h[size : size + extra, -1] = self.z.T @ ue
            h[-1, -1] = ee.sum()
        return h

    def hessian(self, now: Parts) -> Floats:
        """Negative Hessian of the penalised log-likelihood."""
        return self.outer(now.uu, now.u_eta, now.eta_eta) + self.prior * np.eye(self.n_parameters)

    def solve(self, tolerance: float, max_iterations: int) -> tuple[Floats, Parts, int, float]:
        """Damped Newton; a twentieth of many records gives the start."""
        theta = np.zeros(self.n_parameters)
        n = len(self.cells.n)
        if self.model != "half":
            share = float(np.clip(self.cells.tie.sum() / max(self.cells.n.sum(), 1e-12), 1e-3, 0.9))
            theta[-1] = np.log((2 if self.model == "davidson" else 1) * share / (1 - share))
        if n > 200_000:
            some = np.zeros(n, dtype=bool)
            some[:: n // 50_000] = True
            few = replace(self, cells=_where(self.cells, some), z=self.z[some], prior=max(self.prior, 1e-2))
            theta = few.solve(1e-4, 10)[0]
        now, steps = self.parts(theta), 0
        value = self.value(now, theta)
        while True:
            g = self.gradient(now, theta)
            gradient = float(np.abs(g).max(initial=0.0))
            if gradient <= tolerance * max(n, 1) or steps >= max_iterations:
                return theta, now, steps, gradient
            move = np.linalg.solve(self.hessian(now) + self.gauge, g)
            if n > 200_000 and np.abs(move).max() < 1e-4:  # what is left after this step is its square: no more passes
                return theta + move, now, steps + 1, gradient
            damping = 1.0
            while True:
                trial = self.parts(theta + damping * move)
                new = self.value(trial, theta + damping * move)
                if new >= value - 1e-12 * abs(value) or damping < 1e-8:
                    break
                damping /= 2
            theta, now, value, steps = theta + damping * move, trial, new, steps + 1

    def meat(self, now: Parts, cluster: Ints | None) -> Floats:
        """Σ g gᵀ over records, or over clusters of records (codes from 0)."""
        if cluster is None:
            return self.outer(now.meat_uu, now.meat_u_eta, now.meat_eta_eta)
        from scipy.sparse import coo_matrix

        first, second, size, extra = self.cells.first, self.cells.second, self.size, self.z.shape[1]
        index = [first, second, *(np.full(len(first), size + k) for k in range(extra))]
        values = [now.u, -now.u, *(now.u * self.z[:, k] for k in range(extra))]
        if self.model != "half":
            index.append(np.full(len(first), size + extra))
            values.append(now.eta)
        shape = (int(cluster.max()) + 1, self.n_parameters)
        places = (np.tile(cluster, len(index)), np.concatenate(index))
        scores = coo_matrix((np.concatenate(values), places), shape=shape).tocsr()
        return np.asarray((scores.T @ scores).todense())
