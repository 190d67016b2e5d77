"""Dawid–Skene: what several raters' labels say about the items' true classes, and how reliable each rater is.

P(ratings of item i) = Σ_k π_k Π_r Π_l θ_rkl^{n_irl}        n: how often rater r gave item i the label l
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, positive

__all__ = ["DawidSkene", "RaterModel"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RaterModel:
    """A fitted Dawid–Skene model.

    Args:
        items: Names. [N]
        raters: Names. [R]
        labels: Names of classes and labels. [K]
        share: π, class shares. [K]
        confusion: θ, P(label l | class k, rater r). [R, K, K]
        posterior: P(class | ratings) of each item. [N, K]
        log_likelihood: At the end, nat.
        iterations: EM rounds.
        seconds: Wall-clock.
        warnings: Boundary estimates: cells of a confusion matrix at 0.
    """

    items: tuple[Hashable, ...]
    raters: tuple[Hashable, ...]
    labels: tuple[Hashable, ...]
    share: Floats
    confusion: Floats
    posterior: Floats
    log_likelihood: float
    iterations: int
    seconds: float
    warnings: tuple[str, ...] = ()

    def label(self) -> list[Hashable]:
        """Most likely class of every item. [N]"""
        return [self.labels[k] for k in self.posterior.argmax(axis=1).tolist()]

    def accuracy(self) -> Floats:
        """P(label = class) of every rater, over the class shares. [R]"""
        return np.asarray(np.einsum("rkk,k->r", self.confusion, self.share))

    def table(self) -> list[dict[str, object]]:
        """One row per rater: accuracy and P(own label | class) for every class."""
        correct = np.einsum("rkk->rk", self.confusion)
        rows: list[dict[str, object]] = []
        for rater, right, own in zip(self.raters, self.accuracy().tolist(), correct.tolist(), strict=True):
            classes = {f"class {k}": p for k, p in zip(self.labels, own, strict=True)}
            rows.append({"rater": rater, "accuracy": right, **classes})
        return rows


@dataclass(frozen=True)
class DawidSkene:
    """Fit by expectation–maximisation, from the shares of the votes.

    Raters err independently given the class. The labelling of classes is the one that starts from the majority: with
    raters below chance another optimum may swap classes.

    Args:
        smoothing: Pseudo-counts in every cell of a confusion matrix; 0 = maximum likelihood.
        tolerance: Change of the log-likelihood at which to stop, nat.
        max_iterations: EM rounds.
    Source: "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", 1979.
    """

    smoothing: float = 0.0
    tolerance: float = 1e-9
    max_iterations: int = 5000

    def __post_init__(self) -> None:
        positive(self, "tolerance", "max_iterations")
        if not self.smoothing >= 0:
            raise SettingError("bad-setting", f"DawidSkene.smoothing must be ≥ 0. Got {self.smoothing!r}")

    def fit(
        self,
        item: Sequence[Hashable],
        rater: Sequence[Hashable],
        label: Sequence[Hashable],
        *,
        weight: Sequence[float] | None = None,
    ) -> RaterModel:
        """Fit to ratings, one row each; a rater may rate an item several times.

        Args:
            item: [B]
            rater: [B]
            label: [B]
            weight: How often the item's pattern occurred: one weight per item, repeated on its rows. [B]
        Raises:
            DataError: no ratings, or fewer than two labels.
        """
        started = time.perf_counter()
        items, raters, labels = (tuple(dict.fromkeys(column)) for column in (item, rater, sorted(label, key=str)))
        if len(labels) < 2:
            raise DataError("no-battles", f"ratings with {len(labels)} distinct labels; expected two or more")
        place = [{name: i for i, name in enumerate(names)} for names in (items, raters, labels)]
        index = tuple(
            np.array([where[name] for name in column])
            for where, column in zip(place, (item, rater, label), strict=True)
        )
        n = np.zeros((len(items), len(raters), len(labels)))
        np.add.at(n, index, 1.0)
        times = np.ones(len(items))
        if weight is not None:
            times[index[0]] = np.asarray(weight, dtype=np.float64)
        q = n.sum(axis=1)
        q /= q.sum(axis=1, keepdims=True)
        before, value, step = -np.inf, -np.inf, 0
        for step in range(1, self.max_iterations + 1):  # noqa: B007
            mass = q * times[:, None]
            share = mass.sum(axis=0) / mass.sum()
            confusion = np.einsum("ik,irl->rkl", mass, n) + self.smoothing
            total = confusion.sum(axis=2, keepdims=True)
            confusion = np.divide(confusion, total, out=np.full_like(confusion, 1 / len(labels)), where=total > 0)
            with np.errstate(divide="ignore"):
                log_c, log_s = np.log(confusion), np.log(share)
            # 0 · log 0 = 0: a cell that never occurs says nothing
            joint = log_s + np.einsum("irl,rkl->ik", n, np.where(np.isfinite(log_c), log_c, 0.0))
            never = np.einsum("irl,rkl->ik", n, ~np.isfinite(log_c)) > 0
            joint[never] = -np.inf
            top = joint.max(axis=1, keepdims=True)
            q = np.exp(joint - top)
            norm = q.sum(axis=1, keepdims=True)
            q /= norm
            value = float(times @ (top + np.log(norm))[:, 0])
            if abs(value - before) < self.tolerance:
                break
            before = value
        zeros = int((confusion < 1e-9).sum())
        warnings = (
            (f"{zeros} cells of confusion matrices are 0: too few ratings there; smoothing moves them",)
            if zeros
            else ()
        )
        return RaterModel(
            items, raters, labels, share, confusion, q, value, step, time.perf_counter() - started, warnings
        )
