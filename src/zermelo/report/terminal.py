"""Tables on a terminal: text from data is text, whatever brackets or control codes it holds."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from zermelo.feedback.visible import visible
from zermelo.report.escape import shorten
from zermelo.report.numbers import number, percent
from zermelo.report.page import Cell, Column
from zermelo.stats.estimate import Estimate

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["print_table", "terminal_table", "terminal_text"]


def terminal_text(value: Cell, column: Column | None = None) -> str:
    """One cell as plain text without control codes."""
    how = column or Column("")
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Estimate):
        return value.format(percent=how.percent, digits=how.digits, signed=how.signed)
    if isinstance(value, int | float):
        if how.percent:
            return percent(value, digits=1 if how.digits is None else how.digits, signed=how.signed)
        return number(value, digits=how.digits, signed=how.signed)
    return visible(shorten(value, 400))


def terminal_table(
    rows: Sequence[Mapping[str, Cell]], columns: Sequence[Column | str] | None = None, *, title: str = ""
) -> Table:
    """A rich table; columns of numbers go to the right.

    Args:
        rows: Dictionaries.
        columns: Keys or `Column`s; default the keys of the first row.
        title: Above the table.
    """
    from rich.table import Table
    from rich.text import Text

    known = [c if isinstance(c, Column) else Column(c) for c in columns or list(rows[0] if rows else [])]
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        title=Text(visible(title)) if title else None,
        title_justify="left",
    )
    for column in known:
        words = any(isinstance(row.get(column.key), str) for row in rows)
        heading = column.title if column.title is not None else column.key
        table.add_column(
            Text(visible(heading)),
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=not words,
        )
    for row in rows:
        table.add_row(*(Text(terminal_text(row.get(column.key), column)) for column in known))
    return table


def print_table(
    rows: Sequence[Mapping[str, Cell]],
    columns: Sequence[Column | str] | None = None,
    *,
    title: str = "",
    file: TextIO | None = None,
) -> None:
    """Print a table to stdout or `file`; without colour and as wide as it needs where that is no terminal."""
    from rich.console import Console

    stream = sys.stdout if file is None else file
    wide = None if stream.isatty() else 240
    Console(file=stream, width=wide, markup=False, highlight=False).print(terminal_table(rows, columns, title=title))
