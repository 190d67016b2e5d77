"""SQL over files: the call that reads them as one table, and names and texts in quotes."""

from __future__ import annotations

from collections.abc import Sequence

from zermelo.errors import SettingError

__all__ = ["kind_of", "literal", "quoted", "scan"]


def scan(files: Sequence[str]) -> str:
    """SQL that reads files of one kind (Parquet, JSON lines, CSV) as one table.

    Raises:
        SettingError: files of several kinds.
    """
    kinds = {kind_of(file) for file in files}
    if len(kinds) > 1:
        raise SettingError("mixed-columns", f"battles: files of one kind are wanted. Got {', '.join(sorted(kinds))}")
    reader = {"parquet": "read_parquet", "json": "read_json_auto", "csv": "read_csv_auto"}[kinds.pop()]
    return f"{reader}([{', '.join(map(literal, files))}])"


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text in SQL."""
    return "'" + value.replace("'", "''") + "'"


def kind_of(file: str) -> str:
    """`parquet`, `json` (lines or a list) or `csv`, by suffix."""
    from zermelo.feedback.files import suffix_of

    kind = {".parquet": "parquet", ".jsonl": "json", ".ndjson": "json", ".json": "json"}.get(suffix_of(file))
    return kind or "csv"
