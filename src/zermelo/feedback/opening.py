"""Open files as battles, whatever they are: bare battles straight from DuckDB, else the comparisons of groups.

`open_battles` gives the view; `tally` only says how often each (first, second, outcome) occurs in clean bare files: one
pass of DuckDB over three columns, which is all that a leaderboard without covariates needs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zermelo.feedback.bare import PROBABILITIES, battle_columns, holds_battles, read_battles
from zermelo.feedback.files import expand
from zermelo.feedback.scanning import quoted, scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zermelo.feedback.view import View

__all__ = ["Tally", "battle_roles", "is_bare", "open_battles", "tally", "words_of"]

BARE = (".parquet", ".csv", ".tsv", ".jsonl", ".csv.gz", ".csv.zst", ".jsonl.gz", ".jsonl.zst")
# `--columns` of the command line speaks of a and b; the view of source_a and source_b
ROLES = {"a": "source_a", "b": "source_b", "first": "source_a", "second": "source_b"}
MOST_WINNERS = 4096  # more distinct winners than that are no words


@dataclass(frozen=True)
class Tally:
    """How often each (first, second, outcome) occurs.

    Args:
        players: Names, sorted. [P]
        first: [C]
        second: [C]
        score: 1, 0, or ½ for a tie. [C]
        n: How often. [C]
    """

    players: tuple[str, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    score: NDArray[np.float64]
    n: NDArray[np.int64]


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
    named = battle_roles(columns)
    if is_bare(files, columns):
        return read_battles(list(files), columns=named, skip_bad=skip_bad)
    from zermelo.feedback.dataset import Feedback

    return Feedback.read(list(files), skip_bad=skip_bad).battles()


def is_bare(files: Sequence[str], columns: Mapping[str, str] | None = None) -> bool:
    """Whether the files are tables with two names and a winner, as found or as `columns` says."""
    import glob

    if battle_roles(columns) is not None:
        return True
    first = next(iter(sorted(glob.glob(files[0]))), files[0])
    return first.endswith(BARE) and Path(first).is_file() and holds_battles(first)


def battle_roles(columns: Mapping[str, str] | None) -> dict[str, str] | None:
    """`columns` in the words of the view, None where it names nothing."""
    return {ROLES.get(role, role): column for role, column in (columns or {}).items()} or None


def tally(paths: str | os.PathLike[str] | Sequence[str], *, columns: Mapping[str, str] | None = None) -> Tally | None:
    """Count clean bare battles, or None where they need the view: weights, probabilities, or a row that is bad.

    Args:
        paths: Files or globs of one shape.
        columns: Role → column.
    Raises:
        DataError: no such file.
        SettingError: `columns` names a column or a role that does not exist.
    """
    import duckdb

    files = expand(paths)
    with duckdb.connect() as connection:
        try:
            table = scan(files)
            there = connection.sql(f"SELECT * FROM {table} LIMIT 0").columns
            roles = battle_columns(there, battle_roles(columns))
            if roles is None or "weight" in roles or "winner" not in roles or roles["winner"] in PROBABILITIES:
                return None
            a, b, winner = (quoted(roles[role]) for role in ("source_a", "source_b", "winner"))
            query = f"SELECT {a} AS a, {b} AS b, {winner} AS w, count(*) AS n FROM {table} GROUP BY ALL"
            found = connection.sql(query).fetchnumpy()
        except duckdb.Error:
            return None  # the view says what is wrong, and in which file
    return _tallied(found, roles)


def _tallied(found: Mapping[str, Any], roles: Mapping[str, str]) -> Tally | None:
    import numpy as np

    if not len(found["n"]) or any(np.ma.isMaskedArray(found[name]) for name in ("a", "b", "w")):
        return None
    names_a, names_b = found["a"].astype(str).tolist(), found["b"].astype(str).tolist()
    said = found["w"].tolist()
    if any(name is None for name in said):
        return None
    words = words_of(set(said), roles)
    players = tuple(sorted({*names_a, *names_b}))
    if words is None:
        return None
    place = {name: index for index, name in enumerate(players)}
    if place.keys().isdisjoint(map(str, set(said))):
        score = [words.get(word) for word in said]
    else:  # a side's own name wins over a word
        rows = zip(said, names_a, names_b, strict=True)
        score = [1.0 if w == a != b else 0.0 if w == b != a else words.get(w) for w, a, b in rows]
    if None in score:
        return None
    return Tally(
        players=players,
        first=np.fromiter((place[name] for name in names_a), dtype=np.int64, count=len(names_a)),
        second=np.fromiter((place[name] for name in names_b), dtype=np.int64, count=len(names_b)),
        score=np.array(score, dtype=np.float64),
        n=found["n"].astype(np.int64),
    )


def words_of(said: set[Any], roles: Mapping[str, str]) -> dict[Any, float] | None:
    """Word or number → P(first ≻ second); None where the winners are probabilities."""
    from zermelo.feedback.formats.winners import VALUES, WORDS

    if len(said) > MOST_WINNERS:
        return {}
    if all(isinstance(value, int | float) for value in said):
        if 2 in said:
            return {value: VALUES[WORDS[str(int(value))]] for value in said if value in (0, 1, 2)}
        return {value: float(value) for value in said} if said <= {0, 0.5, 1} else None
    sides = {roles["source_a"].lower(): 1.0, roles["source_b"].lower(): 0.0}
    known = {word: VALUES[outcome] for word, outcome in WORDS.items()} | sides
    return {word: known[key] for word in said if (key := str(word).strip().lower()) in known}
