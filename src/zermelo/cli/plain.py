"""Commands that start fast: numbers, words, choices and paths are read without building a schema for each option.

Newer versions of typer read every option through pydantic, whose import takes longer than ranking a million battles.
What is not plain, and every older typer, goes the usual way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from typer.core import TyperCommand

__all__ = ["PlainCommand", "PlainParams"]


@dataclass(frozen=True)
class _Plain:
    """Reads the value of one option."""

    read: Callable[[Any], Any]
    many: bool

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """What the command gets; None where nothing is given."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            return [self.read(item) for item in value] if self.many else self.read(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from None


class PlainParams:
    """Of a command or group: its plain options, `--help` among them, need no schema."""

    def get_params(self, ctx: Any) -> Any:
        found = super().get_params(ctx)  # type: ignore[misc]
        for param in found:
            descriptor = getattr(param, "type_descriptor", None)
            if descriptor is None or getattr(param, "_runtime_param", param) is not None:
                continue  # a typer without schemas, or done
            param._runtime_param = _plain(descriptor.annotation, descriptor.parameter_info)
        return found


class PlainCommand(PlainParams, TyperCommand):
    """A typer command whose plain options need no schema."""


def _plain(annotation: Any, info: Any) -> _Plain | None:
    """A reader of an annotation, None where it is not plain."""
    many = get_origin(annotation) is list
    kind = get_args(annotation)[0] if many else annotation
    checked = any(getattr(info, name, False) for name in ("exists", "writable", "resolve_path", "clamp"))
    if checked or getattr(info, "parser", None) is not None:
        return None
    if kind is bool:
        return _Plain(_flag, many)
    if kind is str:
        return _Plain(str, many)
    if kind is Path:
        return _Plain(Path, many)
    if kind in (int, float):
        return _Plain(lambda value: _number(value, kind, info.min, info.max), many)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _Plain(lambda value: _choice(value, kind), many)
    return None


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("1", "true", "t", "yes", "y", "on", "0", "false", "f", "no", "n", "off", ""):
        return word in ("1", "true", "t", "yes", "y", "on")
    raise ValueError(f"{value!r} is neither true nor false")


def _number(value: Any, kind: type[int] | type[float], low: float | None, high: float | None) -> int | float:
    try:
        found = kind(value)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{value!r} is not {what}") from None
    if math.isnan(found) or (low is not None and found < low) or (high is not None and found > high):
        ends = "at least" if high is None else "at most" if low is None else "from"
        limits = " to ".join(f"{end:g}" for end in (low, high) if end is not None) or "a number"
        raise ValueError(f"{value} is out of range: expected {ends} {limits}")
    return found


def _choice(value: Any, kind: type[Enum]) -> Enum:
    if isinstance(value, kind):
        return value
    for member in kind:
        if str(member.value) == value:
            return member
    raise ValueError(f"{value!r} is none of {', '.join(str(member.value) for member in kind)}")
