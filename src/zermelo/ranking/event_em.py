"""EM of the event model: mixtures of log-normals by context and mark, with ends that are only known to be later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zermelo.ranking.streams import Streams

if TYPE_CHECKING:
    from zermelo.ranking.event_model import EventModel, FittedEvents

__all__ = ["run_em"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def run_em(model: EventModel, streams: Streams, context: Ints, end_context: Ints, end: Floats) -> FittedEvents:
    """Rounds of EM until the objective stands still.

    Args:
        model: Settings.
        streams: Events.
        context: Of each event. [N]
        end_context: Of each censored end. [E]
        end: Logarithm of the time without an event at the end. [E]
    """
    from zermelo.ranking.event_model import BROAD, NARROW, FittedEvents

    size, x = len(streams.names), np.log(streams.gap)
    contexts = (size + 1) ** model.order
    cells = size if model.mode == "time_given_mark" else 1
    shape = (contexts, cells, model.components)
    own = streams.mark if cells > 1 else np.zeros_like(streams.mark)
    cell = context * cells + own
    share = np.bincount(streams.mark, minlength=size) / len(x)
    share = (share + 1e-3) / (share + 1e-3).sum()
    centre, spread = float(x.mean()), max(float(x.var()), NARROW**2)
    quantile = (np.arange(model.components) + 0.5) / model.components
    mean = np.broadcast_to(np.quantile(x, quantile), shape).copy()
    deviation = np.full(shape, np.sqrt(spread))
    weight = np.full(shape, 1 / model.components)
    prior = model.smoothing / model.components  # pseudo-events of each component, spread like all gaps
    mark_count = np.bincount(context * size + streams.mark, minlength=contexts * size).reshape(contexts, size)
    mark = (mark_count + model.smoothing * share) / (mark_count.sum(1, keepdims=True) + model.smoothing)
    history: list[float] = []
    for _ in range(model.max_iterations):
        now = FittedEvents(streams.names, model.order, mark, weight, mean, deviation, ())
        found = now.log_likelihood(streams).total + _log_prior(now, model.smoothing, share, prior, centre, spread)
        history.append(found)
        if len(history) > 1 and abs(history[-1] - history[-2]) < model.tolerance * len(x):
            break
        z = (x[:, None] - mean[context, own]) / deviation[context, own]
        logs = np.log(weight[context, own]) - np.log(deviation[context, own]) - 0.5 * z * z
        r = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))  # [N, C]
        n, s1, s2 = (_sums(cell, r * values, shape) for values in (1.0, x[:, None], x[:, None] ** 2))
        counts = mark_count.astype(np.float64)
        if len(end):
            more, by_mark = _censored(now, end_context, end, shape)
            n, s1, s2 = n + more[0], s1 + more[1], s2 + more[2]
            counts = counts + by_mark
        mark = (counts + model.smoothing * share) / (counts.sum(1, keepdims=True) + model.smoothing)
        total = n + prior
        mean = (s1 + prior * centre) / total
        second = (s2 + prior * (spread + centre**2)) / total
        deviation = np.clip(np.sqrt(np.maximum(second - mean**2, 0)), NARROW, BROAD)
        weight = total / total.sum(axis=-1, keepdims=True)
    return FittedEvents(streams.names, model.order, mark, weight, mean, deviation, tuple(history))


def _sums(cell: Ints, values: Floats, shape: tuple[int, int, int]) -> Floats:
    """Σ over the events of each cell. [H, K, C]"""
    return np.stack([np.bincount(cell, column, shape[0] * shape[1]).reshape(shape[:2]) for column in values.T], axis=-1)


def _censored(
    now: FittedEvents, context: Ints, end: Floats, shape: tuple[int, int, int]
) -> tuple[tuple[Floats, Floats, Floats], Floats]:
    """What ends add: expected number, Σ x and Σ x² of each component, and the marks that would have come. [H, K]"""
    from scipy.special import log_ndtr

    mean, deviation = now.mean[context], now.deviation[context]  # [E, K, C]
    a = (end[:, None, None] - mean) / deviation
    tail = log_ndtr(-a)
    joint = np.log(now.mark[context])[:, :, None] + np.log(now.weight[context]) + tail  # over all marks
    flat = joint.reshape(len(end), -1)
    r = np.exp(joint - np.logaddexp.reduce(flat, axis=1)[:, None, None])
    hazard = np.exp(-0.5 * a * a - 0.5 * np.log(2 * np.pi) - tail)
    one = mean + deviation * hazard
    two = deviation**2 * (1 + a * hazard) + 2 * mean * deviation * hazard + mean**2
    counts = np.zeros((shape[0], len(now.names)))
    np.add.at(counts, context, r.sum(axis=2))
    if shape[1] == 1:  # one density: all marks share it
        one, two = np.broadcast_to(one, r.shape), np.broadcast_to(two, r.shape)
        parts = [(r * value).sum(axis=1, keepdims=True) for value in (1.0, one, two)]
    else:
        parts = [r, r * one, r * two]
    sums = []
    for part in parts:
        table = np.zeros(shape)
        np.add.at(table, context, part)
        sums.append(table)
    return (sums[0], sums[1], sums[2]), counts


def _log_prior(now: FittedEvents, smoothing: float, share: Floats, prior: float, centre: float, spread: float) -> float:
    """What the pseudo-events add to the objective that EM climbs."""
    gap = (spread + (now.mean - centre) ** 2) / now.deviation**2
    components = prior * (np.log(now.weight) - np.log(now.deviation) - 0.5 * gap)
    return float(components.sum() + smoothing * (np.log(now.mark) @ share).sum())
