"""Writings that put no spaces between words: to whoever counts words, each of their letters is one."""

from __future__ import annotations

import re

__all__ = ["UNSPACED", "word_count"]

UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""A letter of such a writing, as RE2 (Arrow) says it."""

_LETTER = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)


def word_count(text: str) -> int:
    """About how many words: parts between spaces, or where there are none half of the letters, if that is more."""
    return max(len(text.split()), len(_LETTER.findall(text)) // 2)
