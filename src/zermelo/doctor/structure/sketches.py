"""Near-equal texts among hundreds of thousands: one pass of hashing, 512 bytes a text, in seconds.

A text is its set of word triples (five characters running where a script puts no spaces). Its sketch is one-permutation
MinHash: every hash falls into one of 128 bins and each bin keeps its smallest; the share of bins that two texts agree
in, of those that either has filled, estimates the Jaccard similarity of their sets (standard error ≤ 0.045). Candidates
agree in six running bins, empty ones filled from the next full one.

Source: Li, Owen, Zhang, "One Permutation Hashing", NeurIPS 2012; Shrivastava, Li, "Densifying One Permutation Hashing
via Rotation for Fast Near Neighbor Search", ICML 2014.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.structure.rows import Hashes, hashed, mixed

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.doctor.case import Case

__all__ = ["BINS", "EMPTY", "near_clusters", "similarity", "sketch", "sketches_of"]

BINS, BAND = 128, 6
EMPTY = np.uint32(0xFFFFFFFF)
SHINGLE, CHARACTERS = 3, 5
SPACED = 14  # characters a word from which a text has no spaces between its words
AHEAD, AT_ONCE = 4, 1_000
FACTORS = tuple(
    np.uint64(f) for f in (1, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)
)
Sketches = NDArray[np.uint32]


def sketch(text: pa.Array) -> Sketches:
    """Sketches of Arrow strings. [T, 128]"""
    import pyarrow.compute as pc

    result = np.full((len(text), BINS), EMPTY, np.uint32)
    if not len(text):
        return result
    words = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(pc.ascii_lower(text)))
    counts = pc.list_value_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    long = pc.utf8_length(text).to_numpy(zero_copy_only=False) > SPACED * counts
    coded = words.flatten().dictionary_encode()
    known = hashed(coded.dictionary.to_pylist())
    codes = coded.indices.to_numpy(zero_copy_only=False)
    _drop_in(result, known[codes] if len(known) else np.zeros(0, np.uint64), counts, SHINGLE)
    dense = np.flatnonzero(long)
    if len(dense):
        signs = [np.frombuffer(item.encode("utf-32-le", "replace"), np.uint32) for item in text.take(dense).to_pylist()]
        some = np.full((len(dense), BINS), EMPTY, np.uint32)
        lengths = np.array([len(item) for item in signs], np.int64)
        _drop_in(some, mixed(np.concatenate(signs).astype(np.uint64) + np.uint64(1)), lengths, CHARACTERS)
        result[dense] = some
    blank = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(text)), 0).to_numpy(zero_copy_only=False).astype(bool)
    result[blank] = EMPTY
    return result


def _drop_in(result: Sketches, units: Hashes, counts: NDArray[np.int64], width: int) -> None:
    """The runs of `width` units of each text, the smallest of each bin; a shorter text is one run."""
    ends = np.cumsum(counts)
    n_runs = np.where(counts >= width, counts - width + 1, np.minimum(counts, 1))
    owner = np.repeat(np.arange(len(counts)), n_runs)
    if not len(owner):
        return
    place = np.arange(len(owner)) + np.repeat(ends - counts - (np.cumsum(n_runs) - n_runs), n_runs)
    padded = np.concatenate([units, np.zeros(width, np.uint64)])
    total = padded[place] * FACTORS[0]
    short = counts[owner] < width
    for step in range(1, width):
        following = padded[place + step] * FACTORS[step]
        total += np.where(short & (place + step >= ends[owner]), np.uint64(0), following) if short.any() else following
    total = mixed(total)
    cell = owner * BINS + (total & np.uint64(BINS - 1)).astype(np.int64)
    smallest = (total >> np.uint64(32)).astype(np.uint32)
    np.minimum.at(result.reshape(-1), cell, np.minimum(smallest, EMPTY - np.uint32(1)))


def similarity(sketches: Sketches, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Estimated Jaccard similarity of some pairs of texts."""
    result = np.zeros(len(left))
    for start in range(0, len(left), 50_000):
        a, b = sketches[left[start : start + 50_000]], sketches[right[start : start + 50_000]]
        filled = ((a != EMPTY) | (b != EMPTY)).sum(1)
        result[start : start + 50_000] = ((a == b) & (a != EMPTY)).sum(1) / np.maximum(filled, 1)
    return result


