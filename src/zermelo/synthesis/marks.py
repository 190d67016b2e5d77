"""Which stretches of two texts differ: spans for losses on phrases (RRPO) and on faults (FAIT)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from zermelo.errors import SettingError

__all__ = ["Marks", "fault_marks", "id_marks", "phrase_marks", "token_marks"]

Stretch = tuple[int, int]  # characters: text[start:end]
PIECE = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Marks:
    """Stretches of characters in which two texts differ.

    Args:
        one: In the first text, ascending; an empty stretch where the other text has more.
        two: In the second text; the n-th belongs to the n-th of `one`.
    """

    one: tuple[Stretch, ...]
    two: tuple[Stretch, ...]


def phrase_marks(chosen: str, rejected: str) -> Marks:
    """Differing phrases of two texts, by words and punctuation; white space alone is no difference.

    Source: "Self-alignment of Large Video Language Models with Refined Regularized Preference Optimization", 2025,
        arXiv 2504.12083.
    """
    a, b = _pieces(chosen), _pieces(rejected)
    matcher = SequenceMatcher(None, [text for text, _ in a], [text for text, _ in b], autojunk=False)
    blocks = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return Marks(
        tuple(_stretch(a, i, j, len(chosen)) for _, i, j, _, _ in blocks),
        tuple(_stretch(b, i, j, len(rejected)) for _, _, _, i, j in blocks),
    )


def fault_marks(right: str, faulty: str, *, focus: Literal["line", "token", "both"] = "token") -> Marks:
    """Where a right program is sensitive: what a similar faulty one has otherwise.

    By token: stretches of the right side that the faulty one replaces or lacks; where the faulty side only inserts,
    the token right after the place of the insertion is marked, because the fault is to go on otherwise there. By
    line: whole lines of the right side that the faulty one does not have. White space within a line does not count.

    Raises:
        SettingError: focus is none of its choices.
    Source: "FAIT: Fault-Aware Fine-Tuning for Better Code Generation", 2025, arXiv 2503.16913.
    """
    if focus not in ("line", "token", "both"):
        raise SettingError("bad-setting", f"focus must be line, token or both. Got {focus!r}")
    one: list[Stretch] = []
    two: list[Stretch] = []
    if focus in ("token", "both"):
        found = phrase_marks(right, faulty)
        one += [_filled(stretch, right) for stretch in found.one]
        two += [_filled(stretch, faulty) for stretch in found.two]
    if focus in ("line", "both"):
        one += _own_lines(right, faulty)
        two += _own_lines(faulty, right)
    return Marks(_merged(one), _merged(two))


def id_marks(one: Sequence[int], two: Sequence[int], *, fill: bool = False) -> tuple[list[int], list[int]]:
    """Marks per token of two id sequences: n in the n-th stretch in which they differ, 0 in what they share.

    Args:
        one: Ids of the first text.
        two: Ids of the second.
        fill: Where a side has nothing of its own in a stretch, mark its next token (faults are to go on otherwise
            there).
    """
    marks: tuple[list[int], list[int]] = ([0] * len(one), [0] * len(two))
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    blocks = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    for number, (_, i, j, k, l) in enumerate(blocks, start=1):
        for side, (start, end) in zip(marks, ((i, j), (k, l)), strict=True):
            stop = min(start + 1, len(side)) if fill and start == end else end
            side[start:stop] = [number] * (stop - start)
    return marks


def token_marks(stretches: Iterable[Stretch], offsets: Sequence[Stretch], *, numbered: bool = False) -> list[int]:
    """Marks per token: 1 (or with `numbered` n) where a token overlaps the n-th stretch, else 0.

    Args:
        stretches: Stretches of characters; empty ones mark nothing.
        offsets: Characters of each token, as tokenizers give them.
        numbered: Number the stretches from 1.
    """
    marks = [0] * len(offsets)
    for number, (start, end) in enumerate(stretches, start=1):
        for token, (first, last) in enumerate(offsets):
            if first < end and start < last:
                marks[token] = number if numbered else 1
    return marks


def _pieces(text: str) -> list[tuple[str, Stretch]]:
    return [(match.group(), match.span()) for match in PIECE.finditer(text)]


def _stretch(pieces: list[tuple[str, Stretch]], i: int, j: int, end: int) -> Stretch:
    if i < j:
        return pieces[i][1][0], pieces[j - 1][1][1]
    at = pieces[i][1][0] if i < len(pieces) else end
    return at, at


def _filled(stretch: Stretch, text: str) -> Stretch:
    """An empty stretch becomes the piece that follows it (none at the end of the text)."""
    start, end = stretch
    if start < end:
        return stretch
    following = PIECE.search(text, start)
    return following.span() if following else stretch


def _own_lines(text: str, other: str) -> list[Stretch]:
    theirs = {" ".join(_words(line)) for line in other.splitlines()}
    found, at = [], 0
    for line in text.splitlines(keepends=True):
        words = _words(line)
        if words and " ".join(words) not in theirs:
            found.append((at + len(line) - len(line.lstrip()), at + len(line.rstrip())))
        at += len(line)
    return found


def _words(line: str) -> list[str]:
    return [match.group() for match in PIECE.finditer(line)]


def _merged(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    merged: list[Stretch] = []
    for start, end in sorted(stretch for stretch in stretches if stretch[0] < stretch[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
