"""`zermelo methods`: the catalogue in the terminal."""

from __future__ import annotations

import importlib
import inspect
import json
from typing import Any

import typer

from zermelo.catalogue import Entry, catalogue
from zermelo.errors import SettingError, nearest

__all__ = ["methods"]


def methods(
    which: list[str] = typer.Argument(None, metavar="[ID|NAME]...", help="Show these in full: docstring, file, claim."),
    missing: bool = typer.Option(False, "--missing", help="Only those that are not done."),
    base: bool = typer.Option(False, "--base", help="The base methods (DPO, Elo, …) instead."),
    as_json: bool = typer.Option(False, "--json", help="One JSON list on stdout."),
) -> None:
    """List the published methods: what is done, where it lives, which test and claim hold it.

    zermelo methods M103     docstring, source, file and claim of one method
    zermelo methods --missing
    """
    entries = [_find(word) for word in which] if which else [e for e in catalogue().values() if e.base == base]
    if missing:
        entries = [entry for entry in entries if entry.status != "done"]
    if as_json:
        typer.echo(json.dumps([_row(entry) for entry in entries], ensure_ascii=False, indent=1))
    elif which:
        for entry in entries:
            _show(entry)
    else:
        _table(entries)


def _find(word: str) -> Entry:
    known = catalogue()
    if word in known:
        return known[word]
    for entry in known.values():
        if word in entry.names:
            return entry
    words = [*known, *(name for entry in known.values() for name in entry.names)]
    guess = nearest(word, words)
    raise SettingError("unknown-name", f"no method {word!r}", hint=f"did you mean `{guess}`?" if guess else None)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "source": entry.source,
        "status": entry.status,
        "names": dict(entry.names),
        "test": entry.test or None,
        "claim": entry.claim or None,
    }


def _table(entries: list[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("id", "status", "title", "names"):
        table.add_column(column, no_wrap=column in ("id", "status"))
    for entry in entries:
        table.add_row(Text(entry.id), Text(entry.status), Text(entry.title), Text(", ".join(entry.names)))
    Console().print(table)
    done = sum(entry.status == "done" for entry in entries)
    partial = sum(entry.status == "partial" for entry in entries)
    typer.echo(f"{len(entries)} methods: {done} done, {partial} partial, {len(entries) - done - partial} missing")


def _show(entry: Entry) -> None:
    typer.echo(f"{entry.id} · {entry.title}\n{entry.source}\nstatus: {entry.status}")
    for name, target in entry.names.items():
        module, _, attribute = target.partition(":")
        found = importlib.import_module(f"zermelo.{module}")
        value = getattr(found, attribute)
        typer.echo(f"\n{name}: zermelo.{target}\n{found.__file__}\n{inspect.getdoc(value) or ''}")
    if entry.test:
        typer.echo(f"\ntest: {entry.test}")
    if entry.claim:
        typer.echo(f"claim: zermelo claims run {entry.id}")
