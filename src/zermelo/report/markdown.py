"""Tables in Markdown; text from data never acts as Markdown or HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from zermelo.report.page import Cell, Column
from zermelo.report.terminal import terminal_text

__all__ = ["markdown_table", "markdown_text"]

_MARK = re.compile(r"([\\`*_{}\[\]<>|#~&])")


def markdown_text(text: str) -> str:
    """One line of plain text, every mark of Markdown escaped."""
    return _MARK.sub(r"\\\1", terminal_text(text))


def markdown_table(rows: Sequence[Mapping[str, Cell]], columns: Sequence[Column | str] | None = None) -> str:
    """A table; columns of numbers go to the right.

    Args:
        rows: Dictionaries.
        columns: Keys or `Column`s; default the keys of the first row.
    """
    known = [c if isinstance(c, Column) else Column(c) for c in columns or list(rows[0] if rows else [])]
    words = [any(isinstance(row.get(c.key), str) for row in rows) for c in known]
    head = [markdown_text(c.title if c.title is not None else c.key) for c in known]
    lines = [head, ["---" if w else "---:" for w in words]]
    for row in rows:
        cells = [row.get(c.key) for c in known]
        lines.append(
            [
                markdown_text(cell) if isinstance(cell, str) else terminal_text(cell, c)
                for cell, c in zip(cells, known, strict=True)
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
