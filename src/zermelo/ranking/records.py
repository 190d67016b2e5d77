"""Battles one by one, with what a leaderboard can hold constant or group by: style, category, prompt, annotator.

Fits on counts cannot see these. A bare file names them in columns; of judged groups they are read off the texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, nearest
from zermelo.ranking.covariates import relative_difference, standardise

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["STYLE", "Records", "read_records"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HEADERS = re.compile(r"^#{1,6} ", re.MULTILINE)
BOLD = re.compile(r"\*\*[^*\n]+\*\*")
LISTS = re.compile(r"^\s*(?:[-*+]|\d+[.)]) ", re.MULTILINE)
STYLE = {
    "length": len,
    "markdown": lambda text: len(HEADERS.findall(text)) + len(BOLD.findall(text)) + len(LISTS.findall(text)),
    "headers": lambda text: len(HEADERS.findall(text)),
    "bold": lambda text: len(BOLD.findall(text)),
    "lists": lambda text: len(LISTS.findall(text)),
}
PROMPTS = ("prompt", "prompt_id", "question_id", "question", "instruction_id", "instruction", "conversation_id")


@dataclass(frozen=True)
class Records:
    """B battles of P players.

    Args:
        players: Names. [P]
        first: [B]
        second: [B]
        score: P(first ≻ second). [B]
        tie: Declared ties. [B]
        weight: [B]
        covariates: Standardised differences first − second. [B, K]
        names: Of the covariates. [K]
        cluster: Codes of what is clustered by, or None. [B]
        category: Codes of the category, or None. [B]
        categories: Names of the categories.
        n_self: Battles of a player against itself, left out.
        dropped: Reason → comparisons left out while reading.
    """

    players: tuple[str, ...]
    first: Ints
    second: Ints
    score: Floats
    tie: NDArray[np.bool_]
    weight: Floats
    covariates: Floats
    names: tuple[str, ...] = ()
    cluster: Ints | None = None
    category: Ints | None = None
    categories: tuple[str, ...] = ()
    n_self: int = 0
    dropped: Mapping[str, int] | None = None


def read_records(
    files: Sequence[str],
    *,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    control: Sequence[str] = (),
    by: str | None = None,
    cluster: str | None = None,
) -> Records:
    """Read battles with covariates, a category and clusters.

    Args:
        files: Bare battles, or groups of any format with sources.
        columns: Role → column.
        skip_bad: Leave bad rows out and count them.
        control: Names of covariates: of a bare file those with columns NAME_a and NAME_b; of groups `length`
            (characters), `markdown` (headers, bold and list items), `headers`, `bold`, `lists`.
        by: Column of the category; of groups `by`, `criterion`, `user`, `session` or a key of `meta`.
        cluster: `prompt`, `by` (the annotator), or a column.
    Raises:
        SettingError: no such column or covariate.
        DataError: what the reader refuses; no comparison of two different players.
    """
    from zermelo.feedback.opening import is_bare, open_battles

    view = open_battles(files, columns=columns, skip_bad=skip_bad)
    if is_bare(files, columns):
        table, extra = _bare(view, files, control, by, cluster), {}
        dropped: Mapping[str, int] = view.dropped if skip_bad else {}
    else:
        table, extra, dropped = *_grouped(view, control, by, cluster), view.dropped
    return _records(table, extra, control, by, cluster, dropped)


def _bare(view: Any, files: Sequence[str], control: Sequence[str], by: str | None, cluster: str | None) -> pa.Table:
    """Battles of a bare file with the further columns that are asked for (c0a, c0b, …, category, cluster)."""
    import duckdb

    from zermelo.feedback.files import expand
    from zermelo.feedback.scanning import quoted, scan

    table = scan(expand(list(files)))
    with duckdb.connect() as connection:
        view.relation(connection).create_view("view")
        there = list(connection.sql(f"SELECT * FROM {table} LIMIT 0").columns)
        wanted: dict[str, str] = {}
        for k, name in enumerate(control):
            for side in "ab":
                wanted[f"c{k}{side}"] = _column(f"{name}_{side}", there, f"--control {name} of bare battles")
        view_columns = ["source_a", "source_b", "prob", "outcome", "weight"]
        if by is not None:
            wanted["category"] = _column(by, there, "--by")
        if cluster == "by":
            view_columns.append("by AS cluster")
        elif cluster is not None:
            found = next((name for name in PROMPTS if name in there), None) if cluster == "prompt" else None
            wanted["cluster"] = found or _column(cluster, there, "--cluster")
        chosen = ", ".join(f"v.{name}" for name in view_columns)
        if not wanted:
            query = f"SELECT {chosen} FROM view v ORDER BY row"
        else:
            picked = ", ".join(f"{quoted(column)} AS {name}" for name, column in wanted.items())
            more = ", ".join(f"r.{name}" for name in wanted)
            query = (
                f"SELECT {chosen}, {more} FROM view v JOIN (SELECT row_number() OVER () - 1 AS row, {picked} "
                f"FROM {table}) r USING (row) ORDER BY row"
            )
        return connection.sql(query).to_arrow_table()


def _grouped(view: Any, control: Sequence[str], by: str | None, cluster: str | None) -> tuple[pa.Table, dict[str, Any]]:
    """Battles of groups, and what their texts say: covariates, categories, clusters."""
    for name in control:
        if name not in STYLE:
            raise SettingError(
                "unknown-covariate",
                f"--control {name}: unknown; texts of groups give {', '.join(STYLE)}",
                hint=f"did you mean {nearest(name, list(STYLE))!r}?" if nearest(name, list(STYLE)) else None,
            )
    table = view.arrow()
    extra: dict[str, Any] = {}
    if by in ("by", "criterion"):
        extra["category"] = table.column(by)
    if cluster == "by":
        extra["cluster"] = table.column("by")
    looks = bool(control) or (by is not None and "category" not in extra) or (cluster is not None and cluster != "by")
    if looks and table.num_rows:
        rows, a, b = (table.column(name).to_pylist() for name in ("row", "a", "b"))
        wanted = sorted(set(rows))
        features: dict[tuple[int, int], tuple[float, ...]] = {}
        category, key = {}, {}
        for begin in range(0, len(wanted), 20_000):
            for row, group in view.groups_at(wanted[begin : begin + 20_000]).items():
                for index, response in enumerate(group.responses) if control else ():
                    text = response.content or ""
                    features[row, index] = tuple(float(STYLE[name](text)) for name in control)
                if by is not None and "category" not in extra:
                    category[row] = _of_group(group, by)
                if cluster is not None and cluster != "by":
                    key[row] = group.key if cluster == "prompt" else _of_group(group, cluster)
        for k in range(len(control)):
            extra[f"c{k}a"] = [features[row, index][k] for row, index in zip(rows, a, strict=True)]
            extra[f"c{k}b"] = [features[row, index][k] for row, index in zip(rows, b, strict=True)]
        if category:
            extra["category"] = [category[row] for row in rows]
        if key:
            extra["cluster"] = [key[row] for row in rows]
    for role, named in (("category", by), ("cluster", cluster)):
        if named is not None and all(value is None for value in _plain(extra.get(role, []))):
            what = "--by" if role == "category" else "--cluster"
            raise SettingError(
                "unknown-column", f"{what} {named}: no group says it (by, criterion, user, session, meta)"
            )
    return table, extra


def _of_group(group: Any, name: str) -> Any:
    found = getattr(group, name, None) if name in ("user", "session", "origin") else (group.meta or {}).get(name)
    return None if found is None else str(found)


def _records(
    table: pa.Table,
    extra: Mapping[str, Any],
    control: Sequence[str],
    by: str | None,
    cluster: str | None,
    dropped: Mapping[str, int],
) -> Records:
    from zermelo.ranking.reading import _codes

    def column(name: str) -> Any:
        return extra[name] if name in extra else table.column(name)

    if not table.num_rows:
        raise DataError("no-battles", "no comparison between two different players")
    (first, names_a), (second, names_b) = _codes(table.column("source_a")), _codes(table.column("source_b"))
    players = sorted({*names_a, *names_b})
    place = {name: index for index, name in enumerate(players)}
    a = np.array([place[name] for name in names_a], dtype=np.int64)[first]
    b = np.array([place[name] for name in names_b], dtype=np.int64)[second]
    apart = a != b
    if not apart.any():
        raise DataError("no-battles", f"no comparison between two different players ({len(a)} of one with itself)")
    z = np.zeros((len(a), len(control)))
    for k, name in enumerate(control):
        sides = [np.array(_plain(column(f"c{k}{side}")), dtype=np.float64) for side in "ab"]
        for side in sides:
            if not np.isfinite(side).all():
                row = int(np.argmin(np.isfinite(side)))
                raise DataError("bad-covariate", f"battle {row + 1}: {name}: {side[row]}; expected a number")
        plain = min(side.min() for side in sides) < 0
        z[:, k] = sides[0] - sides[1] if plain else relative_difference(*sides)
    met = np.zeros(len(players), dtype=bool)
    met[a[apart]] = met[b[apart]] = True
    renumber = np.cumsum(met) - 1
    categories: tuple[str, ...] = ()
    code = None
    if by is not None:
        code, categories = _coded(column("category"))
        code = code[apart]
    score = np.array(_plain(table.column("prob")), dtype=np.float64)
    outcome, said = _codes_or_null(table.column("outcome"))
    tie = np.isin(outcome, [i for i, word in enumerate(said) if word in ("tie", "both_bad")])
    weight = np.array(_plain(table.column("weight")), dtype=np.float64)
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise DataError("bad-weight", "a weight is negative or not a number; expected numbers ≥ 0")
    return Records(
        players=tuple(name for name, there in zip(players, met.tolist(), strict=True) if there),
        first=renumber[a[apart]],
        second=renumber[b[apart]],
        score=score[apart],
        tie=tie[apart],
        weight=weight[apart],
        covariates=standardise(z[apart]),
        names=tuple(control),
        cluster=None if cluster is None else _coded(column("cluster"))[0][apart],
        category=code,
        categories=categories,
        n_self=int((~apart).sum()),
        dropped=dropped,
    )


def _coded(column: Any) -> tuple[Ints, tuple[str, ...]]:
    """Codes and names in sorted order; a missing value is a name of its own."""
    values = ["(none)" if value is None else str(value) for value in _plain(column)]
    names = sorted(set(values))
    place = {name: index for index, name in enumerate(names)}
    return np.fromiter((place[value] for value in values), dtype=np.int64, count=len(values)), tuple(names)


def _codes_or_null(column: Any) -> tuple[Ints, list[Any]]:
    import pyarrow as pa

    array = column.combine_chunks()
    array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.indices.fill_null(-1).to_numpy().astype(np.int64), array.dictionary.to_pylist()


def _plain(column: Any) -> Any:
    """A column as a plain sequence; numbers as an array."""
    import pyarrow as pa

    if isinstance(column, list):
        return column
    kind = column.type
    if (pa.types.is_floating(kind) or pa.types.is_integer(kind)) and not column.null_count:
        chunks = [chunk.to_numpy() for chunk in column.chunks]
        return np.concatenate(chunks) if chunks else np.zeros(0)
    return (
        [np.nan if value is None else value for value in column.to_pylist()]
        if (pa.types.is_floating(kind) or pa.types.is_integer(kind))
        else column.to_pylist()
    )


def _column(name: str, there: Sequence[str], what: str) -> str:
    lower = {column.lower(): column for column in there}
    if name.lower() in lower:
        return lower[name.lower()]
    guess = nearest(name, list(there))
    raise SettingError(
        "unknown-column",
        f"{what}: the file has no column {name!r}",
        hint=f"did you mean `{guess}`?" if guess else f"there are: {', '.join(there)}",
    )
