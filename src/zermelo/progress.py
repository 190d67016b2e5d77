"""Progress bars on stderr: rich where it is a terminal, silent elsewhere. A root module, used by loops and commands.

with bars() as bar:
    advance = bar("sample", total=2500)
    advance(8, note="1.2k tokens/s")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["Advance", "Bar", "bars", "silent", "track"]

Item = TypeVar("Item")
Advance = Callable[..., None]  # advance(n=1, *, note="")
Bar = Callable[..., Advance]  # bar(description, total=None)


@contextmanager
def bars(*, shown: bool | None = None) -> Iterator[Bar]:
    """A display of several bars; yields `bar(description, total) -> advance(n, note=...)`.

    Args:
        shown: Force on or off; by default on where stderr is a terminal.
    """
    if not (sys.stderr.isatty() if shown is None else shown):
        yield silent
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:

        def bar(description: str, total: float | None = None) -> Advance:
            task = display.add_task(escape(description), total=total, note="")

            def advance(n: float = 1, *, note: str | None = None) -> None:
                if note is None:
                    display.update(task, advance=n)
                else:
                    display.update(task, advance=n, note=escape(note))

            return advance

        yield bar


def silent(description: str, total: float | None = None) -> Advance:
    """A bar that shows nothing."""

    def advance(n: float = 1, *, note: str | None = None) -> None:
        return None

    return advance


def track(items: Iterable[Item], description: str, *, total: int | None = None) -> Iterator[Item]:
    """Iterate with a bar."""
    known = total if total is not None else len(items) if isinstance(items, Sized) else None
    with bars() as bar:
        advance = bar(description, known)
        for item in items:
            yield item
            advance()
