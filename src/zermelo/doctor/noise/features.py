"""Text features of a probe: TF–IDF of words and of pairs of words, counted by Arrow in a few passes; what a reply takes
up of its prompt; its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.unspaced import UNSPACED

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["embeddings", "response_features", "word_features"]

CHUNK = 8_000  # texts tokenised at once
MOST_WORDS = 400  # of a text, from its beginning; a probe for audits need not read a book
PROMPT_CHARS = 2_000  # of a prompt, from its end: what was asked last
KEPT = 150_000  # embeddings in memory: 230 MB of MiniLM's
EMBEDDED = 0.5  # of embeddings, whose columns all vary in every text
STRESS = 3.0  # of the few dense columns over one of the many words
BITS = 20  # buckets of words; pairs of words have as many


_EMBEDDED: dict[tuple[str, bytes], NDArray[np.float32]] = {}


def word_features(texts: Sequence[str], *, n_features: int = 30_000, least: int = 3) -> Any:
    """Sparse [N, D], rows of length 1: (1 + log count) · idf of words and of pairs of neighbouring words.

    Args:
        texts: Any; nothing of them is kept but hashes.
        n_features: Most columns: those in most texts, words and pairs alike.
        least: Fewest texts that a column is in.
    """
    from scipy import sparse

    parts = [_counts(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
    if not parts:
        return sparse.csr_matrix((0, 1), dtype=np.float32)
    row = np.concatenate([part[0] + index * CHUNK for index, part in enumerate(parts)])
    bucket = np.concatenate([part[1] for part in parts])
    count = np.concatenate([part[2] for part in parts])
    in_texts = np.bincount(bucket, minlength=2 << BITS)
    known = np.flatnonzero((in_texts >= min(least, max(1, len(texts) // 2))) & (in_texts < 0.95 * len(texts) + 1))
    if len(known) > n_features:
        known = np.sort(known[np.argsort(-in_texts[known], kind="stable")[:n_features]])
    place = np.full(2 << BITS, -1, np.int32)
    place[known] = np.arange(len(known))
    column = place[bucket]
    kept = column >= 0
    idf = np.log((1 + len(texts)) / (1 + in_texts[known])) + 1
    value = ((1 + np.log(count[kept])) * idf[column[kept]]).astype(np.float32)
    found = sparse.csr_matrix((value, (row[kept], column[kept])), shape=(len(texts), max(len(known), 1)))
    length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    found.data /= np.repeat(np.where(length > 0, length, 1), np.diff(found.indptr)).astype(np.float32)
    return found


def response_features(prompts: Sequence[str], *sides: Sequence[str], encoder: str = "tfidf") -> Any:
    """Features of replies to prompts, the sides one after the other. [N · sides, D], CSR or dense

    Words, and pairs of words (or an embedding), then three columns: the share of the prompt's words that the reply
    takes up (weighted by idf²), how near both are by cosine, and log(1 + words) / 4.

    Args:
        prompts: [N]
        sides: Replies, each [N].
        encoder: `tfidf` or the name of a sentence encoder.
    """
    from scipy import sparse

    asked = [text[-PROMPT_CHARS:] for text in dict.fromkeys(prompts)]
    place = {text: index for index, text in enumerate(dict.fromkeys(prompts))}
    at = np.tile(np.array([place[text] for text in prompts], np.int64), len(sides))
    replies = [text for side in sides for text in side]
    x = word_features([*asked, *replies])
    prompt, reply = x[: len(asked)], x[len(asked) :]
    taken, near = _shared(prompt, reply, at)
    length = np.log1p(np.array([text.count(" ") + 1 for text in replies], np.float64)) / 4
    if encoder == "tfidf":
        dense = np.stack([STRESS * taken, STRESS * near, length], axis=1).astype(np.float32)
        return sparse.hstack([reply, sparse.csr_matrix(dense)], format="csr").astype(np.float32)
    embedded = embeddings([*asked, *replies], encoder)
    z, of = embedded[len(asked) :], embedded[: len(asked)][at]
    columns = np.stack([STRESS * taken, STRESS * (z * of).sum(axis=1), length], axis=1)
    return np.hstack([EMBEDDED * z, columns]).astype(np.float32)


def _shared(prompt: Any, reply: Any, at: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of the prompt's words that the reply holds, of all its weight; and the cosine. [N], [N]"""
    taken, near = np.zeros(reply.shape[0]), np.zeros(reply.shape[0])
    there = reply.copy()
    there.data = np.ones_like(there.data)
    squared = prompt.multiply(prompt).tocsr()
    for start in range(0, len(at), CHUNK):
        part = slice(start, start + CHUNK)
        taken[part] = np.asarray(squared[at[part]].multiply(there[part]).sum(axis=1)).ravel()
        near[part] = np.asarray(prompt[at[part]].multiply(reply[part]).sum(axis=1)).ravel()
    return taken, near


def embeddings(texts: Sequence[str], name: str) -> NDArray[np.float32]:
    """Sentence embeddings [N, D] by a named encoder (extra `embed`).

    A text is embedded once for all audits: its vector is kept under the hash of its content, the last `KEPT` of them.
    """
    import hashlib

    from zermelo.scorers.encoders import encoder

    keys = [(name, hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()) for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in _EMBEDDED}
    if missing or not texts:
        made = np.asarray(encoder(name).encode(list(missing.values())), np.float32)
        if not texts:
            return made
        _EMBEDDED.update(zip(missing, made, strict=True))
    found = np.stack([_EMBEDDED[key] for key in keys])
    for key in list(_EMBEDDED)[: max(len(_EMBEDDED) - KEPT, 0)]:
        del _EMBEDDED[key]
    return found


def _counts(texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Text, bucket and count of every word and pair of words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    given = pa.array(texts, pa.string())
    spaced = pc.replace_substring_regex(pc.utf8_lower(given), rf"([^\pL\pN\s]|{UNSPACED})", r" \1 ")
    words = pc.list_slice(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(spaced)), 0, MOST_WORDS)
    lengths = pc.list_value_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    row = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    flat = words.flatten()
    if len(texts) and (empty := pc.equal(flat, "").to_numpy(zero_copy_only=False)).any():  # a text without a word
        row, flat = row[~empty], flat.filter(pa.array(~empty))
    code = _codes(flat)
    neighbour = row[:-1] == row[1:]
    pair = (code[:-1] * np.uint64(0x9E3779B97F4A7C15) + code[1:] * np.uint64(0xC2B2AE3D27D4EB4F))[neighbour]
    shift = np.uint64(64 - BITS)
    bucket = np.concatenate([code >> shift, (pair >> shift) | np.uint64(1 << BITS)]).astype(np.int64)
    key, count = np.unique(np.concatenate([row, row[:-1][neighbour]]) << (BITS + 1) | bucket, return_counts=True)
    mask = (1 << (BITS + 1)) - 1
    return (key >> (BITS + 1)).astype(np.int32), (key & mask).astype(np.int32), count.astype(np.float32)


def _codes(words: pa.Array) -> NDArray[np.uint64]:
    """64 bits of every word, the same in every process. [T]"""
    import hashlib

    coded = words.dictionary_encode()
    own = (
        int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        for word in coded.dictionary.to_pylist()
    )
    table = np.fromiter(own, np.uint64, len(coded.dictionary))
    return table[coded.indices.to_numpy(zero_copy_only=False)] if len(table) else np.zeros(0, np.uint64)
