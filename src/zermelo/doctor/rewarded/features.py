"""Attributes of a sample of pairs, read off the texts by rules, once for all audits of this family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Attributed", "attributed"]

LEAST, MOST = 100, 2_000  # pairs


@dataclass(frozen=True)
class Attributed:
    """Pairs with the attributes of their answers.

    Args:
        signs: Who has more of it, the preferred (1) or the other (−1). [M, D]
        gaps: How much more, in standard deviations, −1…1. [M, D]
        names: Of the attributes. [D]
        row: Position of the group. [M]
        by: Who judged. [M]
        of: How many pairs there are in all.
    """

    signs: NDArray[np.float64]
    gaps: NDArray[np.float64]
    names: tuple[str, ...]
    row: NDArray[np.int64]
    by: tuple[str | None, ...]
    of: int


_KNOWN: WeakKeyDictionary[Case, Attributed | str] = WeakKeyDictionary()


def attributed(case: Case) -> Attributed | str:
    """At most 2,000 pairs with their attributes; a string says why there are none."""
    if case not in _KNOWN:
        _KNOWN[case] = _made(case)
    return _KNOWN[case]


def _made(case: Case) -> Attributed | str:
    if not len(case.texts.row):
        return "the data holds no texts"
    n = case.pairs.num_rows
    if n < LEAST:
        return f"{n} preferences; weights of attributes need {LEAST}"
    from zermelo.evaluation.attributes import attribute_differences

    drawn = np.sort(np.random.default_rng((case.seed, 2402)).choice(n, min(n, MOST), replace=False))
    pairs = case.pair_texts(drawn)
    kept = [at for at in range(len(pairs)) if pairs.chosen[at].strip() and pairs.rejected[at].strip()]
    if len(kept) < LEAST:
        return f"{len(kept)} preferences between two texts; weights of attributes need {LEAST}"
    chosen, rejected = [pairs.chosen[at] for at in kept], [pairs.rejected[at] for at in kept]
    signs, names = attribute_differences(chosen, rejected)
    gaps, _ = attribute_differences(chosen, rejected, scale="norm_diff")
    return Attributed(signs, gaps, names, pairs.row[kept], tuple(pairs.by[at] for at in kept), n)
