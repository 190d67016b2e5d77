"""Graded versions of an answer: growing shares of its key content removed (SPO)."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zermelo.errors import SettingError

__all__ = ["Degraded", "KeyContent", "degrade", "degrade_filler"]

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
STOP = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below between both but
    by can could did do does doing down during each few for from further had has have having he her here hers him
    his how i if in into is it its itself just me more most my no nor not now of off on once only or other our ours
    out over own same she should so some such than that the their theirs them then there these they this those
    through to too under until up very was we were what when where which while who whom why will with would you your
    yours
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class KeyContent:
    """Weights of words by how few texts use them: term frequency × inverse document frequency.

    Args:
        texts: Number of texts it was counted on.
        holding: Lower-case word → number of texts that hold it.
    """

    texts: int
    holding: Mapping[str, int]

    @classmethod
    def of(cls, texts: Iterable[str]) -> KeyContent:
        """Count a corpus."""
        holding: Counter[str] = Counter()
        n = 0
        for text in texts:
            n += 1
            holding.update({match.group().lower() for match in WORD.finditer(text)})
        return cls(n, dict(holding))

    def ranked(self, text: str) -> list[str]:
        """The text's key words, lower case, heaviest first; stop words never count, ties in order of appearance."""
        words = [match.group().lower() for match in WORD.finditer(text)]
        counts = Counter(word for word in words if word not in STOP)
        first = {word: place for place, word in reversed(list(enumerate(words)))}

        def weight(word: str) -> float:
            return counts[word] * (math.log((1 + self.texts) / (1 + self.holding.get(word, 0))) + 1)

        return sorted(counts, key=lambda word: (-weight(word), first[word]))


@dataclass(frozen=True)
class Degraded:
    """One graded version.

    Args:
        text: The answer with that much removed.
        degree: 0 = untouched, C − 1 = most removed.
        removed: Characters that are gone.
    """

    text: str
    degree: int
    removed: int


def degrade(text: str, key: KeyContent, *, classes: int = 3) -> tuple[Degraded, ...]:
    """The answer in `classes` degrees: degree c lacks its ⌊c·k/C⌋ heaviest of k key words, wherever they stand.

    The removed sets are nested, so the length falls with the degree. Answers with fewer key words than classes give
    nothing (their versions would coincide).

    Raises:
        SettingError: fewer than two classes.
    Source: "Self-supervised Preference Optimization: Enhance Your Language Model with Preference Degree Awareness",
        2024, arXiv 2409.17791 (the extraction and the number of classes are our choices).
    """
    if classes < 2:
        raise SettingError("bad-setting", f"classes must be at least 2. Got {classes!r}")
    ranked = key.ranked(text)
    if len(ranked) < classes:
        return ()
    versions = []
    for degree in range(classes):
        gone = set(ranked[: degree * len(ranked) // classes])
        kept = _without(text, gone) if gone else text
        versions.append(Degraded(kept, degree, len(text) - len(kept)))
    return tuple(versions) if all(WORD.search(version.text) for version in versions) else ()


def degrade_filler(text: str, key: KeyContent, *, characters: int, seed: int) -> str:
    """The control: remove about as many characters, of words that are not key content.

    If a head tells the degrees of these apart as well, it reads length, not content.
    """
    filler = sorted({match.group().lower() for match in WORD.finditer(text)} - set(key.ranked(text)))
    random.Random(seed).shuffle(filler)
    gone: set[str] = set()
    now = text
    for word in filler:
        if len(text) - len(now) >= characters:
            break
        gone.add(word)
        now = _without(text, gone)
    return now


def _without(text: str, gone: Sequence[str] | set[str]) -> str:
    words = set(gone)
    kept = WORD.sub(lambda match: "" if match.group().lower() in words else match.group(), text)
    kept = re.sub(r"[ \t]+([,.;:!?])", r"\1", re.sub(r"[ \t]{2,}", " ", kept))
    return re.sub(r"(?m)^[ \t]+|[ \t]+$", "", kept)
