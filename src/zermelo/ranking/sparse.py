"""Newton steps for very many players: the Hessian stays sparse, steps come from conjugate gradients.

Where conjugate gradients are slow (long chains of players) a sparse factorisation is fast, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zermelo.ranking.counts import Counts
from zermelo.ranking.likelihood import Parts

__all__ = ["SparseSystem"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SparseSystem:
    """H = [[L, B], [Bᵀ, D]]: a sparse Laplacian L of the players, bordered by position and tie parameter."""

    def __init__(self, counts: Counts, names: Sequence[str], piece: Ints, prior: float) -> None:
        self.counts, self.names, self.piece, self.prior = counts, list(names), piece, prior
        self.size = len(piece)

    def solve(self, now: Parts, g: Floats) -> Floats:
        """One Newton step. [P + k]"""
        laplacian, border, corner = self._parts(now.uu, now.u_eta, now.eta_eta)
        x = self._inverse(laplacian, g[: self.size])
        if not self.names:
            return x
        y = np.stack([self._inverse(laplacian, column) for column in border.T], axis=1)  # [P, k]
        rest = np.linalg.solve(corner - border.T @ y, g[self.size :] - border.T @ x)
        return np.concatenate([x - y @ rest, rest])

    def covariance(self, now: Parts, *, sandwich: bool) -> tuple[Floats, Floats]:
        """Variances [P], and standard errors of the other parameters. [k]

        diag(H⁻¹) to second order in what players share: (1/d_i)(1 + Σ_j a_ij²/(d_i d_j)).
        """
        laplacian, border, corner = self._parts(now.uu, now.u_eta, now.eta_eta)
        d = np.maximum(laplacian.diagonal(), 1e-12)
        shared = np.asarray(laplacian.power(2) @ (1 / d)).ravel() / d - 1.0  # the diagonal itself gives the 1
        variance = (1 + np.maximum(shared, 0)) / d
        if sandwich:
            meat = self._degree(now.meat_uu) + self.prior
            variance = variance * meat / d
        if not self.names:
            return variance, np.zeros(0)
        y = np.stack([self._inverse(laplacian, column) for column in border.T], axis=1)
        return variance, np.sqrt(np.diag(np.linalg.inv(corner - border.T @ y)))

    def _parts(self, uu: Floats, ue: Floats, ee: Floats) -> tuple[Any, Floats, Floats]:
        from scipy.sparse import coo_matrix, diags

        first, second = self.counts.first, self.counts.second
        upper = coo_matrix((uu, (first, second)), shape=(self.size, self.size)).tocsr()
        laplacian = (diags(self._degree(uu) + self.prior) - upper - upper.T).tocsr()
        columns = {"home": uu, "tie": ue}
        border = np.stack([self._difference(columns[n]) for n in self.names], axis=1) if self.names else np.zeros(0)
        corner = np.diag([{"home": uu, "tie": ee}[name].sum() for name in self.names])
        if len(self.names) == 2:
            corner[0, 1] = corner[1, 0] = ue.sum()
        return laplacian, border, corner

    def _degree(self, values: Floats) -> Floats:
        first, second = self.counts.first, self.counts.second
        return np.asarray(np.bincount(first, values, self.size) + np.bincount(second, values, self.size), np.float64)

    def _difference(self, values: Floats) -> Floats:
        first, second = self.counts.first, self.counts.second
        return np.asarray(np.bincount(first, values, self.size) - np.bincount(second, values, self.size), np.float64)

    def _inverse(self, laplacian: Any, g: Floats) -> Floats:
        """L⁺ g; g sums to 0 in each piece, as every gradient of differences does."""
        d = np.maximum(laplacian.diagonal(), 1e-12)
        if self.counts.first.size > 1.5 * self.size:
            x, r = np.zeros_like(g), g.copy()
            z = r / d
            p, rz = z.copy(), float(r @ z)
            goal = 1e-9 * max(float(np.sqrt(rz)), 1e-300)
            for _ in range(500):
                q = laplacian @ p
                step = rz / max(float(p @ q), 1e-300)
                x += step * p
                r -= step * q
                z = r / d
                new = float(r @ z)
                # a residual of rounding errors has a level, which L cannot remove: there it ends too
                if np.sqrt(max(new, 0)) <= goal or np.abs(r).max() <= 1e-12:
                    return self._centred(x)
                p = z + (new / rz) * p
                rz = new
        from scipy.sparse import diags
        from scipy.sparse.linalg import splu

        ground = np.zeros(self.size)  # one player of each piece is held at 0: exact, since g has no level
        if not self.prior:
            ground[np.unique(self.piece, return_index=True)[1]] = 1.0
        return np.asarray(splu((laplacian + diags(ground * np.maximum(d, 1.0))).tocsc()).solve(g))

    def _centred(self, x: Floats) -> Floats:
        """Without the level of each piece, which L does not see (a prior does)."""
        if self.prior:
            return x
        return np.asarray(x - (np.bincount(self.piece, x) / np.maximum(np.bincount(self.piece), 1))[self.piece])
