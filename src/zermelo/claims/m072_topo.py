"""M072 · TOPO: a better graph by swapping places in an order.

The paper: TOPO reaches lower scores and smaller structural Hamming distances (SHD) than NOTEARS and kin, and improves
their results when it starts from them.

Here: random graphs of 10 variables and 20 edges, weights ±U(0.5, 2), equal noise, 1,000 rows, four graphs a seed.
NOTEARS (augmented Lagrangian, no penalty, threshold 0.3) is run on each; TOPO starts from a random order and from the
order of NOTEARS' graph; beside it a plain search that swaps only neighbours, from the same random order. Rule, written
before the run: reproduced where TOPO from a random order scores no worse than the true order + 0.01 in at least 80 % of
graphs, its SHD is below that of NOTEARS (whole interval of the paired difference over seeds), and starting from
NOTEARS' order it lowers NOTEARS' mean SHD too; partly where only its mean SHD is below that of NOTEARS.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict
from zermelo.stats.causal_order import Topo, graph_errors

__all__ = ["CLAIM"]

SIZE, EDGES, ROWS, GRAPHS = 10, 20, 1000, 4
Floats = NDArray[np.float64]


def notears(s: Floats) -> Floats:
    """NOTEARS without penalty: min ½ tr((I−W)ᵀS(I−W)) with tr e^{W∘W} = D, by an augmented Lagrangian."""
    from scipy.linalg import expm
    from scipy.optimize import minimize

    size, rho, alpha, last = len(s), 1.0, 0.0, np.inf
    found = np.zeros(s.size)

    def cost(flat: Floats, rho: float, alpha: float) -> tuple[float, Floats]:
        w = flat.reshape(size, size)
        rest, grown = np.eye(size) - w, expm(w * w)
        h = float(np.trace(grown) - size)
        value = 0.5 * np.sum(rest * (s @ rest)) + 0.5 * rho * h * h + alpha * h
        slope = -s @ rest + (rho * h + alpha) * grown.T * 2 * w
        np.fill_diagonal(slope, 0.0)
        return float(value), slope.ravel()

    for _ in range(40):
        found = minimize(cost, found, args=(rho, alpha), jac=True, method="L-BFGS-B").x
        w = found.reshape(size, size)
        h = float(np.trace(expm(w * w)) - size)
        if h < 1e-8 or rho > 1e16:
            break
        alpha += rho * h
        rho *= 1.0 if h < 0.25 * last else 10.0
        last = h
    w = found.reshape(size, size)
    return np.where(np.abs(w) >= 0.3, w, 0.0)


def order_of(w: Floats) -> list[int]:
    """An order in which the graph's edges go forward; the weakest are given up where there is a cycle."""
    left: list[int] = list(range(len(w)))
    order: list[int] = []
    while left:
        into = np.abs(w[np.ix_(left, left)]).sum(axis=0)
        order.append(left.pop(int(np.argmin(into))))
    return order


def neighbours(s: Floats, start: list[int]) -> Floats:
    """Hill climbing by swaps of neighbours, first improvement, until none improves."""

    def fit(order: list[int]) -> tuple[float, Floats]:
        loss, w = 0.0, np.zeros_like(s)
        for place, node in enumerate(order):
            before = order[:place]
            w[before, node] = np.linalg.solve(s[np.ix_(before, before)], s[before, node])
            loss += 0.5 * float(s[node, node] - w[before, node] @ s[before, node])
        return loss, w

    order, better = list(start), True
    score, w = fit(order)
    while better:
        better = False
        for place in range(len(order) - 1):
            tried = [*order[:place], order[place + 1], order[place], *order[place + 2 :]]
            value, weights = fit(tried)
            if value < score - 1e-12:
                order, score, w, better = tried, value, weights, True
    return np.where(np.abs(w) >= 0.3, w, 0.0)


def run(seed: int) -> Mapping[str, float]:
    """Means over graphs."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(GRAPHS):
        true, place = np.zeros((SIZE, SIZE)), rng.permutation(SIZE)
        first, second = np.triu_indices(SIZE, 1)
        for c in rng.choice(len(first), EDGES, replace=False):
            true[place[first[c]], place[second[c]]] = rng.uniform(0.5, 2) * rng.choice([-1, 1])
        x = rng.standard_normal((ROWS, SIZE)) @ np.linalg.inv(np.eye(SIZE) - true)
        x = x - x.mean(axis=0)
        s, start = x.T @ x / ROWS, rng.permutation(SIZE).tolist()
        topo = Topo(small=20, large=45)
        ours, base = topo.fit_covariance(s, start=start), notears(s)
        after = topo.fit_covariance(s, start=order_of(base))
        best = Topo(small=1, large=1, n_large=0).fit_covariance(s, start=place.tolist()).history[0]
        shd = [graph_errors(true, w)["shd"] for w in (ours.weights, base, after.weights, neighbours(s, start))]
        rows.append([float(ours.score <= best + 0.01), *shd])
    mean = np.mean(rows, axis=0)
    names = ("optimal", "shd_topo", "shd_notears", "shd_after_notears", "shd_neighbours")
    return dict(zip(names, mean.tolist(), strict=True)) | {"shd_saved": float(mean[2] - mean[1])}


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    mean = summary.mean
    rest = mean["optimal"] >= 0.8 and mean["shd_after_notears"] < mean["shd_notears"]
    if summary.low["shd_saved"] > 0 and rest:
        return "reproduced"
    return "partly" if mean["shd_saved"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M072",
    paper="lower scores and SHD than NOTEARS, GOLEM and NOFEARS; improves their results when it starts from them",
    measures="edges wrong (SHD) fewer than NOTEARS, graphs of 10 variables and 20 edges",
    headline="shd_saved",
    run=run,
    verdict=verdict,
    rule="≥ 80 % of graphs score as the true order, SHD below NOTEARS (whole interval), and so from its own order too",
    notes="equal noise in raw units, as in the paper; at this size swaps of neighbours alone do as well",
)
