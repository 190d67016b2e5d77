"""The click that typer runs on: its own copy in newer versions, the package before that."""

from __future__ import annotations

import importlib
from typing import Any

import typer

__all__ = ["Command", "UsageError"]

# typer.BadParameter derives from click's UsageError, wherever that click lives
UsageError: Any = typer.BadParameter.__mro__[1]
Command: Any = importlib.import_module(typer.Context.__mro__[1].__module__).Command
