"""Which texts are nearly the same? Word triples, MinHash, and an exact check of every candidate pair.

Texts are lower-cased bytes. A word is a run of ASCII letters and digits, or one character beyond ASCII (so that
scripts without spaces are cut too), or one sign that carries meaning (`3 + 4` is not `3 - 4`); spaces and the marks of
sentences do not count. All hashing is done on one buffer in NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zermelo.feedback.records import Prompt

__all__ = ["clusters", "plain_prompt"]

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

SHINGLE = 3  # words
SIGNS = rb"#$%&()*+-/<=>@[\]^_`{|}~"
BANDS, ROWS = 12, 4  # a pair of similarity s is a candidate with probability 1 − (1 − s⁴)¹²: 0.998 at 0.8, 0.55 at 0.5
CHUNK = 20_000  # texts hashed at once


def plain_prompt(prompt: Prompt | None) -> str:
    """A prompt's words: its text, or the contents of its turns."""
    if prompt is None or isinstance(prompt, str):
        return prompt or ""
    return "\n".join(message.content for message in prompt)


def clusters(texts: Sequence[str], *, similarity: float = 0.8) -> Ints:
    """Cluster number of each text; numbers count from 0 in order of first appearance. [N]

    Texts whose sets of word triples have a Jaccard similarity of at least `similarity` are linked, and links chain.
    Texts of fewer than three words are compared as a whole.

    Args:
        texts: In an order of their own: which candidates are compared depends on it a little.
        similarity: In (0, 1]; 1 links only texts with equal sets.
    """
    parent = np.arange(len(texts))
    starts, shingles, signatures = _signed(texts)
    for left, right in _candidates(signatures):
        a, b = _root(parent, left), _root(parent, right)
        if a == b:
            continue
        one, other = shingles[starts[left] : starts[left + 1]], shingles[starts[right] : starts[right + 1]]
        shared = len(np.intersect1d(one, other, assume_unique=True))
        if shared >= similarity * (len(one) + len(other) - shared) - 1e-9:
            parent[max(a, b)] = min(a, b)
    roots = np.array([_root(parent, i) for i in range(len(texts))], dtype=np.int64)
    _, first, number = np.unique(roots, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number].astype(np.int64)


def _signed(texts: Sequence[str]) -> tuple[Ints, Hashes, Hashes]:
    """Bounds of each text's shingles [N + 1], the distinct shingles of each text, and its MinHash signature."""
    bounds: list[Ints] = [np.zeros(1, dtype=np.int64)]
    shingles: list[Hashes] = []
    signatures: list[Hashes] = []
    for at in range(0, len(texts), CHUNK):
        ends, distinct = _shingles(texts[at : at + CHUNK])
        signatures.append(_minhash(ends, distinct))
        bounds.append(ends + bounds[-1][-1])
        shingles.append(distinct)
    empty = np.zeros(0, dtype=np.uint64)
    signed = np.concatenate(signatures) if signatures else np.zeros((0, BANDS * ROWS), dtype=np.uint64)
    return np.concatenate(bounds), np.concatenate([empty, *shingles]), signed


def _shingles(texts: Sequence[str]) -> tuple[Ints, Hashes]:
    """End of each text's shingles [N], and the distinct hashes of its word triples, ascending within a text."""
    pieces = [text.lower().encode("utf-8", "replace") for text in texts]
    data = np.frombuffer(b"\n".join(pieces) + b"\n", dtype=np.uint8)
    ascii_letter = ((data >= 97) & (data <= 122)) | ((data >= 48) & (data <= 57))
    sign = np.isin(data, np.frombuffer(SIGNS, dtype=np.uint8))
    begins_run = ascii_letter.copy()
    begins_run[1:] &= ~ascii_letter[:-1]
    begins = np.flatnonzero(begins_run | sign | (data >= 192))  # 192 and above: first byte of a character
    in_word = np.cumsum(ascii_letter | sign | (data >= 128))
    following = np.append(begins[1:], len(data))
    lengths = in_word[following - 1] - in_word[begins] + 1
    words = _run_hashes(data, begins, lengths)
    text_of = np.searchsorted(np.cumsum([len(piece) + 1 for piece in pieces]), begins, side="right")
    n_words = np.bincount(text_of, minlength=len(texts)).astype(np.int64)
    triples, owner = _triples(words, n_words)
    order = np.lexsort((triples, owner))
    triples, owner = triples[order], owner[order]
    new = np.ones(len(triples), dtype=bool)
    new[1:] = (triples[1:] != triples[:-1]) | (owner[1:] != owner[:-1])
    return np.cumsum(np.bincount(owner[new], minlength=len(texts))).astype(np.int64), triples[new]


def _run_hashes(data: NDArray[np.uint8], begins: Ints, lengths: Ints) -> Hashes:
    """A 64-bit hash of every run of bytes, from one pass: Σ byte · Bʲ, times B to the minus its beginning (mod 2⁶⁴)."""
    base = np.uint64(0x9E3779B97F4A7C15)
    inverse = np.uint64(pow(int(base), -1, 1 << 64))
    powers = np.cumprod(np.full(len(data), base, dtype=np.uint64))
    back = np.cumprod(np.full(len(data), inverse, dtype=np.uint64))
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum((data.astype(np.uint64) + np.uint64(1)) * powers)])
    return _mixed((total[begins + lengths] - total[begins]) * back[begins])


def _triples(words: Hashes, n_words: Ints) -> tuple[Hashes, Ints]:
    """Hashes of the word triples of each text, and whose they are; a text of fewer words is one shingle."""
    ends = np.cumsum(n_words)
    starts = ends - n_words
    padded = np.concatenate([words, np.zeros(SHINGLE, np.uint64)])
    long = n_words >= SHINGLE
    counts = np.where(long, n_words - SHINGLE + 1, 1)
    before = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(n_words)), counts)
    place = np.arange(int(counts.sum())) - before[owner] + starts[owner]
    result = np.zeros(len(place), dtype=np.uint64)
    for step, factor in enumerate((1, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)):
        inside = place + step < ends[owner]
        result += np.where(inside, padded[np.minimum(place + step, len(padded) - 1)], 0) * np.uint64(factor)
    return _mixed(result), owner


def _minhash(ends: Ints, shingles: Hashes) -> Hashes:
    """The smallest value of each text's shingles under each of BANDS × ROWS hash functions. [N, BANDS·ROWS]"""
    rng = np.random.default_rng(1929)
    factors = rng.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    columns = [np.minimum.reduceat(_mixed(shingles * factor), starts) for factor in factors]
    return np.stack(columns, 1) if len(ends) else np.zeros((0, BANDS * ROWS), np.uint64)


def _candidates(signatures: Hashes) -> list[tuple[int, int]]:
    """Pairs that agree in one band: each member of a bucket with the first and with its neighbour."""
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS):
        block = signatures[:, band * ROWS : (band + 1) * ROWS]
        value = np.zeros(len(block), dtype=np.uint64)
        for column in range(ROWS):
            value = _mixed(value + block[:, column])
        order = np.argsort(value, kind="stable")
        same = value[order][1:] == value[order][:-1]
        begins = np.flatnonzero(np.append(True, ~same))
        first = order[begins[np.searchsorted(begins, np.arange(len(order)), side="right") - 1]]
        left, right = order[:-1][same], order[1:][same]
        head = first[1:][same]
        pairs.update(zip(left.tolist(), right.tolist(), strict=True))
        pairs.update(zip(head.tolist(), right.tolist(), strict=True))
    return sorted(pairs)


def _mixed(values: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the value (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _root(parent: Ints, item: int) -> int:
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = int(parent[item])
    return item
