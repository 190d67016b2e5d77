"""Benchmark items from files in any format: what feedback reads, else the text columns of a table, else lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zermelo.doctor.unspaced import word_count
from zermelo.errors import DataError

__all__ = ["Item", "items_of", "read_items"]

ASKING = ("question", "problem", "instruction", "prompt", "input", "query", "goal", "text", "sentence", "ctx")
LEAST_WORDS = 4


@dataclass(frozen=True)
class Item:
    """One item of a benchmark.

    Args:
        text: What is asked.
        answer: What is expected, '' where unknown.
        name: `file:row`, from 1.
    """

    text: str
    answer: str
    name: str


def items_of(texts: Sequence[str], name: str = "item") -> list[Item]:
    """Items of bare texts, numbered from 1."""
    return [Item(text, "", f"{name}:{at}") for at, text in enumerate(texts, 1)]


def read_items(paths: Sequence[str]) -> list[Item]:
    """The items of benchmark files; those of fewer than four words are left out, they are found anywhere.

    Args:
        paths: Files in a format of `zermelo convert`, tables (Parquet, JSON lines, CSV) with a column such as
            `question`, or plain text, an item a line.
    Raises:
        DataError: a file without items.
    """
    found: list[Item] = []
    for path in paths:
        own = [item for item in _read(path) if word_count(item.text) >= LEAST_WORDS]
        if not own:
            raise DataError("no-items", "no text of four words or more in it", file=path)
        found += own
    return found


def _read(path: str) -> list[Item]:
    from zermelo.feedback import Feedback
    from zermelo.feedback.neardup import plain_prompt

    short = Path(path).name
    if path.endswith((".txt", ".md")):
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        return [Item(line.strip(), "", f"{short}:{at}") for at, line in enumerate(lines, 1)]
    try:
        groups = list(Feedback.read(path))
    except DataError as error:
        if error.code in ("file-not-found", "missing-file"):
            raise
        return _table(path, error)
    return [
        Item(plain_prompt(group.prompt), group.responses[0].content if group.responses else "", f"{short}:{at}")
        for at, group in enumerate(groups, 1)
    ]


def _table(path: str, why: DataError) -> list[Item]:
    """The rows of a table: its asking column, or all its texts."""
    import duckdb

    functions = {".parquet": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv"}
    plain = path.removesuffix(".gz").removesuffix(".zst")
    function = functions.get(Path(plain).suffix, "read_json_auto")
    try:
        with duckdb.connect() as connection:
            table = connection.sql(f"SELECT * FROM {function}(?)", params=[path]).to_arrow_table()
    except duckdb.Error as error:
        raise why from error
    lowered = {name.lower(): name for name in table.column_names}
    asked = next((lowered[name] for name in ASKING if name in lowered), None)
    names = [asked] if asked else [name for name in table.column_names if str(table[name].type) == "string"]
    columns = [table[name].to_pylist() for name in names]
    return [
        Item("\n".join(str(part) for part in row if part), "", f"{Path(path).name}:{at}")
        for at, row in enumerate(zip(*columns, strict=True), 1)
    ]
