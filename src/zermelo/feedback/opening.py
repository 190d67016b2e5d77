"""Open files as battles, whatever they are: bare battles straight from DuckDB, else the comparisons of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zermelo.feedback.bare import holds_battles, read_battles
from zermelo.feedback.view import View

__all__ = ["open_battles"]

BARE = (".parquet", ".csv", ".tsv", ".jsonl", ".csv.gz", ".csv.zst", ".jsonl.gz", ".jsonl.zst")
# `--columns` of the command line speaks of a and b; the view of source_a and source_b
ROLES = {"a": "source_a", "b": "source_b", "first": "source_a", "second": "source_b"}


def open_battles(files: Sequence[str], *, columns: Mapping[str, str] | None = None, skip_bad: bool = False) -> View:
    """The view `battles` of files of any format.

    A file whose columns name two sides and a winner is read as it is; any other through its format's reader.

    Args:
        files: Files or globs of one shape.
        columns: Role → column (`a`, `b`, `winner`, `by`, …).
        skip_bad: Leave bad rows out and count them.
    Raises:
        DataError: the files hold no comparison of two named sources.
    """
    named = {ROLES.get(role, role): column for role, column in (columns or {}).items()} or None
    if named is not None or _bare(files):
        return read_battles(list(files), columns=named, skip_bad=skip_bad)
    from zermelo.feedback.dataset import Feedback

    return Feedback.read(list(files), skip_bad=skip_bad).battles()


def _bare(files: Sequence[str]) -> bool:
    """Whether the first file is a table with two names and a winner."""
    import glob

    first = next(iter(sorted(glob.glob(files[0]))), files[0])
    return first.endswith(BARE) and Path(first).is_file() and holds_battles(first)
