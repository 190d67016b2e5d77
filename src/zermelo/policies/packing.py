"""Which groups share a row or a micro-batch. Deterministic: equal inputs, equal rows, on every rank. No tensors."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Sequence

from zermelo.errors import SettingError
from zermelo.policies.groups import TokenGroups

__all__ = ["balance", "microbatches", "pack"]


def pack(sizes: Sequence[int], budget: int | None) -> list[list[int]]:
    """Best-fit decreasing: the largest first, each into the fullest row that still takes it.

    At most 11/9 of the fewest possible rows, plus one. Equal sizes keep their order, so nothing is left to chance.

    Args:
        sizes: Tokens of each item.
        budget: Most tokens in a row; a larger item gets a row of its own. None: everything in one row.
    Returns:
        Item indices of each row, ascending within a row; rows ordered by their first item.
    """
    if budget is None:
        return [list(range(len(sizes)))] if sizes else []
    if budget < 1:
        raise SettingError("bad-setting", f"the token budget of a row must be at least 1. Got {budget}")
    rows: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (tokens left, row), ascending: the first that fits is the fullest
    for item in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        at = _first_at_least(free, sizes[item])
        if at == len(free):
            rows.append([item])
            left, row = budget - sizes[item], len(rows) - 1
        else:
            left, row = free.pop(at)
            rows[row].append(item)
            left -= sizes[item]
        if left > 0:
            free.insert(_first_at_least(free, left, row), (left, row))
    return sorted((sorted(row) for row in rows), key=lambda row: row[0])


def balance(sizes: Sequence[int], budget: int) -> list[list[int]]:
    """As few parts as `pack` needs, with as equal totals as greedy scheduling gives (largest first to the emptiest).

    Falls back to `pack` where balancing would overfill a part.
    """
    packed = pack(sizes, budget)
    emptiest = [(0, part) for part in range(len(packed))]
    parts: list[list[int]] = [[] for _ in packed]
    for item in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        total, part = heapq.heappop(emptiest)
        parts[part].append(item)
        heapq.heappush(emptiest, (total + sizes[item], part))
    limit = max([budget, *sizes])
    if any(sum(sizes[i] for i in part) > limit for part in parts):
        return packed
    return sorted((sorted(part) for part in parts), key=lambda part: part[0])


def microbatches(groups: TokenGroups, budget: int) -> list[list[int]]:
    """Whole groups cut into balanced micro-batches of at most `budget` tokens (prompts counted once).

    Returns:
        Group indices of each micro-batch, for `groups.subset`.
    """
    return balance([group.n_tokens for group in groups.groups], budget)


def _first_at_least(free: list[tuple[int, int]], size: int, row: int = -1) -> int:

    return bisect.bisect_left(free, (size, row))
