"""Text from data is shown as text: no tag, no markup, no control code of it ever acts."""

from __future__ import annotations

import html

from zermelo.feedback.visible import visible

__all__ = ["html_text", "shorten"]


def html_text(text: object, *, lines: bool = True) -> str:
    """The text for HTML content or a quoted attribute.

    Args:
        text: Anything; shown as `str` does.
        lines: Line ends and tabs stay; otherwise they are shown too, for what has to be one line.
    """
    return html.escape(visible(str(text).replace("\r\n", "\n"), lines=lines), quote=True)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters; what is cut is counted in place: `…[+3,210 characters]`."""
    return text if len(text) <= limit else f"{text[:limit]}…[+{len(text) - limit:,} characters]"
