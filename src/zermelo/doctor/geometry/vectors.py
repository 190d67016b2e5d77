"""Texts as points: TF–IDF reduced to 64 numbers, or sentence embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.stats.neighbours import Neighbours

__all__ = ["Points", "points_of", "reduced"]

MOST = 5_000  # pairs
WIDTH = 64
K = 10


@dataclass(frozen=True)
class Points:
    """The answers of some pairs as points, in order of the file, and their nearest neighbours.

    Args:
        row: Position of the group. [N]
        text: The answers. [N]
        features: [N, D]
        neighbours: Of each answer.
        of: How many pairs there are in all.
    """

    row: NDArray[np.int64]
    text: tuple[str, ...]
    features: NDArray[np.float32]
    neighbours: Neighbours
    of: int


def points_of(case: Case) -> Points | None:
    """Both answers of at most 5,000 pairs, equal texts once; None where fewer than 30 differ."""
    from zermelo.stats.neighbours import nearest_neighbours

    sample = case.sample
    kept = range(len(sample))
    if len(sample) > MOST:
        drawn = np.random.default_rng((case.seed, 64)).choice(len(sample), MOST, replace=False)
        kept = np.sort(drawn).tolist()  # type: ignore[assignment]
    first: dict[str, int] = {}
    for at in kept:
        for text in (sample.chosen[at], sample.rejected[at]):
            if text.strip():
                first.setdefault(text, int(sample.row[at]))
    if len(first) < 3 * K:
        return None
    features = reduced(tuple(first), case.encoder, case.seed)
    near = nearest_neighbours(features, k=K, seed=case.seed)
    return Points(np.fromiter(first.values(), np.int64), tuple(first), features, near, sample.of)


def reduced(texts: tuple[str, ...], encoder: str, seed: int) -> NDArray[np.float32]:
    """64 numbers for each text by singular value decomposition of its TF–IDF, or its embedding. [N, D]"""
    from zermelo.doctor.noise.features import embeddings, word_features

    if encoder != "tfidf":
        return embeddings(texts, encoder)
    from sklearn.decomposition import TruncatedSVD

    counts = word_features(texts)
    width = min(WIDTH, counts.shape[1] - 1, len(texts) - 1)
    if width < 2:
        return np.asarray(counts.toarray(), np.float32)
    return np.asarray(TruncatedSVD(width, n_iter=3, random_state=seed).fit_transform(counts), np.float32)
