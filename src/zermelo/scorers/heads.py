"""Scalar heads on fixed features, fitted to pairs by maximum likelihood. NumPy and SciPy only.

    P(first ≻ second) = σ(r(x_first) − r(x_second));   loss = mean over pairs of −p log P − (1 − p) log(1 − P), nat

r is linear, r(x) = w·x, or has one hidden layer, r(x) = v·tanh(W [x, 1]). A constant cancels, so r has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Head", "fit_head", "rewards"]

Head: TypeAlias = dict[str, NDArray[np.float64]]  # {"w": [D]}, or {"w": [H, D + 1], "v": [H]}


def rewards(head: Head, x: Any) -> NDArray[np.float64]:
    """r(x) of each row. x: [N, D], dense or CSR → [N]"""
    if "v" not in head:
        return np.asarray(x @ head["w"])
    return np.asarray(np.tanh(_with_one(x) @ head["w"].T) @ head["v"])


def _with_one(x: Any) -> Any:
    """A column of ones for the hidden units' thresholds; without it r(−x) = −r(x)."""
    ones = np.ones((x.shape[0], 1))
    if isinstance(x, np.ndarray):
        return np.concatenate([x, ones], axis=1)
    from scipy import sparse

    return sparse.hstack([x, sparse.csr_matrix(ones)], format="csr")


def fit_head(
    x: Any,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    prob: NDArray[np.float64],
    *,
    l2: float,
    hidden: int = 0,
    start: Head | None = None,
    seed: int = 0,
) -> Head:
    """The head that minimises loss + l2/2 · |weights|², by L-BFGS.

    Args:
        x: Features, dense or CSR. [N, D]
        first: Row of the first response of each pair. [M]
        second: Row of the other. [M]
        prob: P(first ≻ second) as stated. [M]
        l2: > 0.
        hidden: Units of the hidden layer; 0 = linear.
        start: Where to begin (a head for a neighbouring l2).
        seed: Of the hidden layer's first weights.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):  # matrix-vector products: more threads only wait for each other
        if hidden == 0:
            return _fit_linear(x[first] - x[second], prob, l2, start)
        return _fit_layered(x, first, second, prob, l2, hidden, start, np.random.default_rng(seed))


def _fit_linear(delta: Any, prob: NDArray[np.float64], l2: float, start: Head | None) -> Head:
    from scipy.optimize import minimize

    d = delta.shape[1]
    used = np.arange(d) if isinstance(delta, np.ndarray) else np.unique(delta.tocsr().indices)
    begin = np.zeros(d) if start is None else start["w"]
    goal = _linear(delta[:, used] if len(used) < d else delta, prob, l2)
    w = np.zeros(d)  # a feature without differences has weight 0
    w[used] = minimize(goal, begin[used], jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return {"w": w}


def _fit_layered(
    x: Any,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    prob: NDArray[np.float64],
    l2: float,
    hidden: int,
    start: Head | None,
    rng: np.random.Generator,
) -> Head:
    from scipy.optimize import minimize

    x = _with_one(x)
    d = x.shape[1]
    rows, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    x, a, b = x[rows], place[: len(first)], place[len(first) :]
    begin = np.concatenate([rng.normal(0, 1 / np.sqrt(d), hidden * d), rng.normal(0, 1 / np.sqrt(hidden), hidden)])
    if start is not None:
        begin = np.concatenate([start["w"].ravel(), start["v"]])
    found = minimize(_layered(x, a, b, prob, l2, hidden), begin, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return {"w": found.x[: hidden * d].reshape(hidden, d), "v": found.x[hidden * d :]}


Objective: TypeAlias = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def _pair_loss(margin: NDArray[np.float64], prob: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Mean loss and its derivative by each margin. [M] → (nat, [M])"""
    from scipy.special import expit

    m = len(margin)
    loss = float((np.logaddexp(0, -margin) + (1 - prob) * margin).sum() / m)
    return loss, np.asarray((expit(margin) - prob) / m)


def _linear(delta: Any, prob: NDArray[np.float64], l2: float) -> Objective:
    def value(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, slope = _pair_loss(np.asarray(delta @ w), prob)
        return loss + 0.5 * l2 * float(w @ w), np.asarray(delta.T @ slope + l2 * w)

    return value


def _layered(
    x: Any, a: NDArray[np.int64], b: NDArray[np.int64], prob: NDArray[np.float64], l2: float, hidden: int
) -> Objective:
    d = x.shape[1]

    def value(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w, v = flat[: hidden * d].reshape(hidden, d), flat[hidden * d :]
        h = np.tanh(x @ w.T)  # [N, H]
        r = h @ v
        loss, slope = _pair_loss(r[a] - r[b], prob)
        by_row = np.zeros(len(r))
        np.add.at(by_row, a, slope)
        np.add.at(by_row, b, -slope)
        by_h = by_row[:, None] * v * (1 - h**2)  # [N, H]
        gradient = np.concatenate([np.asarray((x.T @ by_h).T).ravel(), h.T @ by_row])
        return loss + 0.5 * l2 * float(flat @ flat), gradient + l2 * flat

    return value
