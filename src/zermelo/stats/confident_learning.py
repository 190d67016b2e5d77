"""Confident learning: which given labels are probably wrong, and how many, from out-of-sample class probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, one_of

__all__ = ["ConfidentLearning", "LabelIssues", "calibrated_joint", "class_thresholds", "confident_joint"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Prune: TypeAlias = Literal["noise_rate", "class", "both", "confusion"]
SLACK = 1e-6  # a probability that equals its threshold but for rounding passes


@dataclass(frozen=True)
class LabelIssues:
    """What confident learning says of a set of labels.

    Args:
        classes: Names of the classes. [K]
        thresholds: Mean probability of each class among the items that bear it; NaN for a class without items. [K]
        confident: Items given class i that confidently belong to class j. [K, K]
        joint: Estimated counts of (given, true), rows summing to the class counts. [K, K]
        issue: Which items are suspects. [N]
        self_confidence: Probability of the given label. [N]
        margin: That, less the largest probability of another class; small is worse. [N]
    """

    classes: tuple[object, ...]
    thresholds: Floats
    confident: Ints
    joint: Floats
    issue: NDArray[np.bool_]
    self_confidence: Floats
    margin: Floats

    @property
    def n_errors(self) -> float:
        """Estimated number of wrong labels: what lies off the diagonal of the joint."""
        return float(self.joint.sum() - np.trace(self.joint))

    @property
    def error_rate(self) -> float:
        """Estimated share of wrong labels."""
        return self.n_errors / float(self.joint.sum())

    @property
    def noise(self) -> Floats:
        """P(given = i | true = j), columns sum to 1; NaN for a true class without mass. [K, K]"""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.joint / self.joint.sum(axis=0, keepdims=True))

    def ranked(self, by: Literal["self_confidence", "margin"] = "margin") -> Ints:
        """The suspects, the most suspicious first."""
        found = np.flatnonzero(self.issue)
        value = self.self_confidence if by == "self_confidence" else self.margin
        return np.asarray(found[np.argsort(value[found], kind="stable")])


@dataclass(frozen=True)
class ConfidentLearning:
    """Find label errors from probabilities that a classifier gave to items it was not trained on.

        t_j     = mean of p̂_j over items with ỹ = j
        C[i, j] = #{ỹ = i, p̂_j ≥ t_j, j the one class that passes, or the most probable class where several do}
        Q[i, j] = n_i · C[i, j] / Σ_j C[i, j]                      errors = Σ_{i≠j} Q[i, j]

    Probabilities of the training fit itself make every label look right.

    Args:
        prune: Which items are suspects. `noise_rate`: for every i ≠ j the Q[i, j] items given i with the largest
            p̂_j − p̂_i; `class`: for every i the n_i − Q[i, i] items given i with the smallest p̂_i; `both`: suspects of
            both rules; `confusion`: the members of C off the diagonal. An item whose given label is also its most
            probable one is never a suspect, and every class keeps an item.
    Source: "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks", 2021, arXiv 2103.14749.
    """

    prune: Prune = "noise_rate"

    def __post_init__(self) -> None:
        one_of(self, "prune", ("noise_rate", "class", "both", "confusion"))

    def find(self, labels: ArrayLike, probs: ArrayLike) -> LabelIssues:
        """The suspects.

        Args:
            labels: Given classes, numbers 0…K−1. [N]
            probs: p̂, rows summing to 1. [N, K]
        Raises:
            DataError: no items, a probability that is not finite, a label that is no column.
        """
        y, p = _checked(labels, probs)
        thresholds = class_thresholds(y, p)
        member = _confident_class(p, thresholds)
        confident = _count(y, member, p.shape[1])
        joint = calibrated_joint(confident, np.bincount(y, minlength=p.shape[1]))
        own = p[np.arange(len(y)), y]
        others = p.copy()
        others[np.arange(len(y)), y] = -np.inf
        margin = own - others.max(axis=1)
        counts = _whole(joint)
        rules = {
            "confusion": lambda: (member >= 0) & (member != y),
            "class": lambda: _by_class(y, own, counts),
            "noise_rate": lambda: _by_noise_rate(y, p, counts),
        }
        names = ("class", "noise_rate") if self.prune == "both" else (self.prune,)
        issue = np.all([rules[name]() for name in names], axis=0) & (p.argmax(axis=1) != y)
        return LabelIssues(tuple(range(p.shape[1])), thresholds, confident, joint, issue, own, margin)


def class_thresholds(labels: ArrayLike, probs: ArrayLike) -> Floats:
    """t_j = mean of p̂_j over the items given j; NaN for a class that no item bears. [K]"""
    y, p = _checked(labels, probs)
    count = np.bincount(y, minlength=p.shape[1])
    total = np.bincount(y, weights=p[np.arange(len(y)), y], minlength=p.shape[1])
    return np.divide(total, count, out=np.full(p.shape[1], np.nan), where=count > 0)


def confident_joint(labels: ArrayLike, probs: ArrayLike, *, thresholds: ArrayLike | None = None) -> Ints:
    """C[i, j]: items given class i that confidently belong to class j. [K, K]

    Args:
        labels: Given classes, numbers 0…K−1. [N]
        probs: p̂. [N, K]
        thresholds: t; by default those of the labels. [K]
    """
    y, p = _checked(labels, probs)
    t = class_thresholds(y, p) if thresholds is None else np.asarray(thresholds, np.float64)
    return _count(y, _confident_class(p, t), p.shape[1])


def calibrated_joint(confident: ArrayLike, counts: ArrayLike) -> Floats:
    """Q[i, j] = n_i · C[i, j] / Σ_j C[i, j]; a class without a confident item is taken to be right. [K, K]"""
    c, n = np.asarray(confident, np.float64), np.asarray(counts, np.float64)
    c = np.where((c.sum(axis=1) == 0)[:, None], np.eye(len(c)), c)
    return np.asarray(c / c.sum(axis=1, keepdims=True) * n[:, None])


def _confident_class(p: Floats, t: Floats) -> Ints:
    """The class that each item confidently belongs to, −1 for none. [N]"""
    passes = p >= np.where(np.isnan(t), np.inf, t) - SLACK
    n = passes.sum(axis=1)
    return np.asarray(np.where(n == 0, -1, np.where(n == 1, passes.argmax(axis=1), p.argmax(axis=1))))


def _count(y: Ints, member: Ints, k: int) -> Ints:
    kept = member >= 0
    return np.bincount(y[kept] * k + member[kept], minlength=k * k).reshape(k, k)


def _whole(joint: Floats) -> Ints:
    """Whole counts off the diagonal that keep the row sums: largest remainders first."""
    floor = np.floor(joint + 1e-9)
    missing = np.rint(joint.sum(axis=1) - floor.sum(axis=1)).astype(int)
    for i, n in enumerate(missing.tolist()):
        floor[i, np.argsort(floor[i] - joint[i], kind="stable")[:n]] += 1
    return floor.astype(np.int64)


def _by_class(y: Ints, own: Floats, counts: Ints) -> NDArray[np.bool_]:
    issue = np.zeros(len(y), bool)
    for i in range(len(counts)):
        of = np.flatnonzero(y == i)
        n = min(int(counts[i].sum() - counts[i, i]), len(of) - 1)
        if n > 0:
            issue[of[np.argsort(own[of], kind="stable")[:n]]] = True
    return issue


def _by_noise_rate(y: Ints, p: Floats, counts: Ints) -> NDArray[np.bool_]:
    issue = np.zeros(len(y), bool)
    for i in range(len(counts)):
        of = np.flatnonzero(y == i)
        for j in np.flatnonzero(counts[i] > 0).tolist():
            n = min(int(counts[i, j]), len(of) - 1)
            if i != j and n > 0:
                issue[of[np.argsort(p[of, i] - p[of, j], kind="stable")[:n]]] = True
    return issue


def _checked(labels: ArrayLike, probs: ArrayLike) -> tuple[Ints, Floats]:
    y, p = np.asarray(labels), np.asarray(probs, np.float64)
    if p.ndim != 2 or len(p) != len(y) or y.ndim != 1:
        raise SettingError("bad-shape", f"labels must be [N] and probs [N, K]. Got {y.shape} and {p.shape}")
    if not len(y):
        raise DataError("nothing-to-measure", "no labels to look at")
    if not np.isfinite(p).all() or (p < 0).any():
        raise DataError("nan-score", "probabilities must be finite and ≥ 0")
    y = y.astype(np.int64)
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise DataError("off-scale", f"labels must be 0 to {p.shape[1] - 1}. Got {int(y.min())} to {int(y.max())}")
    return y, p
