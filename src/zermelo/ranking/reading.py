"""Battles of any form, collapsed to `Counts`: a view, a tally, a pandas frame, an Arrow table, columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zermelo.errors import DataError
from zermelo.ranking.counts import DENSE, Counts, count, of_outcomes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from zermelo.feedback.opening import Tally
    from zermelo.feedback.view import View

__all__ = ["Battles", "as_counts", "counts_of", "counts_of_table", "counts_of_tally"]

Battles: TypeAlias = "Counts | View | Tally | pd.DataFrame | pa.Table | Mapping[str, Sequence[Any]]"

# `prob` is an outcome's number where one was declared; a bare probability has no outcome
QUERY = """
SELECT source_a AS a, source_b AS b, sum(weight) AS n, sum(weight * prob) AS score,
       sum(weight) FILTER (outcome IN ('tie', 'both_bad')) AS tie,
       sum(weight * weight) AS n2, sum(weight * weight) FILTER (outcome IN ('tie', 'both_bad')) AS tie2,
       sum(weight * weight * prob) AS score2, sum(weight * weight * prob * prob) AS square2,
       bool_or(outcome IS NULL AND prob NOT IN (0, 1)) AS soft, count(*) AS battles,
       bool_or(NOT isfinite(weight) OR weight < 0) AS bad
