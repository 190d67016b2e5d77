"""Plackett–Luce: ratings from rankings of several items, whole or top-k."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError
from zermelo.ranking.graph import pieces, strong_components
from zermelo.ranking.result import FitInfo, Ratings

__all__ = ["PlackettLuce", "ranking_probability"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PlackettLuce:
    """Ratings from rankings: at each place the next item is chosen with probability ∝ e^β among those left.

        P(r_1 ≻ … ≻ r_m) = Π_k e^{β_{r_k}} / Σ_{l ≥ k} e^{β_{r_l}}

    A ranking of two is Bradley–Terry. A ranking may name its first k items only and say which others were there.

    Args:
        prior: Ridge ½ prior Σ β², in rankings; 0 = none.
        tolerance: Largest absolute gradient at which to stop.
        max_iterations: Newton steps.
    Source: "The Analysis of Permutations", 1975.
    """

    prior: float = 0.0
    tolerance: float = 1e-9
    max_iterations: int = 100

    def __post_init__(self) -> None:
        if not self.prior >= 0:
            raise SettingError("bad-setting", f"PlackettLuce.prior must be a number ≥ 0. Got {self.prior!r}")

    def fit(
        self,
        rankings: Sequence[Sequence[int]],
        *,
        players: Sequence[str],
        weights: Sequence[float] | None = None,
        others: Sequence[Sequence[int]] | None = None,
    ) -> Ratings:
        """Fit to rankings.

        Args:
            rankings: Item indices, best first.
            players: Names of the items. [P]
            weights: How often each ranking counts, default 1.
            others: For each ranking the items that were there and came after all ranked ones.
        Raises:
            DataError: a ranking names an item twice, or fewer than two items were there.
        """
        started = time.perf_counter()
        size = len(players)
        stages, weight = _stages(rankings, weights, others, size)
        wins = np.zeros((size, size))
        for (winner, field_), w in zip(stages, weight, strict=True):
            wins[winner, [i for i in field_ if i != winner]] += w
        source, target = np.nonzero(wins)
        piece = pieces(source, target, size)
        warnings: list[str] = []
        infinite = np.zeros(size, dtype=bool)
        if not self.prior:
            infinite = _outside_core(strong_components(source, target, size), piece)
            if infinite.any():
                names = ", ".join(players[i] for i in np.flatnonzero(infinite)[:8])
                warnings.append(
                    f"no finite rating (always first or always last among the rest): {names}; a prior gives one"
                )
        beta, h, steps, gradient, value = _newton(stages, weight, ~infinite, size, self)
        covariance = _inverse(h, ~infinite, self.prior)
        rating = beta if self.prior else _centred(beta, infinite, piece)
        rating[infinite] = [_limit(wins, int(i)) for i in np.flatnonzero(infinite)]
        appeared, won = np.zeros(size), np.zeros(size)
        for (winner, field_), w in zip(stages, weight, strict=True):
            appeared[list(field_)] += w
            won[winner] += w
        return Ratings(
            players=tuple(players),
            rating=rating,
            covariance=covariance,
            fit=FitInfo(
                method="Plackett–Luce" + (f", prior {self.prior:g}" if self.prior else ""),
                n_battles=len(rankings),
                iterations=steps,
                gradient_norm=gradient,
                log_likelihood=value,
                seconds=time.perf_counter() - started,
                errors="model",
                warnings=tuple(warnings),
            ),
            games=appeared,
            win_rate=np.divide(won, appeared, out=np.full(size, np.nan), where=appeared > 0),
            piece=piece,
        )


def ranking_probability(rating: Floats, ranking: Sequence[int]) -> float:
    """P(r_1 ≻ … ≻ r_m) under ratings β."""
    beta = rating[list(ranking)]
    tails = np.logaddexp.accumulate(beta[::-1])[::-1]
    return float(np.exp((beta - tails).sum()))


Stage = tuple[int, tuple[int, ...]]


def _stages(
    rankings: Sequence[Sequence[int]],
    weights: Sequence[float] | None,
    others: Sequence[Sequence[int]] | None,
    size: int,
) -> tuple[list[Stage], list[float]]:
    """Every choice that the rankings make: (chosen, those left); equal choices are counted together."""
    table: dict[Stage, float] = {}
    for row, ranking in enumerate(rankings):
        after = tuple(others[row]) if others is not None else ()
        items = (*ranking, *after)
        if len(set(items)) != len(items):
            raise DataError("bad-ranking", f"ranking {row + 1} names an item twice: {list(items)}")
        if len(items) < 2:
            raise DataError("bad-ranking", f"ranking {row + 1} has fewer than two items")
        weight = 1.0 if weights is None else float(weights[row])
        for k, chosen in enumerate(ranking):
            left = items[k:]
            if len(left) > 1:
                key = (chosen, tuple(sorted(left)))
                table[key] = table.get(key, 0.0) + weight
    if not table:
        raise DataError("no-battles", "no ranking compares two items")
    return list(table), list(table.values())


def _outside_core(component: NDArray[np.int64], piece: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Items outside the largest strong component of their piece."""
    sizes = np.bincount(component)
    outside = np.zeros(len(component), dtype=bool)
    for number in range(int(piece.max()) + 1):
        inside = np.flatnonzero(piece == number)
        core = component[inside[np.argmax(sizes[component[inside]])]]
        outside[inside[component[inside] != core]] = True
    return outside


