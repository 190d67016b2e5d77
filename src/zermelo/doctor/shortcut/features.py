"""What a text looks like from afar: format and style, counted without reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["FORMAT", "STYLE", "measured"]

MOST = 6_000  # characters looked at
LIST = re.compile(r"^[ \t]*(?:[-*•+]|\d{1,2}[.)])[ \t]+\S", re.MULTILINE)
HEADER = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
WORD = re.compile(r"[^\W\d_]+")
HEDGES = (
    "maybe perhaps possibly probably might could may seems seem likely unlikely apparently generally"
    " usually often somewhat sometimes think believe guess unsure suggest suggests appears roughly"
    " arguably tend tends"
)
SURE = "certainly definitely absolutely clearly obviously always never undoubtedly sure exactly"
THANKS = re.compile(r"(?i)\b(?:please|thank(?:s| you)|happy to|glad to|great question|hope this helps|feel free)\b")

Measures = dict[str, Callable[[str], float]]


def _log(count: float) -> float:
    return float(np.log1p(count))


def _share(said: str) -> Callable[[str], float]:
    words = frozenset(said.split())

    def share(text: str) -> float:
        found = [word.lower() for word in WORD.findall(text)]
        return 100 * sum(word in words for word in found) / max(len(found), 1)

    return share


FORMAT: Measures = {
    "list items": lambda text: _log(len(LIST.findall(text))),
    "code blocks": lambda text: _log(text.count("```") / 2),
    "inline code": lambda text: _log(max(text.count("`") - 3 * text.count("```"), 0) / 2),
    "headers": lambda text: _log(len(HEADER.findall(text))),
    "bold": lambda text: _log(len(BOLD.findall(text))),
    "tables": lambda text: _log(len(TABLE.findall(text))),
    "paragraphs": lambda text: _log(len([part for part in text.split("\n\n") if part.strip()])),
    "line breaks": lambda text: 100 * text.count("\n") / max(len(text), 1),
    "links": lambda text: _log(text.count("http")),
}
"""Name → measure of a text's format."""

STYLE: Measures = {
    "exclamation marks": lambda text: _log(text.count("!")),
    "question marks": lambda text: _log(text.count("?")),
    "commas a character": lambda text: 100 * text.count(",") / max(len(text), 1),
    "capitals a letter": lambda text: 100 * sum(map(str.isupper, text)) / max(len(text), 1),
    "digits a character": lambda text: 100 * sum(map(str.isdigit, text)) / max(len(text), 1),
    "quotes": lambda text: _log(text.count('"') + text.count("“")),
    "emoji": lambda text: _log(sum(ord(sign) >= 0x1F300 for sign in text)),
    "hedges in 100 words": _share(HEDGES),
    "certainty in 100 words": _share(SURE),
    "first person in 100 words": _share("i me my we our"),
    "you in 100 words": _share("you your yours"),
    "politeness": lambda text: _log(len(THANKS.findall(text))),
    "mean word": lambda text: float(np.mean([len(word) for word in text.split()] or [0])),
    "ends in a question": lambda text: float(text.rstrip().endswith("?")),
}
"""Name → measure of a text's style."""


def measured(texts: Sequence[str], measures: Measures) -> NDArray[np.float64]:
    """Measures of texts, the first 6,000 characters of each. [T, F]"""
    made = [[measure(text) for measure in measures.values()] for text in (text[:MOST] for text in texts)]
    return np.array(made, np.float64).reshape(len(texts), len(measures))
