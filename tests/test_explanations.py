"""Every error and warning code that the source raises is explained, and nothing is explained that is never raised."""

from __future__ import annotations

import ast
from pathlib import Path

from zermelo.explanations import explanations

SRC = Path(__file__).parent.parent / "src" / "zermelo"
RAISED = {"ZermeloError", "DataError", "SettingError", "MissingError", "LimitError", "ZermeloWarning", "warn"}
FROM_THE_COMMAND_LINE = {"usage", "interrupted", "internal", "file-system"}


def codes() -> dict[str, str]:
    """code → a place that raises it."""
    found = {}
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name in RAISED and isinstance(first, ast.Constant) and isinstance(first.value, str):
                found[first.value] = f"{path.relative_to(SRC)}:{node.lineno}"
    return found


def test_every_code_is_explained() -> None:
    unexplained = {code: place for code, place in codes().items() if code not in explanations()}
    assert not unexplained


def test_explanations_are_paragraphs() -> None:
    assert all(len(text.split()) >= 8 for text in explanations().values())
