"""Which pairs do judgements state or imply? Vectorised over a batch; the rules are those of `preferences.py`.

Lists are the ratings of one annotator on one criterion of one group, or one ranking. Within a list responses are
ordered by score (best first), equal scores by index.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.feedback.flat import Flat, ranges

__all__ = ["Derive", "probabilities", "ranking_pairs", "rating_pairs", "stated_pairs"]

Derive: TypeAlias = Literal["all", "best_worst", "adjacent"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def probabilities(flat: Flat) -> tuple[Floats, NDArray[np.bool_]]:
    """P(first ≻ second) of comparisons, and where a tie was declared. [J], [J]

    `value` where it is given, else what the declared outcome says (first 1, second 0, tie and both_bad ½), else NaN.
    """
    value = flat.number("value")
    outcome = flat.text("outcome")
    declared = np.full(len(flat), np.nan)
    for word, prob in (("first", 1.0), ("second", 0.0), ("tie", 0.5), ("both_bad", 0.5)):
        declared[outcome == word] = prob
    tie = (outcome == "tie") | (outcome == "both_bad")
    return np.where(np.isnan(value), declared, value), tie


def stated_pairs(flat: Flat) -> tuple[NDArray[np.bool_], Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """For every comparison: whether the second of `on` is preferred, P(preferred ≻ other), declared tie, no value. [J]

    A bare probability of ½ is no tie: it stays, the first as preferred. A declared outcome decides where `value` is ½.
    """
    prob, tie = probabilities(flat)
    second = (prob < 0.5) | ((prob == 0.5) & (flat.text("outcome") == "second"))
    return second, np.where(second, 1 - prob, prob), tie, np.isnan(prob)


def rating_pairs(flat: Flat, how: Derive) -> tuple[Ints, Ints]:
    """Pairs of ratings, as positions in `flat`, within group, annotator and criterion; a response's last rating counts.

    Returns:
        Better and worse; where both ratings are equal the pair is a tie, the lower index first. [M], [M]
    """
    by = codes(flat, "by")
    criterion = codes(flat, "criterion")
    response = flat.response(0).to_numpy(zero_copy_only=False).astype(np.int64)
    listed = np.lexsort((np.arange(len(flat)), response, criterion, by, flat.row))
    repeated = ~_changes(flat.row[listed], by[listed], criterion[listed], response[listed])[1:]
    last = listed[~np.append(repeated, False)]
    begins = np.flatnonzero(_changes(flat.row[last], by[last], criterion[last]))
    # annotators have no order of their own: lists stand in the order in which the group's first ratings do
    spoken = np.repeat(np.minimum.reduceat(flat.index[last], begins), np.diff(np.append(begins, len(last))))
    order = np.lexsort((response[last], -flat.number("value")[last], spoken, flat.row[last]))
    begins = np.flatnonzero(_changes(flat.row[last][order], spoken[order]))
    win, lose = pair_up(np.diff(np.append(begins, len(last))), how)
    return last[order][win], last[order][lose]


def ranking_pairs(flat: Flat, ranks: Floats, how: Derive) -> tuple[Ints, Ints]:
    """Pairs within each ranking, as positions in the flattened `on` (rank 1 is best). [M], [M]"""
    judgement = np.repeat(np.arange(len(flat)), flat.n_on)
    order = np.lexsort((flat.on, ranks, judgement))
    win, lose = pair_up(flat.n_on, how)
    return order[win], order[lose]


def pair_up(lengths: Ints, how: Derive) -> tuple[Ints, Ints]:
    """Pairs of places in lists that stand one after the other, earlier place first, in order of the lists.

    Args:
        lengths: Length of each list.
        how: `all` pairs of a list, `best_worst` its two ends, `adjacent` neighbours.
    """
    starts = np.cumsum(lengths) - lengths
    if how == "best_worst":
        long = lengths > 1
        return starts[long], (starts + lengths - 1)[long]
    if how == "adjacent":
        first = ranges(starts, np.maximum(lengths - 1, 0))
        return first, first + 1
    places = np.arange(int(lengths.sum()))
    after = np.repeat(starts + lengths, lengths) - places - 1  # how many stand behind each in its list
    return np.repeat(places, after), ranges(places + 1, after)


def codes(flat: Flat, name: str) -> Ints:
    """A dictionary column as integers, −1 where null. [J]"""
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(flat.columns[name].indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _changes(*columns: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a run of equal entries begins. [J]"""
    begins = np.ones(len(columns[0]), dtype=bool)
    begins[1:] = False
    for column in columns:
        begins[1:] |= column[1:] != column[:-1]
    return begins
