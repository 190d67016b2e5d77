"""Words, pairs of words and endings of words with their names, counted by Arrow and NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.unspaced import UNSPACED

__all__ = ["NGrams", "ngram_differences"]

WORDS = 200  # of each text, from its beginning
LEAST = 5  # pairs in which an n-gram must tell the sides apart
MOST = 20_000  # columns


@dataclass(frozen=True)
class NGrams:
    """Which n-grams one answer of a pair has and the other lacks.

    Args:
        delta: +1 in the preferred answer only, −1 in the other only; times the inverse document frequency. [M, D] CSR
        names: The n-grams; `^` and `$` mark beginning and end of the text. [D]
        wins: Pairs in which only the preferred answer has it. [D]
        losses: Pairs in which only the other has it. [D]
    """

    delta: Any
    names: Sequence[str]
    wins: NDArray[np.int64]
    losses: NDArray[np.int64]


def ngram_differences(chosen: Sequence[str], rejected: Sequence[str]) -> NGrams:
    """Presence of words and of pairs of neighbouring words in one answer of each pair only.

    Args:
        chosen: Preferred answers. [M]
        rejected: The others. [M]
    """
    from scipy import sparse

    m = len(chosen)
    words, lengths, vocabulary = _coded([*chosen, *rejected])
    text = np.repeat(np.arange(2 * m), lengths)
    size = len(vocabulary)
    neighbour = text[1:] == text[:-1]
    pairs = words[:-1][neighbour] * size + words[1:][neighbour] + size  # above all single words
    gram = np.concatenate([words, pairs])
    owner = np.concatenate([text, text[1:][neighbour]])
    known, column = _numbered(gram)
    cell = np.sort(owner * len(known) + column)
    cell = cell[np.append(True, cell[1:] != cell[:-1])] if len(cell) else cell
    owner, column = cell // max(len(known), 1), cell % max(len(known), 1)
    in_texts = np.bincount(column, minlength=len(known))
    sign = np.where(owner < m, 1, -1)
    both = sparse.csr_matrix((sign.astype(np.float32), (owner % max(m, 1), column)), shape=(m, len(known)))
    both.eliminate_zeros()  # equal on both sides: 1 − 1
    used = np.bincount(both.indices, minlength=len(known))
    kept = np.flatnonzero(used >= min(LEAST, max(m // 20, 1)))
    kept = np.sort(kept[np.argsort(-used[kept], kind="stable")[:MOST]])
    delta = both[:, kept].tocsr()
    positive = np.bincount(delta.indices[delta.data > 0], minlength=len(kept))
    weight = np.log((1 + 2 * m) / (1 + in_texts[kept])) + 1
    delta = (delta @ sparse.diags(weight / 4)).tocsr()
    names = [_name(int(code), size, vocabulary) for code in known[kept]]
    return NGrams(delta, names, positive, used[kept] - positive)


def _numbered(gram: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct codes, ascending, and the place of each occurrence among them."""
    order = np.argsort(gram, kind="stable")
    new = np.append(True, gram[order][1:] != gram[order][:-1]) if len(gram) else np.zeros(0, bool)
    place = np.empty(len(gram), np.int64)
    place[order] = np.cumsum(new) - 1
    return gram[order][new], place


def _name(code: int, size: int, vocabulary: Sequence[str]) -> str:
    if code < size:
        return vocabulary[code]
    return f"{vocabulary[(code - size) // size]} {vocabulary[(code - size) % size]}"


def _coded(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Codes of all words, words of each text, and the words by code; signs are words, `^` and `$` stand around."""
    import pyarrow as pa
    import pyarrow.compute as pc

    given = pc.utf8_slice_codeunits(pa.array(texts, pa.string()), 0, 6 * WORDS)
    spaced = pc.replace_substring_regex(pc.utf8_lower(given), rf"([^\pL\pN\s'’]|{UNSPACED})", r" \1 ")
    framed = pc.binary_join_element_wise("^", spaced, "$", " ")
    words = pc.ascii_split_whitespace(framed)
    lengths = pc.list_value_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    coded = words.flatten().dictionary_encode()
    return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), lengths, coded.dictionary.to_pylist()
