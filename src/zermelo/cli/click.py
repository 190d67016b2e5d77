"""The click that typer runs on: its own copy in newer versions, the package before that."""

from __future__ import annotations

from typing import Any

click: Any
try:
    from typer import _click

    click = _click
except ImportError:  # typer before it carried its own copy
    import importlib

    click = importlib.import_module("click")

__all__ = ["click"]
