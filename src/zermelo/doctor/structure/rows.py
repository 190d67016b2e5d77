"""What several audits of structure need of whole rows: hashes of arrays, rows that repeat, a sample of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Texts", "hashed", "mixed", "repeats", "row_digests", "sampled_texts", "summed"]

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Texts:
    """Rows with their texts. [R]

    Args:
        row: Position of the group.
        prompt: As one text.
        answers: Texts of the responses; '' where only the source is known.
    """

    row: NDArray[np.int64]
    prompt: Sequence[str]
    answers: Sequence[Sequence[str]]


_samples: WeakKeyDictionary[Case, dict[int, Texts]] = WeakKeyDictionary()


def mixed(values: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the value (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def hashed(words: Sequence[str]) -> Hashes:
    """64 bits of each word, the same in every process. [W]"""
    from pandas.util import hash_array

    return mixed(hash_array(np.array(words, dtype=object), categorize=False)) if len(words) else np.zeros(0, np.uint64)


def summed(rows: NDArray[np.int64], hashes: Hashes) -> tuple[NDArray[np.int64], Hashes]:
    """Distinct rows, ascending, and the sum of their hashes modulo 2⁶⁴: equal for equal sets, whatever the order."""
    order = np.argsort(rows, kind="stable")
    found, starts = np.unique(rows[order], return_index=True)
    return found, np.add.reduceat(hashes[order], starts) if len(found) else np.zeros(0, np.uint64)


def row_digests(case: Case) -> tuple[NDArray[np.int64], Hashes]:
    """Rows that hold texts, ascending, and a digest of prompt and answers in their order."""
    table = case.texts
    place = (table.response.astype(np.int64) + 2).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return summed(table.row, mixed(table.digest + place))


def repeats(hashes: Hashes) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Where a hash has been seen earlier, and the place where it was seen first. [N], [N]"""
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    origin = first[inverse].astype(np.int64)
    return origin != np.arange(len(hashes)), origin


def sampled_texts(case: Case, n: int) -> Texts:
    """Texts of at most `n` rows, drawn without replacement, in order; drawn once for each `n`."""
    kept = _samples.setdefault(case, {})
    if n not in kept:
        kept[n] = _read(case, n)
    return kept[n]


def _read(case: Case, n: int) -> Texts:
    from zermelo.feedback.neardup import plain_prompt
    from zermelo.feedback.schema import prompts_from_arrow
    from zermelo.feedback.texts import texts_of

    every = case.feedback.rows
    chosen = every
    if case.n_rows > n:
        places = np.sort(np.random.default_rng((case.seed, 1913)).choice(case.n_rows, n, replace=False))
        chosen = places if every is None else every[places]
    rows: list[int] = []
    prompts: list[str] = []
    answers: list[list[str]] = []
    paths = ("prompt", "prompt_messages", "responses.text", "responses.messages")
    for positions, batch in case.feedback.source.batches(paths, chosen):
        prompts += [plain_prompt(prompt) for prompt in prompts_from_arrow(batch)]
        found = texts_of(np.arange(len(positions)), batch.column("responses"))
        answers += [[] for _ in positions]
        start = len(rows)
        for at, text in zip(found.column("row").to_pylist(), found.column("text").to_pylist(), strict=True):
            answers[start + at].append(text or "")
        rows += positions.tolist()
    return Texts(np.array(rows, np.int64), prompts, answers)
