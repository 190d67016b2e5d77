"""Retrieval overlap: the documents that BM25 ranks first for an item, and the window in them that is most like it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, positive, unit_interval

__all__ = ["BM25Index", "Match", "RetrievalOverlap", "best_window", "rouge_l"]

WORD = re.compile(r"[^\W_¹²³]+")


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


@dataclass(frozen=True)
class BM25Index:
    """Okapi's BM25 in Lucene's form, without the constant factor k1 + 1.

        score(q, d) = Σ_{t ∈ q} ln(1 + (N − n_t + ½)/(n_t + ½)) · f / (f + k1 (1 − b + b |d| / mean |d|))

    Args:
        documents: Their words.
        k1: Saturation of the frequency of a term, > 0.
        b: How far length is divided out, in [0, 1].
    Raises:
        SettingError: a setting is out of range.
    Source: Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; the constants are those
        of "Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023, arXiv 2311.09783.
    """

    documents: Sequence[Sequence[str]]
    k1: float = 0.9
    b: float = 0.4

    def __post_init__(self) -> None:
        positive(self, "k1")
        unit_interval(self, "b")
        lengths = np.array([len(words) for words in self.documents], np.float64)
        mean = float(lengths.mean()) if len(lengths) else 1.0
        postings: dict[str, tuple[list[int], list[int]]] = {}
        for number, words in enumerate(self.documents):
            for word, count in Counter(words).items():
                places, counts = postings.setdefault(word, ([], []))
                places.append(number)
                counts.append(count)
        norm = self.k1 * (1 - self.b + self.b * lengths / max(mean, 1e-12))
        made = {}
        for word, (places, counts) in postings.items():
            at, f = np.array(places), np.array(counts, np.float64)
            idf = math.log(1 + (len(lengths) - len(at) + 0.5) / (len(at) + 0.5))
            made[word] = (at, idf * f / (f + norm[at]))
        object.__setattr__(self, "_postings", made)

    @classmethod
    def of(cls, texts: Sequence[str], *, k1: float = 0.9, b: float = 0.4) -> BM25Index:
        """The index of some texts."""
        return cls([_words(text) for text in texts], k1, b)

    def scores(self, query: str) -> NDArray[np.float64]:
        """Score of every document. [documents]"""
        found = np.zeros(len(self.documents))
        postings: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = self._postings  # type: ignore[attr-defined]
        for word in _words(query):
            if word in postings:
                at, weight = postings[word]
                found[at] += weight
        return found

    def top(self, query: str, n: int = 10) -> list[int]:
        """The documents of highest positive score, the best first."""
        scores = self.scores(query)
        order = np.argsort(-scores, kind="stable")[:n]
        return [int(at) for at in order if scores[at] > 0]


def rouge_l(reference: str, candidate: str) -> float:
    """F-measure of the longest common subsequence of words: P = lcs/|candidate|, R = lcs/|reference|, F = 2PR/(P+R).

    Words are lower-cased and not stemmed.

    Args:
        reference: What should be there.
        candidate: What is there.
    Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.
    """
    return _rouge(_words(reference), _words(candidate))


def _rouge(reference: Sequence[str], candidate: Sequence[str]) -> float:
    if not reference or not candidate:
        return 0.0
    return 2 * _lcs(_places(reference), len(reference), candidate) / (len(reference) + len(candidate))


def _places(words: Sequence[str]) -> dict[str, int]:
    """Word → its places, as bits."""
    found: dict[str, int] = {}
    for at, word in enumerate(words):
        found[word] = found.get(word, 0) | 1 << at
    return found


def _lcs(places: dict[str, int], size: int, candidate: Sequence[str]) -> int:
    """Length of the longest common subsequence, all columns of its table in the bits of one number.

    Source: Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
    """
    state = (1 << size) - 1
    for word in candidate:
        step = state & places.get(word, 0)
        state = (state + step) | (state - step)
    return size - (state & ((1 << size) - 1)).bit_count()


def best_window(item: str, document: str, *, least: float = 0.0) -> float:
    """Largest ROUGE-L between an item and a window of its length that slides over a document.

    Windows whose bag of words shares too little for a better one are passed over: LCS ≤ shared words.

    Args:
        item: What is looked for.
        document: Where.
        least: What is of no interest: 0 is returned where no window reaches it.
    """
    words, text = _words(item), _words(document)
    size = len(words)
    if not size or len(text) <= size:
        found = _rouge(words, text)
        return found if found >= least else 0.0
    need = Counter(words)
    if sum((need & Counter(text)).values()) < least * size:
        return 0.0
    places, have = _places(words), Counter(text[:size])
    shared = sum((need & have).values())
    best = 0.0
    for start in range(len(text) - size + 1):
        if start:
            gone, come = text[start - 1], text[start + size - 1]
            shared -= have[gone] <= need[gone]
            have[gone] -= 1
            have[come] += 1
            shared += have[come] <= need[come]
        if shared / size > best and shared / size >= least:
            best = max(best, _lcs(places, size, text[start : start + size]) / size)
    return best if best >= least else 0.0


@dataclass(frozen=True)
class Match:
    """The best place of one item.

    Args:
        score: ROUGE-L of the best window, 0 where no document shares a word.
        document: Number of the document, −1 for none.
    """

    score: float
    document: int


@dataclass(frozen=True)
class RetrievalOverlap:
    """Which items stand in a corpus: of the documents that BM25 ranks first, the window most like the item.

    Queries are the item and, where there is one, item and answer; ROUGE-L ≥ `threshold` is a hit.

    Args:
        n_documents: Documents looked at for each query.
        threshold: In [0, 1].
    Raises:
        SettingError: a setting is out of range.
    Source: "Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023, arXiv 2311.09783.
    """

    n_documents: int = 10
    threshold: float = 0.75

    def __post_init__(self) -> None:
        positive(self, "n_documents")
        unit_interval(self, "threshold")

    def matches(
        self, items: Sequence[str], documents: Sequence[str], *, answers: Sequence[str] | None = None
    ) -> list[Match]:
        """The best match of each item.

        Args:
            items: What was asked.
            documents: The corpus.
            answers: Gold answers, aligned with the items.
        Raises:
            SettingError: items and answers differ in number.
        """
        if answers is not None and len(answers) != len(items):
            raise SettingError("bad-shape", f"retrieval: {len(items)} items, {len(answers)} answers")
        index = BM25Index.of(documents)
        found = []
        for number, item in enumerate(items):
            queries = [item] + ([f"{item} {answers[number]}"] if answers is not None and answers[number] else [])
            places = dict.fromkeys(at for query in queries for at in index.top(query, self.n_documents))
            scored = [(best_window(item, documents[at]), -at) for at in places]
            score, at = max(scored, default=(0.0, 1))
            found.append(Match(score, -at))
        return found

    def hits(self, matches: Sequence[Match]) -> NDArray[np.bool_]:
        """Which items have a match at or above the threshold."""
        return np.array([match.score >= self.threshold for match in matches], bool)
