"""Which few of many candidates to calibrate a model on: named strategies, and what characterises a chosen set."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, one_of, positive
from zermelo.stats.diversity import self_bleu

__all__ = ["Candidates", "ContrastSelector", "SetStatistics", "SubsetSelector", "set_statistics"]

Floats: TypeAlias = NDArray[np.float64]
Strategy: TypeAlias = Literal[
    "random", "max_margin", "min_margin", "max_metric", "min_metric", "max_gap", "min_gap", "max_diversity",
    "min_diversity", "top_beam", "bottom_beam", "wide_beam", "max_length", "min_length", "max_surprise",
    "min_surprise",
]  # fmt: skip
Contrast: TypeAlias = Literal[
    "random", "max_margin", "min_margin", "average", "hard", "easy", "max_extractive_gap", "min_extractive_gap",
    "max_diversity", "min_diversity",
]  # fmt: skip
MOST = {"gap": 5_000, "diversity": 200, "surprise": 100}  # subsets tried


@dataclass(frozen=True)
class Candidates:
    """Answers to one prompt, and what is known of each. [K]

    Args:
        metric: How good, higher is better (a mean of z-scores where there are several metrics).
        loglik: Mean log-probability per token under the model to be calibrated; its order is the model's ranking.
        length: In tokens.
        texts: For diversity.
        density: How much is copied from the source.
    """

    metric: Floats
    loglik: Floats | None = None
    length: Floats | None = None
    texts: Sequence[str] | None = None
    density: Floats | None = None

    def __post_init__(self) -> None:
        k = len(self.metric)
        for name in ("loglik", "length", "texts", "density"):
            held = getattr(self, name)
            if held is not None and len(held) != k:
                raise DataError("bad-shape", f"Candidates: {k} metrics and {len(held)} of {name}; expected as many")
        if k == 0 or not np.isfinite(self.metric).all():
            raise DataError("bad-shape", "Candidates.metric: one finite number for each, and at least one")

    def of(self, name: str) -> Floats:
        """A field that a strategy needs.

        Raises:
            SettingError: it is not there.
        """
        held = getattr(self, name)
        if held is None:
            raise SettingError("bad-setting", f"this strategy needs Candidates.{name}")
        return np.asarray(held, np.float64)


@dataclass(frozen=True)
class SetStatistics:
    """What characterises a set of candidates.

    Args:
        metric: Mean.
        margin: Mean gap of neighbours in order of the metric.
        diversity: 1 − self-BLEU; NaN without texts.
        surprise: −Spearman's correlation of metric and log-probability: 1 where the model has the order upside down.
        length: Mean length.
        likelihood_gap: Log-probability of the best by metric less that of the worst.
    """

    metric: float
    margin: float
    diversity: float
    surprise: float
    length: float
    likelihood_gap: float


def set_statistics(candidates: Candidates, chosen: Sequence[int]) -> SetStatistics:
    """Statistics of a chosen set.

    Source: "What are the Desired Characteristics of Calibration Sets? Identifying Correlates on Long Form Scientific
        Summarization", 2023, arXiv 2305.07615.
    """
    at = np.asarray(chosen, np.int64)
    metric = candidates.metric[at]
    known = candidates.loglik is not None
    nan = math.nan
    return SetStatistics(
        float(metric.mean()),
        _gap(metric),
        _diversity(candidates, at) if candidates.texts is not None else nan,
        -_spearman(metric, candidates.of("loglik")[at]) if known else nan,
        float(candidates.of("length")[at].mean()) if candidates.length is not None else nan,
        float(candidates.of("loglik")[at][metric.argmax()] - candidates.of("loglik")[at][metric.argmin()])
        if known
        else nan,
    )


@dataclass(frozen=True)
class SubsetSelector:
    """k of the candidates, by a strategy for relevance.

    `max_margin` is the k/2 best and the k/2 worst ("Extreme" in the paper's text), `min_margin` the middle; `max_gap`
    and `min_gap` have the largest and smallest mean gap of neighbours (the paper's text calls those margins);
    `max_surprise` has the lowest Spearman correlation of metric and log-probability, `min_surprise` the highest.
    `top_beam`, `bottom_beam` and `wide_beam` go by the model's own ranking. Searches look at all subsets where these
    are few, else at 5,000 (gap), 200 (diversity) or 100 (surprise) random ones.

    Args:
        strategy: One of the sixteen.
        k: How many; all where there are fewer.
        seed: Of what is random.
    Source: "What are the Desired Characteristics of Calibration Sets? Identifying Correlates on Long Form Scientific
        Summarization", 2023, arXiv 2305.07615.
    """

    strategy: Strategy = "max_margin"
    k: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "strategy", Strategy.__args__)  # type: ignore[attr-defined]
        positive(self, "k")

    def select(self, candidates: Candidates) -> tuple[int, ...]:
        """Places of the chosen ones, the best by metric first."""
        order = np.argsort(-candidates.metric, kind="stable")
        n, k = len(order), min(self.k, len(order))
        direction, _, by = self.strategy.partition("_")
        if self.strategy == "random":
            chosen = np.random.default_rng(self.seed).choice(n, k, replace=False)
        elif by == "margin":
            chosen = _ends(order, k) if direction == "max" else order[(n - k) // 2 : (n - k) // 2 + k]
        elif by == "metric":
            chosen = order[:k] if direction == "max" else order[n - k :]
        elif by == "length":
            sign = -1.0 if direction == "max" else 1.0
            chosen = np.argsort(sign * candidates.of("length"), kind="stable")[:k]
        elif by == "beam":
            ranked = np.argsort(-candidates.of("loglik"), kind="stable")
            chosen = {"top": ranked[:k], "bottom": ranked[n - k :], "wide": _ends(ranked, k)}[direction]
        else:
            chosen = self._searched(candidates, by, 1.0 if direction == "max" else -1.0, k)
        return tuple(sorted((int(at) for at in chosen), key=lambda at: (-candidates.metric[at], at)))

    def _searched(self, candidates: Candidates, by: str, sign: float, k: int) -> NDArray[np.int64]:
        best, chosen = -math.inf, np.arange(k)
        for subset in _subsets(len(candidates.metric), k, MOST[by], self.seed):
            if by == "gap":
                value = _gap(candidates.metric[subset])
            elif by == "diversity":
                value = _diversity(candidates, subset)
            else:
                value = -_spearman(candidates.metric[subset], candidates.of("loglik")[subset])
            if sign * value > best + 1e-12:
                best, chosen = sign * value, subset
        return chosen


@dataclass(frozen=True)
class ContrastSelector:
    """k/2 faithful and k/2 unfaithful candidates, by a strategy for contrast.

    `max_margin`: the best of the one and the worst of the other; `min_margin`: the worst of the one and the best of the
    other; `average`: the middle of both. `hard`: the least likely faithful and the most likely unfaithful; `easy` the
    reverse. `max_extractive_gap`: the faithful that copy most and the unfaithful that copy least.

    Args:
        strategy: One of the ten.
        k: How many in all, half of each sign.
        seed: Of what is random.
    Source: as `SubsetSelector`.
    """

    strategy: Contrast = "hard"
    k: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "strategy", Contrast.__args__)  # type: ignore[attr-defined]
        if self.k < 2:
            raise SettingError("bad-setting", f"ContrastSelector.k must be ≥ 2. Got {self.k!r}")

    def select(self, candidates: Candidates, faithful: Sequence[bool]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Places of the chosen faithful and unfaithful ones."""
        good = np.flatnonzero(np.asarray(faithful, bool))
        bad = np.setdiff1d(np.arange(len(candidates.metric)), good)
        half = self.k // 2
        if not len(good) or not len(bad):
            raise DataError("bad-shape", "ContrastSelector: needs a faithful and an unfaithful candidate")
        if self.strategy == "random":
            rng = np.random.default_rng(self.seed)
            return _plain(rng.permutation(good)[:half]), _plain(rng.permutation(bad)[:half])
        if self.strategy == "average":
            return tuple(_plain(_middle(side, candidates.metric, half)) for side in (good, bad))  # type: ignore[return-value]
        if self.strategy in ("max_diversity", "min_diversity"):
            return self._diverse(candidates, good, half), self._diverse(candidates, bad, half)
        keys = {"margin": "metric", "extractive_gap": "density"}
        if self.strategy in ("hard", "easy"):
            value, sign = candidates.of("loglik"), -1.0 if self.strategy == "hard" else 1.0
        else:
            direction, _, by = self.strategy.partition("_")
            value, sign = candidates.of(keys[by]), 1.0 if direction == "max" else -1.0
        high = good[np.argsort(-sign * value[good], kind="stable")[:half]]
        low = bad[np.argsort(sign * value[bad], kind="stable")[:half]]
        return _plain(high), _plain(low)

    def _diverse(self, candidates: Candidates, side: NDArray[np.int64], half: int) -> tuple[int, ...]:
        sign = 1.0 if self.strategy == "max_diversity" else -1.0
        some = (side[subset] for subset in _subsets(len(side), min(half, len(side)), MOST["diversity"], self.seed))
        return _plain(max(some, key=lambda subset: sign * _diversity(candidates, subset)))


def _plain(places: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(at) for at in places)


def _ends(order: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The first ⌈k/2⌉ and the last ⌊k/2⌋."""
    return np.concatenate([order[: (k + 1) // 2], order[len(order) - k // 2 :]])


def _middle(side: NDArray[np.int64], metric: Floats, k: int) -> NDArray[np.int64]:
    order = side[np.argsort(-metric[side], kind="stable")]
    start = max(0, (len(order) - k) // 2)
    return order[start : start + k]


def _gap(metric: Floats) -> float:
    """Mean gap of neighbours: the range over the number of gaps."""
    return float((metric.max() - metric.min()) / (len(metric) - 1)) if len(metric) > 1 else 0.0


def _diversity(candidates: Candidates, chosen: NDArray[np.int64]) -> float:
    if candidates.texts is None:
        raise SettingError("bad-setting", "this strategy needs Candidates.texts")
    return 1 - self_bleu([candidates.texts[int(at)] for at in chosen])


def _spearman(x: Floats, y: Floats) -> float:
    """Spearman's correlation; 0 where one of them never varies."""
    from scipy.stats import rankdata

    a, b = rankdata(x), rankdata(y)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _subsets(n: int, k: int, most: int, seed: int) -> list[NDArray[np.int64]]:
    if math.comb(n, k) <= most:
        return [np.array(subset, np.int64) for subset in itertools.combinations(range(n), k)]
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(n, k, replace=False)) for _ in range(most)]
