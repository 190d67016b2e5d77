"""How different are several texts from one another? All measures: 0 = all alike, 1 = nothing shared, unless said."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["distinct_n", "jaccard_diversity", "self_bleu", "unique_share", "words"]

_WORD = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> list[str]:
    """Lower-case words and single marks of punctuation."""
    return _WORD.findall(text.lower())


def unique_share(texts: Sequence[str]) -> float:
    """Different texts / texts, white space at the ends not counting. NaN for none."""
    return len({text.strip() for text in texts}) / len(texts) if texts else math.nan


def distinct_n(texts: Sequence[str], *, n: int = 2) -> float:
    """Different n-grams / n-grams over all texts together; falls with the amount of text, so compare equal amounts.

    Source: Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", 2016.
    """
    grams = [gram for text in texts for gram in _grams(words(text), n)]
    return len(set(grams)) / len(grams) if grams else math.nan


def jaccard_diversity(texts: Sequence[str], *, n: int = 1) -> float:
    """Mean over pairs of 1 − |A ∩ B| / |A ∪ B| of their sets of n-grams; two empty texts are alike."""
    sets = [set(_grams(words(text), n)) for text in texts]
    gaps = [1 - len(a & b) / len(a | b) if a | b else 0.0 for i, a in enumerate(sets) for b in sets[i + 1 :]]
    return sum(gaps) / len(gaps) if gaps else math.nan


def self_bleu(texts: Sequence[str], *, n: int = 4) -> float:
    """Mean BLEU of each text with all the others as references: 1 = copies, towards 0 = *diverse*.

    Uniform weights over 1…n-grams, clipped counts, add-one smoothing for n > 1 so that short texts have a value,
    brevity penalty against the nearest reference length.

    Source: Zhu et al., "Texygen", 2018; smoothing of Lin and Och, 2004.
    """
    tokens = [words(text) for text in texts]
    if len(tokens) < 2:
        return math.nan
    counts = [[Counter(_grams(words_, size)) for size in range(1, n + 1)] for words_ in tokens]
    scores = []
    for i, own in enumerate(counts):
        others = [counts[j] for j in range(len(counts)) if j != i]
        lengths = [len(tokens[j]) for j in range(len(counts)) if j != i]
        scores.append(_bleu(own, len(tokens[i]), others, lengths))
    return sum(scores) / len(scores)


def _bleu(own: list[Counter], length: int, others: list[list[Counter]], lengths: list[int]) -> float:
    if not length:
        return 1.0 if 0 in lengths else 0.0
    logs = 0.0
    for size, grams in enumerate(own):
        best: Counter = Counter()
        for other in others:
            best |= other[size]
        hits, total = sum((grams & best).values()), sum(grams.values())
        smooth = 1 if size else 0
        if hits + smooth == 0:
            return 0.0
        logs += math.log((hits + smooth) / (total + smooth)) / len(own)
    nearest = min(lengths, key=lambda other: (abs(other - length), other))
    return math.exp(logs + min(0.0, 1 - nearest / length))


def _grams(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))
