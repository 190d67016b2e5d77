"""The catalogue of published methods: `catalogue.toml`, read once; also the lazy registry of names.

Each entry says where a method lives (`names`), which test holds its oracle and which claim measures its effect.
"""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from zermelo.errors import SettingError, nearest

__all__ = ["Entry", "catalogue", "names", "resolve"]


@dataclass(frozen=True)
class Entry:
    """One published method.

    Args:
        id: M001…M165, or the name of a base method.
        title: As published.
        source: Title, year, arXiv or venue.
        names: Public name → `module:attribute` below `zermelo`.
        test: The test that holds the oracle (`tests/…::name`), '' while missing.
        claim: Module of the claim in `zermelo.claims`, '' while missing.
        base: True for methods that are older than the catalogue (DPO, Elo, …).
    """

    id: str
    title: str
    source: str
    names: Mapping[str, str] = field(default_factory=dict)
    test: str = ""
    claim: str = ""
    base: bool = False

    @property
    def status(self) -> Literal["done", "partial", "missing"]:
        """`done`: names, test and claim (a base method needs no claim); `partial`: some of it."""
        if self.names and self.test and (self.claim or self.base):
            return "done"
        return "partial" if self.names else "missing"


@cache
def catalogue() -> dict[str, Entry]:
    """id → entry, in the order of the file: the numbered methods, then the base methods."""
    raw = tomllib.loads((files("zermelo") / "catalogue.toml").read_text(encoding="utf-8"))
    return {key: Entry(id=key, **value) for key, value in raw.items()}


@cache
def names() -> dict[str, str]:
    """Public name → `module:attribute` below `zermelo`, of every method."""
    return {name: target for entry in catalogue().values() for name, target in entry.names.items()}


def resolve(name: str, *, kind: str | None = None) -> Any:
    """The object that a name stands for: a catalogue name (`simpo`) or an import path (`my_package.losses:MyLoss`).

    Args:
        name: Name or `module:attribute`; a module that is not installed is looked for in the current folder.
        kind: Only names whose target starts so (`objectives.`); for messages and 'did you mean'.
    Raises:
        SettingError: nothing has that name.
    """
    known = {key: value for key, value in names().items() if kind is None or value.startswith(kind)}
    target = f"zermelo.{known[name]}" if name in known else name
    module, _, attribute = target.partition(":")
    if not attribute:
        guess = nearest(name, list(known))
        hint = f"did you mean `{guess}`?" if guess else "known: " + ", ".join(sorted(known))
        raise SettingError("unknown-name", f"no {kind or 'method '}{name!r} in the catalogue", hint=hint)
    try:
        return getattr(_imported(module), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise SettingError("unknown-name", f"{name}: {error}", hint="an import path is `module:attribute`") from error


def _imported(module: str) -> Any:
    """A module; one that is not installed may lie in the current folder, as with `python -m`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        here = os.getcwd()
        if error.name != module.partition(".")[0] or here in sys.path:
            raise
        sys.path.append(here)  # at the end: nothing that is installed is hidden by a file of the same name
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError:
            sys.path.remove(here)
            raise