def near_clusters(sketches: Sketches, *, similar: float = 0.8) -> NDArray[np.int64]:
    """Cluster number of each text; texts with an estimated similarity of at least `similar` are linked, links chain.

    Args:
        sketches: [T, 128]; a text without a word is linked to none.
        similar: In (0, 1].
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(sketches)
    if not n:
        return np.zeros(0, np.int64)
    left, right = _candidates(sketches)
    near = similarity(sketches, left, right) >= similar - 1e-9
    links = coo_matrix((np.ones(near.sum(), bool), (left[near], right[near])), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _candidates(sketches: Sketches) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct pairs that agree in a band: each member of a bucket with the first and with its neighbour."""
    full = np.flatnonzero((sketches != EMPTY).any(1))
    bands = BINS // BAND
    values = np.zeros((bands, len(full)), np.uint64)
    for start in range(0, len(full), 20_000):
        values[:, start : start + 20_000] = _bands(sketches[full[start : start + 20_000]], bands)
    pairs = []
    for value in values:
        order = np.argsort(value, kind="stable")
        same = value[order][1:] == value[order][:-1]
        begins = np.maximum.accumulate(np.where(np.append(True, ~same), np.arange(len(order)), 0))
        for other in (order[:-1][same], order[begins][1:][same]):
            one = order[1:][same]
            pairs.append(np.minimum(one, other) * len(full) + np.maximum(one, other))
    found = np.unique(np.concatenate([np.zeros(0, np.int64), *pairs]))
    return full[found // max(len(full), 1)], full[found % max(len(full), 1)]


def _bands(sketches: Sketches, bands: int) -> Hashes:
    """A hash of each band, empty bins filled from the next full one. [bands, T]"""
    twice = np.concatenate([sketches, sketches], axis=1)
    place = np.where(twice != EMPTY, np.arange(2 * BINS), 2 * BINS - 1)
    place = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1][:, :BINS]
    filled = np.take_along_axis(twice, place, 1).astype(np.uint64)
    filled += (place - np.arange(BINS)).astype(np.uint64) << np.uint64(32)
    values = np.zeros((bands, len(sketches)), np.uint64)
    for band in range(bands):
        for column in range(band * BAND, band * BAND + BAND):
            values[band] = mixed(values[band] + filled[:, column] + np.uint64(1))
    return values


def sketches_of(case: Case, rows: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.int64], Sketches]:
    """Row, response (−1: the prompt) and sketch of every text of some rows, in one streaming pass.

    Args:
        case: The data.
        rows: Positions, ascending; None for all.
    """
    from dataclasses import replace

    import pyarrow as pa
    import pyarrow.compute as pc

    from zermelo.doctor.scan import PROMPT, text_batches
    from zermelo.feedback.texts import texts_of

    def looked(positions: NDArray[np.int64], prompts: pa.Array, responses: pa.Array) -> tuple[NDArray[np.generic], ...]:
        answers = texts_of(positions, responses)
        row = np.concatenate([positions, answers.column("row").to_numpy()])
        index = np.concatenate([np.full(len(positions), PROMPT), answers.column("response").to_numpy()])
        text = pa.concat_arrays([prompts.cast(pa.string()), answers.column("text")])
        known = pc.is_valid(text).to_numpy(zero_copy_only=False).astype(bool)
        return row[known], index[known], sketch(text.filter(pa.array(known)))

    feedback = case.feedback if rows is None else replace(case.feedback, rows=rows)
    parts: list[tuple[NDArray[np.generic], ...]] = []
    with ThreadPoolExecutor(2) as pool:
        waiting = []
        for batch in text_batches(feedback):
            waiting.append(pool.submit(looked, *batch))
            if len(waiting) >= AHEAD:
                parts.append(waiting.pop(0).result())
        parts += [item.result() for item in waiting]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, BINS), np.uint32)
    row, index, made = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return row.astype(np.int64), index.astype(np.int64), made.astype(np.uint32, copy=False)
