"""Groups as pairs for reward heads: two responses and a probability, with the prompt's cluster for cross-validation."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError
from zermelo.feedback.neardup import clusters, plain_prompt
from zermelo.feedback.preferences import preferences
from zermelo.feedback.records import Group
from zermelo.feedback.suspicions import suspicions

__all__ = ["Pairs", "folds", "pairs_of"]


@dataclass(frozen=True)
class Pairs:
    """Comparisons between responses, in the order in which the group holds them.

    Where that order gives the answer away (chosen first, always), each pair is turned or not by a hash of its texts, so
    that a side's frequency is a coin's.

    Args:
        rows: Places of all responses that occur: (group, response). [N]
        first: Row of the first response of each pair. [M]
        second: Row of the other. [M]
        prob: P(first ≻ second), the mean over annotators; never ½. [M]
        cluster: Prompts that are equal or nearly so share a number. [M]
        ties: Pairs left out because their annotators are tied.
        suspicious: Groups left out (an empty side, equal sides, differing prompts, a duplicate).
    """

    rows: tuple[tuple[int, int], ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    prob: NDArray[np.float64]
    cluster: NDArray[np.int64]
    ties: int
    suspicious: int = 0

    def __len__(self) -> int:
        return len(self.prob)


def pairs_of(groups: Sequence[Group]) -> Pairs:
    """The stated comparisons of groups; several annotators of one pair are averaged.

    Suspicious groups and empty sides are left out.

    Raises:
        DataError: there is none.
    """
    place: dict[tuple[int, int], int] = {}
    first, second, prob, where, ties, suspicious = [], [], [], [], 0, 0
    for number, group in enumerate(groups):
        if group.meta.get("suspicious") or (len(group.responses) == 2 and suspicions(group)):
            suspicious += 1
            continue
        votes: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
        for pair in preferences(group):
            i, j = sorted((pair.win, pair.lose))
            votes[i, j].append(pair.prob if pair.win == i else 1 - pair.prob)
        for (i, j), said in votes.items():
            if group.responses[i].empty or group.responses[j].empty:
                continue
            mean = float(np.mean(said))
            if mean == 0.5:
                ties += 1
                continue
            for at in (i, j):
                place.setdefault((number, at), len(place))
            first.append(place[number, i])
            second.append(place[number, j])
            prob.append(mean)
            where.append(number)
    if not prob:
        raise DataError("no-pairs", f"{len(groups):,} groups, and not one decided comparison between two answers")
    if all(p > 0.5 for p in prob) or all(p < 0.5 for p in prob):
        where_from = tuple(place)
        turned = [_coin(groups, where_from[a], where_from[b]) for a, b in zip(first, second, strict=True)]
        first, second = (
            [b if turn else a for a, b, turn in zip(first, second, turned, strict=True)],
            [a if turn else b for a, b, turn in zip(first, second, turned, strict=True)],
        )
        prob = [1 - p if turn else p for p, turn in zip(prob, turned, strict=True)]
    of_group = clusters([plain_prompt(group.prompt) for group in groups])
    return Pairs(
        tuple(place), np.array(first), np.array(second), np.array(prob), of_group[np.array(where)], ties, suspicious
    )


def _coin(groups: Sequence[Group], one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether to turn a pair: the order of the hashes of its two texts."""
    a, b = (
        hashlib.blake2b(groups[g].responses[i].content.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for g, i in (one, other)
    )
    return a > b


def folds(cluster: NDArray[np.int64], n: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Fold of each row: clusters stay whole, folds are as equal as whole clusters allow. [M]"""
    labels, inverse, count = np.unique(cluster, return_inverse=True, return_counts=True)
    if len(labels) < n:
        raise DataError("too-few-prompts", f"{len(labels)} different prompts; {n}-fold cross-validation needs {n}")
    order = np.random.default_rng(seed).permutation(len(labels))
    size = np.zeros(n, dtype=np.int64)
    fold = np.zeros(len(labels), dtype=np.int64)
    for label in order[np.argsort(-count[order], kind="stable")]:
        fold[label] = size.argmin()
        size[fold[label]] += count[label]
    return np.asarray(fold[inverse])
