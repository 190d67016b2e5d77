"""Rankings from files: long tables with one row per list and item, or the rankings of judged groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zermelo.errors import DataError, SettingError

__all__ = ["Rankings", "read_rankings"]

LISTS = ("race", "ranking", "list", "contest", "list_id", "ranking_id")
ITEMS = ("driver", "item", "player", "source", "model", "name")
PLACES = ("place", "rank", "position")


@dataclass(frozen=True)
class Rankings:
    """Lists of items, best first.

    Args:
        items: Names. [P]
        rankings: Item indices, best first.
        n_tied: Rankings left out because they hold ties.
    """

    items: tuple[str, ...]
    rankings: tuple[tuple[int, ...], ...]
    n_tied: int = 0


def read_rankings(
    files: Sequence[str], *, columns: Mapping[str, str] | None = None, skip_bad: bool = False
) -> Rankings:
    """Read rankings.

    Args:
        files: A table with a row per list and item (columns race, driver, place or such; `columns` names others by the
            roles `list`, `item`, `place`), battles (each a ranking of two), or groups with rankings.
        columns: Role → column.
        skip_bad: Leave bad rows out (groups).
    Raises:
        DataError: no rankings; a ranking that names an item twice.
    """
    found = _of_table(files, columns)
    if found is None:
        found = _of_groups(files, columns, skip_bad)
    tied = [key for key, places in found.items() if len({place for _, place in places}) < len(places)]
    names = sorted({name for places in found.values() for name, _ in places})
    index = {name: i for i, name in enumerate(names)}
    kept = []
    for key, places in found.items():
        if key in tied:
            continue
        kept.append(tuple(index[name] for name, _ in sorted(places, key=lambda pair: pair[1])))
    if not kept:
        raise DataError("no-battles", "no ranking without ties", hint="`--model davidson` takes comparisons with ties")
    return Rankings(tuple(names), tuple(kept), len(tied))


def _of_table(files: Sequence[str], columns: Mapping[str, str] | None) -> dict[Any, list[tuple[str, float]]] | None:
    import duckdb

    from zermelo.feedback.files import expand
    from zermelo.feedback.scanning import quoted, scan

    with duckdb.connect() as connection:
        try:
            table = scan(expand(list(files)))
            there = connection.sql(f"SELECT * FROM {table} LIMIT 0").columns
        except (duckdb.Error, SettingError):
            return None
        named = dict(columns or {})
        roles: dict[str, str] = {}
        for role, known in (("list", LISTS), ("item", ITEMS), ("place", PLACES)):
            column = named.pop(role, None) or next((name for name in known if name in there), None)
            if column is None or column not in there:
                return None
            roles[role] = column
        wanted = ", ".join(quoted(roles[role]) for role in ("list", "item", "place"))
        rows = connection.sql(f"SELECT {wanted} FROM {table}").fetchall()
    found: dict[Any, list[tuple[str, float]]] = {}
    seen: set[tuple[Any, str]] = set()
    for number, (key, item, place) in enumerate(rows, 1):
        if key is None or item is None or place is None:
            raise DataError("missing-field", f"row {number}: a list, an item or a place is missing", file=files[0])
        if (key, str(item)) in seen:
            raise DataError("bad-ranking", f"ranking {key}: {str(item)!r} is named twice", file=files[0], row=number)
        seen.add((key, str(item)))
        try:
            found.setdefault(key, []).append((str(item), float(place)))
        except (TypeError, ValueError):
            raise DataError("bad-ranking", f"place {place!r}; expected a number", file=files[0], row=number) from None
    return found


def _of_groups(
    files: Sequence[str], columns: Mapping[str, str] | None, skip_bad: bool
) -> dict[Any, list[tuple[str, float]]]:
    from zermelo.feedback.opening import is_bare, open_battles

    found: dict[Any, list[tuple[str, float]]] = {}
    if not is_bare(files, columns):
        from zermelo.feedback.dataset import Feedback

        table = Feedback.read(list(files), skip_bad=skip_bad).rankings().arrow()
        for number, (ranks, sources) in enumerate(
            zip(table.column("ranks").to_pylist(), table.column("sources").to_pylist(), strict=True)
        ):
            if None in sources or len(sources) < 2:
                continue
            if len(set(sources)) < len(sources):
                raise DataError("bad-ranking", f"ranking {number + 1} names a source twice: {sources}")
            found[number] = list(zip(sources, ranks, strict=True))
    if not found:
        table = open_battles(files, columns=columns, skip_bad=skip_bad).arrow()
        battles = zip(*(table.column(name).to_pylist() for name in ("source_a", "source_b", "prob")), strict=True)
        for number, (a, b, prob) in enumerate(battles):
            if a != b:
                found[number] = [(a, -prob), (b, prob - 1)]
    if not found:
        raise DataError("no-battles", "no ranking and no comparison of named sources")
    return found
