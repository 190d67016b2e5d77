"""Which attribute drives which: a causal graph from data, by searching over orders of the variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, one_of, positive

__all__ = ["Acyclicity", "CausalGraph", "Topo", "acyclicity", "graph_errors"]

Floats = NDArray[np.float64]
Acyclicity: TypeAlias = Literal["logdet", "expm", "poly"]


def acyclicity(weights: ArrayLike, *, kind: Acyclicity = "logdet") -> tuple[float, Floats]:
    """How far a weighted graph is from having no cycle, and the gradient in |W|. A = |W| [D, D], W[i, j]: i → j.

        logdet   h = −log det(I − A)          ∇h = (I − A)⁻ᵀ          needs a spectral radius below 1
        expm     h = tr e^A − D               ∇h = (e^A)ᵀ
        poly     h = tr (I + A/D)^D − D       ∇h = ((I + A/D)^{D−1})ᵀ

    h = 0 exactly where there is no cycle. ∇h[i, j] sums over the directed ways from j to i, heavier ways more: how much
    an edge i → j would close.

    Raises:
        DataError: not a square table of numbers, or a spectral radius of 1 or more under `logdet`.
    Source: "Optimizing NOTEARS Objectives via Topological Swaps", 2023, arXiv 2305.17277.
    """
    a = np.abs(np.asarray(weights, dtype=np.float64))
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not np.isfinite(a).all():
        raise DataError("bad-shape", f"weights of a graph must be a square table of numbers. Got {a.shape}")
    size, eye = len(a), np.eye(len(a))
    if kind == "logdet":
        if size and np.abs(np.linalg.eigvals(a)).max() >= 1:
            raise DataError("bad-setting", "the log-determinant needs a spectral radius below 1; use kind='expm'")
        return float(-np.linalg.slogdet(eye - a)[1]), np.asarray(np.linalg.inv(eye - a).T, dtype=np.float64)
    if kind == "expm":
        from scipy.linalg import expm

        whole = expm(a)
        return float(np.trace(whole) - size), whole.T
    if kind != "poly":
        raise SettingError("bad-setting", f"kind must be one of {get_args(Acyclicity)}. Got {kind!r}")
    almost: Floats = np.asarray(np.linalg.matrix_power(eye + a / size, size - 1), dtype=np.float64)
    return float(np.trace(almost @ (eye + a / size)) - size), almost.T


def graph_errors(true: ArrayLike, found: ArrayLike) -> dict[str, float]:
    """Errors of a directed graph against the true one. Non-zero entries are edges. [D, D] each

    Returns:
        `shd`: edges to add, remove or turn round; `tpr`: true edges found, in their direction; `fdr`: found edges that
        are wrong or turned round.
    """
    b, g = np.asarray(true) != 0, np.asarray(found) != 0
    upper = np.triu(np.ones(b.shape, dtype=bool), 1)
    differs = (b != g) | (b != g).T
    right = float((b & g).sum())
    return {
        "shd": float((differs & upper).sum()),
        "tpr": right / max(float(b.sum()), 1.0),
        "fdr": 1 - right / g.sum() if g.any() else 0.0,
    }


@dataclass(frozen=True)
class CausalGraph:
    """A linear causal graph without cycles.

    Args:
        names: Of the variables. [D]
        weights: W[i, j], effect of i on j; below the threshold 0. [D, D]
        order: Causes before effects, indices. [D]
        score: Q = 1/(2n) ‖X − XW‖²_F at the end, before thresholding.
        history: Q after each accepted step, falling.
        frequency: Share of resamples in which an edge was found; NaN where nothing was resampled. [D, D]
        n: Rows.
    """

    names: tuple[str, ...]
    weights: Floats
    order: tuple[int, ...]
    score: float
    history: tuple[float, ...]
    frequency: Floats
    n: int

    def edges(self, *, at_least: float = 0.0) -> list[tuple[str, str, float, float]]:
        """(cause, effect, weight, frequency), strongest first, of those found in `at_least` of the resamples."""
        found = [
            (self.names[i], self.names[j], float(self.weights[i, j]), float(self.frequency[i, j]))
            for i, j in np.argwhere(self.weights != 0)
            if not self.frequency[i, j] < at_least
        ]
        return sorted(found, key=lambda edge: -abs(edge[2]))

    def table(self) -> list[dict[str, Any]]:
        """One row an edge."""
        keys = ("cause", "effect", "weight", "frequency")
        return [dict(zip(keys, edge, strict=True)) for edge in self.edges()]

    def to_json(self) -> dict[str, Any]:
        """Plain data; frequencies are null where nothing was resampled."""
        rows = [
            row | {"frequency": row["frequency"] if np.isfinite(row["frequency"]) else None} for row in self.table()
        ]
        return {"edges": rows, "order": [self.names[i] for i in self.order], "score": self.score, "n": self.n}


@dataclass(frozen=True)
class Topo:
    """TOPO: a causal graph by swapping places in an order of the variables.

        given an order: regress each variable on all before it (least squares, no intercept) → W, Q = ½ tr((I−W)ᵀS(I−W))
        candidates: pairs (i, j), j before i, with the smallest ∇h[i, j]: few directed ways from j to i would be lost
        swap the places of i and j, refit those between, keep all improving swaps that do not overlap; none: look at
        more candidates, at most `n_large` times; none again: stop

    Q falls strictly, so the search ends in a local optimum. Least squares on raw scales prefers to put what varies more
    behind what varies less: where units are arbitrary that is an artefact, so look at `standardise=True` too, where the
    direction of many edges can no longer be told.

    Args:
        small: Candidates of a step; default D(D−1)/6, at least 5.
        large: Candidates where no small step helps; default all D(D−1)/2.
        n_large: How often in all.
        threshold: |W| below it counts as no edge, in units of effect per unit of cause.
        kind: Of the acyclicity function.
        standardise: Divide each variable by its standard deviation first.
        resamples: Bootstrap refits for the frequency of edges; 0 = none.
        seed: Of the resamples.
    Raises:
        SettingError: a setting outside its range.
    Source: "Optimizing NOTEARS Objectives via Topological Swaps", 2023, arXiv 2305.17277.
    """

    small: int | None = None
    large: int | None = None
    n_large: int = 1
    threshold: float = 0.3
    kind: Acyclicity = "logdet"
    standardise: bool = False
    resamples: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "kind", get_args(Acyclicity))
        positive(self, *(name for name in ("small", "large") if getattr(self, name) is not None))
        if self.n_large < 0 or self.resamples < 0 or not self.threshold >= 0:
            raise SettingError("bad-setting", "Topo: n_large, resamples and threshold must be ≥ 0")

    def fit(
        self, data: ArrayLike, *, names: Sequence[str] | None = None, start: Sequence[int] | None = None
    ) -> CausalGraph:
        """Search from an order.

        Args:
            data: One row an answer, one column an attribute; centred here. [N, D]
            names: Of the columns. [D]
            start: Order to begin with, e.g. that of another method's graph; default: least varying first. [D]
        Raises:
            DataError: fewer rows than columns + 2, a value that is no number, a column that never varies, or `start` is
                no permutation.
        """
        x = np.asarray(data, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] < 2 or len(x) < x.shape[1] + 2:
            raise DataError("bad-shape", f"data must be [N, D] with D ≥ 2 and N ≥ D + 2. Got {x.shape}")
        if not np.isfinite(x).all() or not x.std(axis=0).all():
            raise DataError("bad-covariate", "a causal graph needs numbers everywhere, and columns that vary")
        x = x - x.mean(axis=0)
        x = x / x.std(axis=0) if self.standardise else x
        found = self.fit_covariance(x.T @ x / len(x), names=names, start=start)
        frequency = found.frequency
        if self.resamples:
            rng = np.random.default_rng(self.seed)
            seen = np.zeros_like(found.weights)
            for _ in range(self.resamples):
                again = x[rng.integers(0, len(x), len(x))]
                again = again - again.mean(axis=0)
                drawn = self.fit_covariance(again.T @ again / len(x) + 1e-12 * np.eye(x.shape[1]), start=found.order)
                seen += drawn.weights != 0
            frequency = seen / self.resamples
        return CausalGraph(found.names, found.weights, found.order, found.score, found.history, frequency, len(x))

    def fit_covariance(
        self, covariance: ArrayLike, *, names: Sequence[str] | None = None, start: Sequence[int] | None = None
    ) -> CausalGraph:
        """The same from second moments S = XᵀX/n of centred data [D, D]; nothing is resampled."""
        s = np.asarray(covariance, dtype=np.float64)
        size = len(s)
        called = tuple(names) if names is not None else tuple(f"x{i}" for i in range(size))
        order = np.asarray(start if start is not None else np.argsort(np.diag(s), kind="stable"), dtype=np.int64)
        if sorted(order.tolist()) != list(range(size)) or len(called) != size:
            raise DataError("bad-ranking", f"start must be a permutation of 0…{size - 1}, with as many names")
        pairs = size * (size - 1) // 2
        small = min(self.small or max(5, pairs // 3), pairs)
        large = min(self.large or pairs, pairs)
        search = _Search(s, order, self.kind)
        history, tried = [search.score], 0
        while True:
            if search.step(small):
                history.append(search.score)
            elif tried < self.n_large:
                tried += 1
                if search.step(large):
                    history.append(search.score)
            else:
                break
        weights = np.where(np.abs(search.weights) >= self.threshold, search.weights, 0.0)
        nothing = np.full((size, size), np.nan)
        return CausalGraph(called, weights, tuple(search.order.tolist()), search.score, tuple(history), nothing, 0)


class _Search:
    """An order with its regressions; columns of `weights` are refitted only where what stands before them changed."""

    def __init__(self, s: Floats, order: NDArray[np.int64], kind: Acyclicity) -> None:
        self.s, self.order, self.kind = s, order.copy(), kind
        self.weights = np.zeros_like(s)
        self.loss = np.zeros(len(s))
        self._refit(self.order, 0, len(order) - 1, self.weights, self.loss)

    @property
    def score(self) -> float:
        return float(self.loss.sum())

    def _refit(self, order: NDArray[np.int64], low: int, high: int, weights: Floats, loss: Floats) -> None:
        for place in range(low, high + 1):
            node, before = order[place], order[:place]
            weights[:, node] = 0.0
            effect = np.linalg.lstsq(self.s[np.ix_(before, before)], self.s[before, node], rcond=None)[0]
            weights[before, node] = effect
            loss[node] = 0.5 * (self.s[node, node] - effect @ self.s[before, node])

    def step(self, size: int) -> bool:
        """Try the first `size` candidates; keep the improving swaps that do not overlap, best first."""
        place = np.argsort(self.order)
        earlier, later = np.triu_indices(len(self.order), 1)  # places
        j, i = self.order[earlier], self.order[later]  # the edge i → j is forbidden: j stands before i
        gradient = acyclicity(self.weights, kind=self.kind)[1]
        found = []
        for c in np.argsort(gradient[i, j], kind="stable")[:size]:
            low, high = int(place[j[c]]), int(place[i[c]])
            loss = self._tried(low, high)
            if loss.sum() < self.loss.sum() - 1e-12 * abs(self.loss.sum()):
                found.append((float(loss.sum()), low, high))
        blocked = np.zeros(len(self.order), dtype=bool)
        for _, low, high in sorted(found):
            if not blocked[low : high + 1].any():
                blocked[low : high + 1] = True
                self.order[low], self.order[high] = self.order[high], self.order[low]
                self._refit(self.order, low, high, self.weights, self.loss)
        return bool(found)

    def _tried(self, low: int, high: int) -> Floats:
        """Losses after swapping two places, without doing so. [D]"""
        order, loss = self.order.copy(), self.loss.copy()
        order[low], order[high] = order[high], order[low]
        self._refit(order, low, high, np.zeros_like(self.weights), loss)
        return loss
