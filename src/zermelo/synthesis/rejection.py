"""Samples of the optimal policy by rejection, and pairs among them (RSO)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = ["first_round", "reward_of_ranker", "statistical_rejection", "tournament"]


def reward_of_ranker(prob: ArrayLike) -> NDArray[np.float64]:
    """r(y) = logit P(y ≻ baseline), with P kept in [1e-6, 1 − 1e-6]; the baseline itself has 0."""
    p = np.clip(np.asarray(prob, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.log(p) - np.log1p(-p)


def statistical_rejection(rewards: ArrayLike, *, n: int, beta: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Accept candidates until they look drawn from π_ref·e^{r/β}/Z.

    Passes over the remaining candidates; each is accepted with probability exp((r − r_max)/β), r_max = largest reward
    among those remaining, and leaves the pool. β → ∞ keeps the first n, β → 0 the n best. Works on positions, not on
    texts: equal texts are different candidates. Without replacement, so that the law is exact only for many candidates.

    Args:
        rewards: Reward of each candidate, drawn from the reference. [K]
        n: How many to accept; fewer come back where there are fewer candidates.
        beta: Temperature, > 0, in the unit of the rewards.
        rng: Source of randomness.
    Returns:
        Positions in order of acceptance, all different. [≤ n]
    Raises:
        SettingError: beta or n is not positive, or a reward is not finite.
    Source: "Statistical Rejection Sampling Improves Preference Optimization", 2023, arXiv 2309.06657.
    """
    r = np.asarray(rewards, dtype=np.float64)
    if not beta > 0:
        raise SettingError("bad-setting", f"beta must be a positive number. Got {beta!r}")
    if n < 1:
        raise SettingError("bad-setting", f"n must be at least 1. Got {n!r}")
    if not np.isfinite(r).all():
        raise SettingError("bad-setting", "rewards must be finite")
    accepted: list[int] = []
    left = list(range(len(r)))
    while left and len(accepted) < n:
        top = r[left].max()
        taken: set[int] = set()
        for index in left:
            if rng.random() < np.exp((r[index] - top) / beta):
                taken.add(index)
                accepted.append(index)
                if len(accepted) == n:
                    break
        left = [index for index in left if index not in taken]
    return np.array(accepted, dtype=np.int64)


def first_round(
    items: Sequence[int], prob: Callable[[int, int], float], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Shuffled, disjoint pairs as (winner, loser): n // 2 of them. `prob(a, b)` = P(a ≻ b)."""
    order = [int(item) for item in rng.permutation(np.asarray(items, dtype=np.int64))]
    return [_won(a, b, prob) for a, b in zip(order[::2], order[1::2], strict=False)]


def tournament(
    items: Sequence[int], prob: Callable[[int, int], float], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Pairs of a knock-out tournament as (winner, loser): n − 1 of them; an odd one out goes on without a match."""
    alive = [int(item) for item in rng.permutation(np.asarray(items, dtype=np.int64))]
    pairs: list[tuple[int, int]] = []
    while len(alive) > 1:
        games = [_won(a, b, prob) for a, b in zip(alive[::2], alive[1::2], strict=False)]
        pairs += games
        alive = [winner for winner, _ in games] + (alive[-1:] if len(alive) % 2 else [])
    return pairs


def _won(a: int, b: int, prob: Callable[[int, int], float]) -> tuple[int, int]:
    return (a, b) if prob(a, b) >= 0.5 else (b, a)
