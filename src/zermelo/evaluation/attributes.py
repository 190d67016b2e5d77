"""Attributes of a response that rules can read off its text, and how two responses compare in them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError

__all__ = ["ATTRIBUTES", "Scale", "attribute_differences", "attributes_of", "clearly_longer"]

Floats = NDArray[np.float64]
Scale: TypeAlias = Literal["comparison", "norm_diff"]
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# words of a shorter answer of at most 11 words → how many more the other needs to be clearly longer
FEW = {0: 1, 1: 3, 2: 5, 3: 7, 4: 8, 5: 10, 6: 11, 7: 13, 8: 14, 9: 16, 10: 17, 11: 19}


def _share(pattern: str, flags: int = re.IGNORECASE) -> Callable[[str, list[str]], float]:
    """Marks per word, so that a longer text has no more of them by being longer."""
    found = re.compile(pattern, flags)
    return lambda text, words: len(found.findall(text)) / max(len(words), 1)


def _formatted(text: str, words: list[str]) -> float:
    marks = re.findall(r"^\s*(?:[-*+]\s|\d+[.)]\s|#{1,6}\s)|\*\*[^*\n]+\*\*|^```", text, re.MULTILINE)
    return min(len(marks), 10) / 10


def _complex(text: str, words: list[str]) -> float:
    return sum(len(word) >= 8 for word in words) / max(len(words), 1)


def _varied(text: str, words: list[str]) -> float:
    """Share of word triples that occur once only: 1 where nothing is repeated."""
    low = [word.lower() for word in words]
    triples = list(zip(low, low[1:], low[2:], strict=False))
    return len(set(triples)) / len(triples) if triples else 1.0


ATTRIBUTES: Mapping[str, Callable[[str, list[str]], float]] = {
    "length": lambda text, words: float(len(words)),
    "formatted": _formatted,
    "complex words": _complex,
    "not repetitive": _varied,
    "steps": _share(r"\b(?:first|second|third|then|next|finally|step \d+)\b"),
    "support": _share(r"\b(?:for example|for instance|such as|e\.g\.|according to|because|https?://)"),
    "numbers": _share(r"(?<![\w.])\d[\d.,]*"),
    "admits limits": _share(
        r"\b(?:i(?:['’]?m| am) (?:sorry|not sure)|i (?:cannot|can['’]t|don['’]t know)|as an ai|unfortunately)\b"
    ),
    "polite": _share(r"\b(?:please|thank(?:s| you)|you['’]re welcome|glad to|happy to|i hope|feel free)\b"),
    "interactive": _share(r"\?"),
    "lively": _share(r"!"),
    "informal": _share(r"\b\w+['’](?:s|re|ve|ll|d|t|m)\b"),
    "you": _share(r"\byou(?:r|rs|rself)?\b"),
}
"""Name → rule on (text, its words). More of a mark is higher; counts of marks are taken per word."""


def attributes_of(texts: Sequence[str]) -> Floats:
    """Attributes of texts, columns in the order of `ATTRIBUTES`. [N, D]"""
    found = np.empty((len(texts), len(ATTRIBUTES)))
    for row, text in enumerate(texts):
        words = WORD.findall(text)
        found[row] = [rule(text, words) for rule in ATTRIBUTES.values()]
    return found


def clearly_longer(first: int, second: int) -> int:
    """+1 where the first number of words is clearly larger, −1 where the second is, 0 where neither.

    Up to 11 words a table says how many more are needed (1 for nothing, 19 for 11 words); above, the shorter is at most
    0.7, 0.8 or 0.9 of the longer and the gap at least 10, 20 or 40 words.
    """
    short, long = min(first, second), max(first, second)
    gap = long - short
    if short in FEW:
        clear = gap >= FEW[short]
    else:
        clear = any(short <= share * long and gap >= least for share, least in ((0.7, 10), (0.8, 20), (0.9, 40)))
    return (1 if first > second else -1) if clear else 0


def attribute_differences(
    first: Sequence[str], second: Sequence[str], *, scale: Scale = "comparison"
) -> tuple[Floats, tuple[str, ...]]:
    """First minus second in every attribute. [M, D] and the names [D]

    Args:
        first: Texts. [M]
        second: Texts. [M]
        scale: `comparison`: the sign, for length only where it is clear; `norm_diff`: the difference in standard
            deviations of all differences of that attribute, cut at ±3 and divided by 3; length is
            sign · min(1, ln(1 + |d|) / ln 501).
    Raises:
        DataError: as many texts are not there on both sides.
    """
    if len(first) != len(second):
        raise DataError("bad-shape", f"{len(first)} first and {len(second)} second texts; expected as many")
    if scale not in ("comparison", "norm_diff"):
        raise SettingError("bad-setting", f"scale must be 'comparison' or 'norm_diff'. Got {scale!r}")
    a, b = attributes_of(first), attributes_of(second)
    names = tuple(ATTRIBUTES)
    gap, at = a - b, names.index("length")
    if scale == "comparison":
        found = np.sign(np.where(np.abs(gap) > 1e-12, gap, 0.0))
        found[:, at] = [clearly_longer(int(x), int(y)) for x, y in zip(a[:, at], b[:, at], strict=True)]
        return found, names
    spread = np.sqrt((gap**2).mean(axis=0)) if len(gap) else np.ones(len(names))
    found = np.clip(gap / np.where(spread > 0, spread, 1), -3, 3) / 3
    found[:, at] = np.sign(gap[:, at]) * np.minimum(1, np.log1p(np.abs(gap[:, at])) / math.log(501))
    return found, names
