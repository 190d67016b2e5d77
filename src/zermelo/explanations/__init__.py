"""What each error and warning code means: one TOML file per room, `code = \"\"\"paragraph\"\"\"`."""

from __future__ import annotations

import tomllib
from importlib.resources import files

__all__ = ["explanations"]


def explanations() -> dict[str, str]:
    """code → paragraph, of all rooms."""
    found: dict[str, str] = {}
    for path in sorted(files(__name__).iterdir(), key=lambda item: item.name):
        if path.name.endswith(".toml"):
            found.update(tomllib.loads(path.read_text(encoding="utf-8")))
    return found
