"""Comparisons as votes on items: the same two responses are one item, whichever was named first.

Files often hold one row a vote: rows of one prompt and the same two texts are votes on one item. What somebody says of
it a second time, in another row, is a vote on another item, so that nobody agrees with himself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Others", "Votes", "others_of", "p_normal", "rows_of", "votes_of"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Votes:
    """Votes of known annotators, in order of the rows. [B]

    Args:
        place: In `case.comparisons`.
        row: Group.
        item: Number of the pair of responses (and criterion).
        by: Annotator.
        say: 1 the item's first response is better (of lower index in its earliest row), −1 the other, 0 a tie.
        shown: 1 where the item's first response was shown first, −1 the other, 0 unknown.
        at: Time in seconds, NaN where unknown.
        n_items: How many items there are.
        annotators: Names.
    """

    place: Ints
    row: Ints
    item: Ints
    by: Ints
    say: Ints
    shown: Ints
    at: Floats
    n_items: int
    annotators: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    def counts(self) -> Floats:
        """How often each item got −1, 0 and 1. [I, 3]"""
        cell = self.item * 3 + self.say + 1
        return np.bincount(cell, minlength=3 * self.n_items).reshape(-1, 3).astype(np.float64)

    def of(self, annotator: int) -> Ints:
        """Places of someone's votes."""
        return np.flatnonzero(self.by == annotator)


@dataclass(frozen=True)
class Others:
    """What the other annotators say of each vote's item. [B]

    Args:
        n: How many other votes it has.
        same: How many of them say the same.
        expected: How many of any two of the others agree, NaN where there are fewer than two.
    """

    n: Floats
    same: Floats
    expected: Floats


_KNOWN: WeakKeyDictionary[Case, Votes] = WeakKeyDictionary()


def votes_of(case: Case) -> Votes:
    """Votes whose annotator is known, made once; probabilities are rounded to a side."""
    if case not in _KNOWN:
        said = case.comparisons
        place = np.flatnonzero((said.by >= 0) & ~np.isnan(said.prob))
        first, second, prob = said.first[place], said.second[place], said.prob[place]
        prompt, one, two = _content(case, said.row[place], first, second)
        texts = [np.minimum(one, two), np.maximum(one, two)]
        same = one == two  # as texts: told apart by their places
        places = [np.where(same, side, -1) for side in (np.minimum(first, second), np.maximum(first, second))]
        key = _numbers(np.stack([prompt, *texts, *places, said.criterion[place].astype(np.int64)], axis=1))
        item = _numbers(np.stack([key, _again(key, said.by[place].astype(np.int64), said.row[place])], axis=1))
        turned = np.where(np.where(same, first > second, one > two), -1, 1)
        begins = np.unique(item, return_index=True)[1]  # its earliest vote says which response is an item's first
        turned = turned * (turned * np.where(first > second, -1, 1))[begins][item]
        tie = said.tie[place] | (prob == 0.5)
        say = np.where(tie, 0, np.where(prob > 0.5, 1, -1)) * turned
        _KNOWN[case] = Votes(
            place=place,
            row=said.row[place],
            item=item,
            by=said.by[place].astype(np.int64),
            say=say.astype(np.int64),
            shown=said.shown[place].astype(np.int64) * turned,
            at=said.at[place],
            n_items=int(item.max()) + 1 if len(item) else 0,
            annotators=said.annotators,
        )
    return _KNOWN[case]


def others_of(votes: Votes) -> Others:
    """What the others say of each vote's item."""
    counts = votes.counts()
    mine = counts[votes.item]  # [B, 3]
    own = np.zeros_like(mine)
    own[np.arange(len(votes)), votes.say + 1] = 1
    rest = mine - own
    n = rest.sum(axis=1)
    same = rest[np.arange(len(votes)), votes.say + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(n >= 2, (rest * (rest - 1)).sum(axis=1) / (n * (n - 1)), np.nan)
    return Others(n, same, expected)


def rows_of(votes: Votes, annotators: Sequence[int]) -> Ints:
    """Rows that some annotators judged, ascending."""
    return np.unique(votes.row[np.isin(votes.by, np.asarray(annotators, np.int64))])


def p_normal(z: Floats) -> Floats:
    """P(Z ≥ z), one-sided."""
    from scipy.special import ndtr

    return np.asarray(ndtr(-np.asarray(z, np.float64)))


def _content(case: Case, row: Ints, first: Ints, second: Ints) -> tuple[Ints, Ints, Ints]:
    """What says which prompt and which two responses: digests; a row's number and places where a text is missing."""
    table = case.texts
    if not len(table.row):
        return row, first, second
    asked, one, two = (table.place(row, side) for side in (np.full_like(row, -1), first, second))
    known = (asked >= 0) & (table.chars[asked] > 0) & (one >= 0) & (two >= 0)
    digest = table.digest.view(np.int64)
    return (
        np.where(known, digest[asked], row),
        np.where(known, digest[one], first),
        np.where(known, digest[two], second),
    )


def _again(key: Ints, by: Ints, row: Ints) -> Ints:
    """In how many earlier rows the same annotator judged the same. [B]"""
    if not len(key):
        return np.zeros(0, np.int64)
    seen, at = np.unique(np.stack([key, by, row], axis=1), axis=0, return_inverse=True)
    new = np.append(True, (np.diff(seen[:, :2], axis=0) != 0).any(axis=1))
    begins = np.maximum.accumulate(np.where(new, np.arange(len(seen)), 0))
    return (np.arange(len(seen)) - begins)[np.ravel(at)]


def _numbers(key: Ints) -> Ints:
    """Numbers of equal rows of a key, in order of the rows. [B]"""
    if not len(key):
        return np.zeros(0, np.int64)
    order = np.lexsort(key.T[::-1])
    new = np.ones(len(key), bool)
    new[1:] = (np.diff(key[order], axis=0) != 0).any(axis=1)
    found = np.empty(len(key), np.int64)
    found[order] = np.cumsum(new) - 1
    return found
