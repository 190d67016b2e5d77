"""Text from data is shown as text: no tag, no markup, no control code of it ever acts."""

from __future__ import annotations

import html

__all__ = ["html_text", "shorten", "visible"]

# C0 controls have pictures in Unicode; what reorders, hides or ends text is named. Joiners stay: scripts need them.
_SHOWN = {code: chr(0x2400 + code) for code in range(0x20)}
_SHOWN[0x7F] = "␡"
_NAMED = [
    *range(0x80, 0xA0),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0x2028,
    0x2029,
    0x200B,
    0xFEFF,
    0xFFFE,
    0xFFFF,
]
_SHOWN.update({code: f"⟨U+{code:04X}⟩" for code in _NAMED})
_SHOWN.update({code: f"⟨U+{code:04X}⟩" for code in range(0xD800, 0xE000)})  # lone surrogates cannot be encoded
_LINES = {code: picture for code, picture in _SHOWN.items() if code not in (0x09, 0x0A)}
_LINES[0x0D] = ""  # CRLF is a line end like any other


def visible(text: str, *, lines: bool = True) -> str:
    """The text with control codes made visible: ESC as ␛, a right-to-left override as ⟨U+202E⟩.

    Args:
        text: Any text.
        lines: Line ends and tabs stay; otherwise they are shown too, for a cell of one line.
    """
    return text.translate(_LINES) if lines else text.replace("\r\n", "\n").translate(_SHOWN)


def html_text(text: object, *, lines: bool = True) -> str:
    """The text for HTML content or a quoted attribute."""
    return html.escape(visible(str(text), lines=lines), quote=True)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters; what is cut is counted in place: `…[+3,210 characters]`."""
    return text if len(text) <= limit else f"{text[:limit]}…[+{len(text) - limit:,} characters]"
