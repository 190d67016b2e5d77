"""Errors with one clear line, an exit code, and a stable code that `zermelo explain CODE` turns into a paragraph.

Raise the class that says whose move it is; the message says where, what was found and what was expected:

    raise DataError("missing-field", "rejected: missing; a preference row has prompt, chosen and rejected",
                    file="pairs.jsonl", row=1042, hint="`--skip-bad` sets such rows aside and goes on")

prints `error[missing-field]: pairs.jsonl:1042: rejected: missing; …`. Paragraphs live in `explanations/ROOM.toml`.
"""

from __future__ import annotations

import math
import re
import warnings
from typing import Any, ClassVar

__all__ = [
    "DataError",
    "LimitError",
    "MissingError",
    "SettingError",
    "ZermeloError",
    "ZermeloWarning",
    "nearest",
    "one_of",
    "positive",
    "unit_interval",
    "warn",
]

# a message may quote the data: its escape codes must not reach the terminal
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ZermeloError(Exception):
    """Base of all errors that a user can act on.

    Args:
        code: Stable kebab-case code (`zermelo explain CODE`).
        message: What was found and what was expected, one line.
        file: Input concerned, shown before the message.
        row: 1-based row or line in `file`.
        hint: How to mend it; printed on its own line.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, code: str, message: str, *, file: str | None = None, row: int | None = None, hint: str | None = None
    ) -> None:
        self.code = code
        self.message = message
        self.file = file
        self.row = row
        self.hint = hint
        super().__init__(self.line())

    def line(self) -> str:
        """The message with its place: `file:row: message`."""
        where = "" if self.file is None else f"{self.file}: " if self.row is None else f"{self.file}:{self.row}: "
        return CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", where + self.message)

    def __str__(self) -> str:
        text = f"error[{self.code}]: {self.line()}"
        return text if self.hint is None else f"{text}\nhint: {self.hint}"


class SettingError(ZermeloError):
    """Usage or settings are wrong (exit 2)."""

    exit_code = 2


class DataError(ZermeloError):
    """The input data is bad (exit 3)."""

    exit_code = 3


class MissingError(ZermeloError):
    """Something is not there: an extra, a model, the network (exit 4)."""

    exit_code = 4


class LimitError(ZermeloError):
    """A limit that the user set was crossed (exit 5)."""

    exit_code = 5


class ZermeloWarning(UserWarning):
    """A warning that the user can act on; the command line prints it as `warning[code]: message`."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"warning[{code}]: {message}")


def warn(code: str, message: str) -> None:
    """Warn once per place with a stable code."""
    warnings.warn(ZermeloWarning(code, message), stacklevel=3)


def positive(owner: object, *names: str) -> None:
    """Check that settings of `owner` are positive finite numbers; schedules and other callables pass."""
    for name in names:
        value = getattr(owner, name)
        if callable(value):
            continue
        if not _is_number(value) or not math.isfinite(value) or value <= 0:
            raise SettingError("bad-setting", f"{type(owner).__name__}.{name} must be a positive number. Got {value!r}")


def unit_interval(owner: object, *names: str, open_right: float | None = None) -> None:
    """Check that settings of `owner` lie in [0, 1], or in [0, open_right) if given."""
    for name in names:
        value = getattr(owner, name)
        if callable(value):
            continue
        top = 1.0 if open_right is None else open_right
        inside = _is_number(value) and value >= 0 and (value <= top if open_right is None else value < top)
        if not inside:
            bracket = "]" if open_right is None else ")"
            raise SettingError(
                "bad-setting", f"{type(owner).__name__}.{name} must be in [0, {top:g}{bracket}. Got {value!r}"
            )


def one_of(owner: object, name: str, choices: tuple[str, ...]) -> None:
    """Check that a setting of `owner` is one of `choices`."""
    value = getattr(owner, name)
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise SettingError("bad-setting", f"{type(owner).__name__}.{name} must be one of {known}. Got {value!r}")


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str | None:
    """The known name nearest to a misspelt one, or None; for 'did you mean'."""
    import difflib

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