def _newton(
    stages: Sequence[Stage], weight: Sequence[float], use: NDArray[np.bool_], size: int, settings: PlackettLuce
) -> tuple[Floats, Floats, int, float, float]:
    kept = [
        (winner, tuple(i for i in field_ if use[i]), w)
        for (winner, field_), w in zip(stages, weight, strict=True)
        if use[winner]
    ]
    kept = [item for item in kept if len(item[1]) > 1]
    beta = np.zeros(size)

    def evaluate(beta: Floats) -> tuple[float, Floats, Floats]:
        value, g, h = -settings.prior / 2 * float(beta @ beta), -settings.prior * beta, settings.prior * np.eye(size)
        for winner, field_, w in kept:
            index = list(field_)
            b = beta[index]
            top = b.max()
            p = np.exp(b - top)
            total = p.sum()
            p = p / total
            value += w * (beta[winner] - top - np.log(total))
            g[winner] += w
            g[index] -= w * p
            h[np.ix_(index, index)] += w * (np.diag(p) - np.outer(p, p))
        return value, g, h

    value, g, h = evaluate(beta)
    steps = 0
    while np.abs(g).max() > settings.tolerance and steps < settings.max_iterations:
        move = np.linalg.pinv(h, hermitian=True) @ g
        damping = 1.0
        while damping > 1e-8:
            trial = evaluate(beta + damping * move)
            if trial[0] >= value - 1e-12 * abs(value):
                break
            damping /= 2
        beta = beta + damping * move
        done = abs(trial[0] - value) < 1e-13 * max(1.0, abs(value))
        value, g, h = trial
        steps += 1
        if done:
            break
    return beta, h, steps, float(np.abs(g).max()), value + settings.prior / 2 * float(beta @ beta)


def _centred(beta: Floats, infinite: NDArray[np.bool_], piece: NDArray[np.int64]) -> Floats:
    """Finite ratings, centred on 0 in each piece."""
    out = beta.copy()
    for number in range(int(piece.max()) + 1):
        inside = (piece == number) & ~infinite
        if inside.any():
            out[inside] -= out[inside].mean()
    return out


def _limit(wins: Floats, item: int) -> float:
    """Where the likelihood drives an item without a finite rating: +inf, −inf, or NaN where it does not say."""
    won, lost = wins[item].any(), wins[:, item].any()
    return np.inf if won and not lost else -np.inf if lost and not won else np.nan


def _inverse(h: Floats, use: NDArray[np.bool_], prior: float) -> Floats:
    out = np.full_like(h, np.nan)
    index = np.flatnonzero(use)
    part = h[np.ix_(index, index)]
    out[np.ix_(index, index)] = np.linalg.inv(part) if prior else np.linalg.pinv(part, hermitian=True)
    return out
