"""What every command that reads data has in common: `--from`, `--columns`, `--skip-bad`."""

from __future__ import annotations

import re
from pathlib import Path

from zermelo.errors import SettingError

__all__ = ["COLUMNS_HELP", "FROM_HELP", "SKIP_HELP", "parse_columns", "quiet_libraries", "refuse_same_file"]

FROM_HELP = "Format of the input, where it is not to be detected."
COLUMNS_HELP = "Which columns hold what: prompt=question,chosen=best,rejected=worst."
SKIP_HELP = "Set bad rows aside and go on."
PART = re.compile(r"""\s*(\w+)\s*=\s*('[^']*'|"[^"]*"|[^,]+)\s*(?:,|$)""")


def parse_columns(text: str | None) -> dict[str, str] | None:
    """`prompt=question,a=left,source_a='gpt-4'` as a map from roles to columns or constants.

    Raises:
        SettingError: not of that form, or a role named twice.
    """
    if text is None:
        return None
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        part = PART.match(text, at)
        if part is None or part[1] in found:
            raise SettingError(
                "bad-setting",
                f"--columns {text!r}: expected role=column, comma-separated, each role once",
                hint=EXAMPLE,
            )
        found[part[1]] = part[2].strip()
        at = part.end()
    return found or None


EXAMPLE = "such as `--columns prompt=question,chosen=best,rejected=worst`"


def refuse_same_file(output: str, inputs: list[str]) -> None:
    """Raise `SettingError` where an output is one of the inputs."""
    path = Path(output)
    for item in inputs:
        if item != "-" and path.exists() and path.samefile(item):
            raise SettingError("same-file", f"{output}: is also an input; expected another name")


def quiet_libraries() -> None:
    """Switch the progress bars of the model libraries off, where they are installed: a command shows its own."""
    try:
        from transformers.utils import logging
    except ImportError:
        return
    logging.disable_progress_bar()
