"""Streams of feedback events (shown, copied, regenerated, thumbs up, left) as gaps and marks, and scores of guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError

__all__ = ["MarkScores", "Streams", "mark_scores", "streams"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Streams:
    """S streams of altogether N scored events with K kinds of mark.

    Args:
        names: Of the marks. [K]
        gap: Time since the event before, > 0. [N]
        mark: [N]
        before: Marks of the events before, the latest last; K where there was none. [N, O]
        stream: Which stream an event belongs to. [N]
        rest: Time from a stream's last event to the end of its observation, NaN where unknown. [S]
        rest_before: Marks before that end. [S, O]
    """

    names: tuple[str, ...]
    gap: Floats
    mark: Ints
    before: Ints
    stream: Ints
    rest: Floats
    rest_before: Ints

    def subset(self, keep: Sequence[int]) -> Streams:
        """Only these streams: for held-out scores."""
        place = np.full(len(self.rest), -1)
        place[np.asarray(keep)] = np.arange(len(keep))
        inside = place[self.stream] >= 0
        return Streams(
            self.names, self.gap[inside], self.mark[inside], self.before[inside], place[self.stream[inside]],
            self.rest[np.asarray(keep)], self.rest_before[np.asarray(keep)],
        )  # fmt: skip


def streams(
    events: Any,
    *,
    by: str = "id",
    names: Sequence[str] | None = None,
    order: int = 2,
    start: float | None = None,
    end: float | None = None,
) -> Streams:
    """Streams from events: `Feedback.events()`, a pandas frame, an Arrow table, or columns.

    Args:
        events: Columns `mark`, `at` (time, any unit) and the one named by `by`; rows without a time are left out.
        by: What makes a stream: `id` (a group), `by` (a person), ….
        names: Marks in the order wanted; default: those there, sorted.
        order: How many marks before an event are kept.
        start: Time at which every stream began; None: the first event of a stream is where it begins, and not scored.
        end: Time at which every observation ended; None: unknown.
    Raises:
        SettingError: a column is missing.
        DataError: no two events in any stream; a mark that `names` does not hold; events outside start … end.
    """
    table = _columns(events, ("mark", "at", by))
    at = np.array([np.nan if value is None else float(value) for value in table["at"]])
    keep = np.flatnonzero(np.isfinite(at))
    marks = [str(table["mark"][i]) for i in keep.tolist()]
    known = tuple(names) if names is not None else tuple(sorted(set(marks)))
    place = {name: k for k, name in enumerate(known)}
    strange = sorted(set(marks) - set(known))
    if strange:
        raise DataError("unknown-mark", f"mark {strange[0]!r} is not among {', '.join(known)}")
    code, key = np.array([place[name] for name in marks], dtype=np.int64), [table[by][i] for i in keep.tolist()]
    where = {name: s for s, name in enumerate(dict.fromkeys(key))}
    stream = np.array([where[name] for name in key], dtype=np.int64)
    at = at[keep]
    if (start is not None and (at < start).any()) or (end is not None and (at > end).any()):
        raise DataError("outside-window", f"an event lies outside {start} … {end}; it cannot have been observed there")
    line = np.lexsort((np.arange(len(at)), at, stream))
    at, code, stream = at[line], code[line], stream[line]
    first = np.ones(len(at), dtype=bool)
    first[1:] = stream[1:] != stream[:-1]
    gap = np.diff(at, prepend=0.0)
    gap[first] = at[first] - (0.0 if start is None else start)
    number = np.arange(len(at)) - np.maximum.accumulate(np.where(first, np.arange(len(at)), 0))
    before = np.full((len(at), order), len(known), dtype=np.int64)
    after = np.full((len(where), order), len(known), dtype=np.int64)
    last = np.append(np.flatnonzero(first)[1:], len(at)) - 1 if len(at) else np.zeros(0, dtype=np.int64)
    for back in range(1, order + 1):
        has = number >= back
        before[has, -back] = code[np.flatnonzero(has) - back]
        long = number[last] >= back - 1
        after[long, -back] = code[last[long] - back + 1]
    scored = ~first | (start is not None)
    if not scored.any():
        raise DataError("no-events", "no stream has two events with a time; nothing follows anything")
    rest = np.full(len(where), np.nan) if end is None else end - at[last]
    floor = _floor(gap[scored])
    return Streams(known, np.maximum(gap, floor)[scored], code[scored], before[scored], stream[scored], rest, after)


@dataclass(frozen=True)
class MarkScores:
    """How well marks were guessed: accuracy (micro F1), F1 weighted by how often a mark occurs, and the plain mean."""

    accuracy: float
    weighted_f1: float
    macro_f1: float


def mark_scores(true: Ints, guessed: Ints, size: int) -> MarkScores:
    """Scores of guessed marks; a mark that neither occurs nor is guessed has no F1.

    Args:
        true: [N]
        guessed: [N]
        size: Kinds of mark.
    """
    table = np.bincount(true * size + guessed, minlength=size * size).reshape(size, size)
    hit, said, there = np.diag(table), table.sum(axis=0), table.sum(axis=1)
    used = said + there > 0
    f1 = 2 * hit[used] / (said + there)[used]
    return MarkScores(float(hit.sum() / table.sum()), float(f1 @ there[used] / there.sum()), float(f1.mean()))


def _floor(gap: Floats) -> float:
    """Two events at the same time are half the smallest gap apart: a log-normal cannot hold 0."""
    there = gap[gap > 0]
    return float(there.min()) / 2 if len(there) else 1e-8


def _columns(events: Any, wanted: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    if hasattr(events, "arrow"):
        events = events.arrow()
    if hasattr(events, "to_pydict"):
        events = events.to_pydict()
    there = list(events.keys())
    for name in wanted:
        if name not in there:
            raise SettingError("unknown-column", f"events need a column {name!r}; there are: {', '.join(there)}")
    return {name: list(events[name]) for name in wanted}
