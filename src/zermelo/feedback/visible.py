"""Text from data, safe to show: control codes and direction overrides become visible escapes."""

from __future__ import annotations

import re

__all__ = ["shortened", "visible"]

# C0 and C1 control codes, DEL, direction marks and overrides, line separators, lone surrogates
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Text as text: an escape code is shown as `\x1b`, a line break as `⏎`.

    Args:
        text: Anything, from anywhere.
        lines: Keep line breaks and tabs.
    """
    return HIDDEN.sub(lambda found: _shown(found.group(), lines), text)


def shortened(text: str, width: int) -> str:
    """Visible text of at most `width` characters, on one line."""
    shown = visible(text[: 4 * width])
    return shown if len(shown) <= width and len(text) <= 4 * width else shown[: max(0, width - 1)] + "…"


def _shown(mark: str, lines: bool) -> str:
    if mark in "\n\t":
        return mark if lines else {"\n": "⏎", "\t": "⇥"}[mark]
    code = ord(mark)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