FROM view GROUP BY source_a, source_b
"""


def as_counts(battles: Battles) -> Counts:
    """Collapse comparisons of any form.

    Args:
        battles: `Counts`; the view `battles`; a `Tally`; or a pandas frame, Arrow table or mapping of columns with two
            names (`model_a`/`model_b`, …) and `winner` (words, a side's name, numbers) or `prob`, and perhaps `weight`.
    Raises:
        DataError: no comparison between two different players, an unknown winner, a bad weight or probability.
    """
    from zermelo.feedback.opening import Tally
    from zermelo.feedback.view import View

    if isinstance(battles, Counts):
        return battles
    if isinstance(battles, View):
        return counts_of(battles)
    if isinstance(battles, Tally):
        return counts_of_tally(battles)
    return counts_of_table(battles)


def counts_of_tally(tally: Tally) -> Counts:
    """Counts of clean bare battles."""
    apart = tally.first != tally.second
    n_self = int(tally.n[~apart].sum())
    players, renumber = _met(tally.players, tally.first[apart], tally.second[apart], n_self)
    n = tally.n[apart].astype(np.float64)
    score = tally.score[apart]
    return of_outcomes(
        renumber[tally.first[apart]],
        renumber[tally.second[apart]],
        n * (score == 1),
        n * (score == 0.5),
        n * (score == 0),
        players=players,
        left_out=n_self,
    )


def counts_of(view: View) -> Counts:
    """Collapse the view `battles` of a collection, or of a bare file: DuckDB groups and sums.

    A player against itself is left out and counted.

    Raises:
        DataError: no comparison between two different players, or a weight that is negative or not a number.
    """
    table = view.sql(QUERY)
    a, b = table.column("a").to_pylist(), table.column("b").to_pylist()
    names = sorted({*a, *b})
    place = {name: index for index, name in enumerate(names)}
    first = np.fromiter((place[name] for name in a), dtype=np.int64, count=len(a))
    second = np.fromiter((place[name] for name in b), dtype=np.int64, count=len(b))
    sums = {
        name: np.nan_to_num(np.array(table.column(name).to_pylist(), dtype=np.float64))
        for name in ("n", "score", "tie", "n2", "tie2", "score2", "square2", "battles")
    }
    if any(table.column("bad").to_pylist()):
        raise DataError("bad-weight", "a weight is negative or not a number; expected numbers ≥ 0")
    battles = sums.pop("battles")
    apart = first != second
    n_self = int(battles[~apart].sum())
    players, renumber = _met(names, first[apart], second[apart], n_self)
    soft = np.array(table.column("soft").to_pylist(), dtype=object)[apart]
    return Counts(
        players=players,
        first=renumber[first[apart]],
        second=renumber[second[apart]],
        soft=bool(any(soft)),
        battles=int(battles[apart].sum()),
        left_out=(("self", n_self),) if n_self else (),
        **{name: values[apart] for name, values in sums.items()},
    )


def counts_of_table(table: Any) -> Counts:
    """Collapse a pandas frame, an Arrow table or a mapping of columns; see `as_counts`."""
    from concurrent.futures import ThreadPoolExecutor

    from zermelo.feedback.bare import battle_columns
    from zermelo.feedback.opening import words_of

    columns = list(table.column_names) if hasattr(table, "column_names") else list(table.keys())
    roles = battle_columns(columns)
    if roles is None or not {"winner", "prob"} & set(roles):
        raise DataError(
            "unknown-format",
            f"columns {', '.join(map(str, columns[:12]))}; expected two names and a winner",
        )
    told = roles.get("winner")
    wanted = [roles["source_a"], roles["source_b"], *([told] if told else [])]
    with ThreadPoolExecutor(2) as pool:  # Arrow encodes without the interpreter's lock
        coded = list(pool.map(_codes, [table[name] for name in wanted]))
    (first, names_a), (second, names_b) = coded[:2]
    players = sorted({*names_a, *names_b})
    place = {name: index for index, name in enumerate(players)}
    to_a = np.array([place[name] for name in names_a], dtype=np.int64)
    to_b = np.array([place[name] for name in names_b], dtype=np.int64)
    weight = np.asarray(table[roles["weight"]], dtype=np.float64) if "weight" in roles else None
    if told is None:
        score = np.asarray(table[roles["prob"]], dtype=np.float64)
        return count(
            to_a[first], to_b[second], score, players=players, tie=np.zeros(len(first), dtype=bool), weight=weight
        )
    code, said = coded[2]
    words = words_of(set(said), roles)
    size = len(players)
    plain = weight is None and place.keys().isdisjoint(map(str, said)) and set(said) <= set(words or ())
    if words is not None and plain and 3 * size * size <= max(3 * DENSE, 4 * len(first)):
        kind = np.array([2 * words[word] for word in said], dtype=np.int64)  # loss, tie, win
        key = (to_a * (3 * size))[first]
        key += (to_b * 3)[second]
        key += kind[code]
        return _of_dense(np.bincount(key, minlength=3 * size * size).reshape(size, size, 3), players)
    a, b = to_a[first], to_b[second]
    score, tie = _scores(code, said, words, a, b, players)
    return count(a, b, score, players=players, tie=tie, weight=weight)


def _of_dense(table: Any, players: Sequence[str]) -> Counts:
    """Counts of a table of losses, ties and wins. [P, P, 3]"""
    size = len(players)
    itself = np.arange(size)
    n_self = int(table[itself, itself].sum())
    table[itself, itself] = 0
    there = np.flatnonzero(table.sum(axis=2))
    loss, tie, win = table.reshape(-1, 3)[there].T.astype(np.float64)
    players, renumber = _met(players, there // size, there % size, n_self)
    return of_outcomes(
        renumber[there // size], renumber[there % size], win, tie, loss, players=players, left_out=n_self
    )


def _met(names: Sequence[str], first: Any, second: Any, n_self: int) -> tuple[tuple[str, ...], Any]:
    """Players that met another, and old index → new."""
    if not len(first):
        what = "no comparison between two different players" + (f" ({n_self} of one with itself)" if n_self else "")
        raise DataError("no-battles", what, hint="`zermelo inspect FILE` shows what is there")
    met = np.zeros(len(names), dtype=bool)
    met[first] = met[second] = True
    return tuple(name for name, there in zip(names, met.tolist(), strict=True) if there), np.cumsum(met) - 1


def _codes(column: Any) -> tuple[Any, list[Any]]:
    """Codes into the distinct values of a column, and those values."""
    import pyarrow as pa

    array = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if array.null_count:
        row = array.is_null().to_pylist().index(True)
        raise DataError("missing-field", f"battle {row + 1}: a name or the winner is missing")
    return array.indices.to_numpy(), array.dictionary.to_pylist()


def _scores(code: Any, said: list[Any], words: Mapping[Any, float] | None, a: Any, b: Any, players: list[str]) -> Any:
    """P(first ≻ second) and declared ties of a column of winners."""
    if words is None:  # probabilities
        score = np.array(said, dtype=np.float64)[code]
        return score, np.zeros(len(score), dtype=bool)
    score = np.array([words.get(word, np.nan) for word in said])[code]
    place = {name: index for index, name in enumerate(players)}
    if not place.keys().isdisjoint(map(str, said)):  # a side's own name wins over a word
        named = np.array([place.get(str(word), -1) for word in said])[code]
        score = np.where((named == a) & (a != b), 1.0, np.where((named == b) & (a != b), 0.0, score))
    if np.isnan(score).any():
        row = int(np.argmax(np.isnan(score)))
        known = "a side, one of the two names, tie or both_bad"
        raise DataError("unknown-winner", f"battle {row + 1}: winner {said[code[row]]!r}; expected {known}")
    return score, score == 0.5
