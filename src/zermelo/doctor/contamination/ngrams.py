"""Exact runs of words that a text shares with benchmark items, hashed; a stream of texts of any length.

Words are lower-cased runs of letters and digits; where a script puts no spaces, each letter is one. An item is looked
for by its runs of 13 words, a shorter one by its runs of 8, and one of fewer words as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.structure.rows import hashed, mixed
from zermelo.doctor.unspaced import UNSPACED

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NGramIndex", "ngram_overlap", "words_of"]

Ints: TypeAlias = NDArray[np.int64]
Hashes: TypeAlias = NDArray[np.uint64]
LONG, SHORT, LEAST = 13, 8, 4
BITS = 24  # of the table that turns most hashes away
FACTORS = mixed(np.arange(1, LONG + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)


@dataclass(frozen=True)
class NGramIndex:
    """The runs of words of benchmark items.

    Args:
        sizes: Words of a run, for each item; 0 for an item of fewer than four words, which is not looked for. [I]
        n_runs: Different runs of each item. [I]
        hashes: Runs, ascending within a size; size → (hashes, items).
    """

    sizes: Ints
    n_runs: Ints
    hashes: dict[int, tuple[Hashes, Ints]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> NGramIndex:
        """The index of the items' texts."""
        import pyarrow as pa

        codes, lengths = words_of(pa.array(texts, pa.string()))
        sizes = np.where(
            lengths >= LONG, LONG, np.where(lengths >= SHORT, SHORT, np.where(lengths >= LEAST, lengths, 0))
        )
        n_runs = np.zeros(len(texts), np.int64)
        hashes = {}
        for size in np.unique(sizes[sizes > 0]).tolist():
            run, owner = _runs(codes, lengths, size)
            inside = sizes[owner] == size
            both = np.unique(np.stack([run[inside], owner[inside].astype(np.uint64)], 1), axis=0)
            hashes[size] = both[:, 0].copy(), both[:, 1].astype(np.int64)
            n_runs += np.bincount(hashes[size][1], minlength=len(texts))
        return cls(sizes, n_runs, hashes)

    def shared(self, texts: pa.Array) -> tuple[Ints, Ints, Ints]:
        """Text, item and number of the item's different runs that stand in the text, for all that share any."""
        codes, lengths = words_of(texts)
        keys: list[Ints] = [np.zeros(0, np.int64)]
        width = len(self.sizes)
        for size, (known, items) in self.hashes.items():
            table = np.zeros(1 << BITS, bool)
            table[(known >> np.uint64(64 - BITS)).astype(np.int64)] = True
            run, owner = _runs(codes, lengths, size)
            hit = np.flatnonzero(table[(run >> np.uint64(64 - BITS)).astype(np.int64)])
            run, owner = run[hit], owner[hit]
            start, end = (np.searchsorted(known, run, side=side) for side in ("left", "right"))
            count = end - start
            place = np.repeat(start - (np.cumsum(count) - count), count) + np.arange(count.sum())
            seen = np.stack([np.repeat(owner, count) * width + items[place], np.repeat(run, count).view(np.int64)], 1)
            keys.append(np.unique(seen, axis=0)[:, 0])
        cell, counts = np.unique(np.concatenate(keys), return_counts=True)
        return cell // max(width, 1), cell % max(width, 1), counts.astype(np.int64)


def ngram_overlap(items: Sequence[str], documents: Sequence[str]) -> NDArray[np.float64]:
    """Largest share of each item's runs of words that stands in one document. [I]

    13-gram hit rate, with 8-grams for items of 8 to 12 words and the whole of shorter ones; NaN below four words.

    Args:
        items: Benchmark items. [I]
        documents: Texts that must not hold them.
    Source: "Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023, arXiv 2311.09783.
    """
    import pyarrow as pa

    index = NGramIndex.of(items)
    _, item, count = index.shared(pa.array(documents, pa.string()))
    best = np.zeros(len(items))
    np.maximum.at(best, item, count / index.n_runs[item])
    return np.where(index.sizes > 0, best, np.nan)


def words_of(texts: pa.Array) -> tuple[Hashes, Ints]:
    """Hashes of the words of all texts, one after the other, and words of each text."""
    import pyarrow.compute as pc

    spaced = pc.replace_substring_regex(pc.utf8_lower(texts), rf"[^\pL\pN]+|({UNSPACED})", r" \1 ")
    words = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(spaced))
    lengths = pc.list_value_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    coded = words.flatten().dictionary_encode()
    names = coded.dictionary.to_pylist()
    known = hashed(names)
    codes = coded.indices.to_numpy(zero_copy_only=False)
    filled = np.array([name != "" for name in names], bool)[codes] if len(names) else np.zeros(0, bool)
    owner = np.repeat(np.arange(len(lengths)), lengths)[filled]
    return (known[codes] if len(names) else np.zeros(0, np.uint64))[filled], np.bincount(owner, minlength=len(lengths))


def _runs(codes: Hashes, lengths: Ints, size: int) -> tuple[Hashes, Ints]:
    """Hashes of all runs of `size` words, and whose they are."""
    n_runs = np.maximum(lengths - size + 1, 0)
    owner = np.repeat(np.arange(len(lengths)), n_runs)
    starts = np.cumsum(lengths) - lengths
    place = np.arange(len(owner)) + np.repeat(starts - (np.cumsum(n_runs) - n_runs), n_runs)
    total = np.zeros(len(owner), np.uint64)
    for step in range(size):
        total += codes[place + step] * FACTORS[step]
    return mixed(total), owner
