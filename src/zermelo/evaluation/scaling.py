"""The chain of metrics from log-likelihood to accuracy, and what each link does to predictability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import one_of

__all__ = ["MetricChain", "ScalingCorrelations", "metric_chain", "score_compute_correlations"]

Floats = NDArray[np.float64]
METRICS = ("log_p_vocab", "p_vocab", "p_choices", "brier", "accuracy")


@dataclass(frozen=True)
class MetricChain:
    """Scores of every model on every item, link by link. Each [models, items]

    Args:
        log_p_vocab: log p of the right choice's text over the whole vocabulary.
        p_vocab: Its exponential.
        p_choices: p of the right choice renormalised over the choices given.
        brier: Σ over choices (p_choices − 1[right])²; lower is better.
        accuracy: 1 where the right choice has the largest p.
    """

    log_p_vocab: Floats
    p_vocab: Floats
    p_choices: Floats
    brier: Floats
    accuracy: Floats


def metric_chain(log_p: Floats, right: NDArray[np.int64]) -> MetricChain:
    """The chain, in log space throughout; p_j is the probability of choice j, r the right one.

        log p_r → p_r → p_r / Σ_j p_j → Σ_j (1[j = r] − p_j/Σp)² → 1[r = argmax_j p_j]
        log_p_vocab  p_vocab  p_choices           brier                    accuracy

    Args:
        log_p: Log-probability of the text of each choice. [models, items, choices]
        right: Index of the right choice. [items]
    Source: "Why Has Predicting Downstream Capabilities of Frontier AI Models with Scale Remained Elusive?", 2024,
        arXiv 2406.04391.
    """
    items = np.arange(log_p.shape[1])
    own = log_p[:, items, right]
    top = log_p.max(axis=-1, keepdims=True)
    norm = top[..., 0] + np.log(np.exp(log_p - top).sum(axis=-1))
    p = np.exp(log_p - norm[..., None])
    target = np.zeros(log_p.shape[1:])
    target[items, right] = 1.0
    return MetricChain(
        log_p_vocab=own,
        p_vocab=np.exp(own),
        p_choices=np.exp(own - norm),
        brier=((p - target) ** 2).sum(axis=-1),
        accuracy=(log_p.argmax(axis=-1) == right).astype(np.float64),
    )


@dataclass(frozen=True)
class ScalingCorrelations:
    """Correlation of a metric with compute, one per item.

    Args:
        metric: Which metric.
        each: NaN where the metric is constant over the models. [items]
        mean: Over items where it is defined.
        area: Area under the complementary distribution function on [−1, 1] (= mean + 1).
        distance: Wasserstein distance to a perfect correlation of 1 (= 1 − mean).
        n_constant: Items left out because the metric does not vary.
    """

    metric: str
    each: Floats
    mean: float
    area: float
    distance: float
    n_constant: int


def score_compute_correlations(
    chain: MetricChain, compute: Floats, *, method: Literal["pearson", "spearman"] = "spearman"
) -> dict[str, ScalingCorrelations]:
    """Per item, the correlation of each metric with log compute over the models of one family.

    Brier is turned round so that more is better.

    Args:
        chain: Scores. [models, items]
        compute: Compute of each model, any unit > 0. [models]
        method: `spearman` (default) or `pearson`.
    Source: "Why Has Predicting Downstream Capabilities of Frontier AI Models with Scale Remained Elusive?", 2024,
        arXiv 2406.04391.
    """
    one_of(_Method(method), "method", ("pearson", "spearman"))
    x = np.log(np.asarray(compute, dtype=np.float64))
    found = {}
    for name in METRICS:
        scores = getattr(chain, name) * (-1 if name == "brier" else 1)
        each = np.array([_correlate(x, column, method) for column in scores.T])
        defined = each[~np.isnan(each)]
        mean = float(defined.mean()) if len(defined) else float("nan")
        found[name] = ScalingCorrelations(name, each, mean, mean + 1, 1 - mean, int(np.isnan(each).sum()))
    return found


@dataclass(frozen=True)
class _Method:
    method: str


def _correlate(x: Floats, y: Floats, method: str) -> float:
    if np.ptp(y) == 0:
        return float("nan")
    if method == "spearman":
        x, y = _ranks(x), _ranks(y)
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(values: Floats) -> Floats:
    """Average ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])
