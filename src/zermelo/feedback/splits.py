"""Splits that keep a prompt, and its near-duplicates, on one side.

Prompts that are equal (`Group.key`) or nearly so form a cluster. Clusters are put in order by a hash of their smallest
key and the seed, and the order is cut where the shares of groups are reached: the split depends on no order of rows,
and new data moves only the clusters next to a cut.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, warn
from zermelo.feedback.neardup import clusters, plain_prompt
from zermelo.feedback.records import prompt_key
from zermelo.feedback.sampling import positions_of
from zermelo.feedback.sources import Rows, RowsOf

__all__ = ["sides"]

Ints = NDArray[np.int64]
LARGE = 0.2  # a cluster with this share of all groups deserves a word


def sides(
    source: Rows, rows: RowsOf | None, shares: Mapping[str, float], *, seed: int, near: float | None
) -> dict[str, Ints]:
    """Side → places (counted within the chosen rows) of its groups, ascending.

    Args:
        source: The groups.
        rows: The chosen ones.
        shares: Side → share, positive; divided by their sum.
        seed: Goes into the hash.
        near: Jaccard similarity from which prompts are near-duplicates; None for equal prompts only.
    """
    if not shares or any(not share > 0 or not np.isfinite(share) for share in shares.values()):
        raise SettingError("bad-setting", f"split: shares must be positive numbers. Got {dict(shares)}")
    if near is not None and not 0 < near <= 1:
        raise SettingError("bad-setting", f"split: near must be in (0, 1]. Got {near}")
    keys, texts, group_key = _prompts(source, rows)
    cluster = np.arange(len(keys)) if near is None else clusters(texts, similarity=near)
    names = _smallest_keys(keys, cluster)
    counts = np.bincount(cluster[group_key], minlength=len(names))
    if len(keys) > len(names) and counts.max(initial=0) > max(LARGE * counts.sum(), 2):
        warn(
            "large-cluster",
            f"{counts.max():,} of {counts.sum():,} prompts are near-duplicates of each other and stay on one side;"
            f" `near` above {near:g} tells more of them apart",
        )
    side = _cut(positions_of(names, seed), counts, np.array(list(shares.values())))
    return {name: np.flatnonzero(side[cluster[group_key]] == i) for i, name in enumerate(shares)}


def _prompts(source: Rows, rows: RowsOf | None) -> tuple[list[str], list[str], Ints]:
    """Distinct keys in ascending order, a text for each, and the key's place for every group."""
    from zermelo.feedback.schema import prompts_from_arrow

    text_of: dict[str, str] = {}
    every: list[str] = []
    for _, batch in source.batches(("prompt", "prompt_messages"), rows):
        for prompt in prompts_from_arrow(batch):
            key = prompt_key(prompt)
            every.append(key)
            if key not in text_of:
                text_of[key] = plain_prompt(prompt)
    keys = sorted(text_of)
    place = {key: i for i, key in enumerate(keys)}
    return keys, [text_of[key] for key in keys], np.array([place[key] for key in every], dtype=np.int64)


def _smallest_keys(keys: list[str], cluster: Ints) -> list[str]:
    """The smallest key of each cluster; `keys` ascend."""
    names: dict[int, str] = {}
    for key, number in zip(keys, cluster.tolist(), strict=True):
        names.setdefault(number, key)
    return [names[number] for number in range(len(names))]


def _cut(position: NDArray[np.float64], counts: Ints, shares: NDArray[np.float64]) -> Ints:
    """The side of each cluster: in order of position, cut where the cumulated shares of groups are reached."""
    order = np.argsort(position, kind="stable")
    middle = np.cumsum(counts[order]) - counts[order] / 2
    bounds = np.cumsum(shares / shares.sum())[:-1] * counts.sum()
    side = np.empty(len(order), dtype=np.int64)
    side[order] = np.searchsorted(bounds, middle, side="right")
    return side
