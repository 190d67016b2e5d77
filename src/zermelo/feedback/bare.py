"""Bare battles: a file with two names and a winner per row, as the view `battles`, straight from DuckDB.

No group is built and no row becomes a Python object; 10⁷ rows of Parquet aggregate in well under a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from zermelo.errors import DataError, SettingError, nearest
from zermelo.feedback.files import expand
from zermelo.feedback.scanning import kind_of, literal, quoted, scan
from zermelo.feedback.view import Dropped, View

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["battle_columns", "holds_battles", "read_battles"]

NAMES: tuple[tuple[str, str], ...] = (
    ("model_a", "model_b"),
    ("left", "right"),
    ("source_a", "source_b"),
    ("player_a", "player_b"),
    ("player_1", "player_2"),
    ("generator_1", "generator_2"),
    ("first", "second"),
    ("a", "b"),
)
ONE_HOT = {"winner_model_a": "first", "winner_model_b": "second", "winner_tie": "tie"}
PROBABILITIES = ("prob", "probability")
OPTIONAL: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "by": ("by", "judge", "worker", "annotator", "judge_hash"),
    "criterion": ("criterion",),
    "strength": ("strength",),
    "weight": ("weight",),
    "at": ("at", "tstamp", "timestamp"),
}
ROLES = ("source_a", "source_b", "winner", "prob", *OPTIONAL)
PLAIN = {"model_a", "model_b", "tie", "tie (bothbad)", "both_bad", "bothbad", "left", "right"}  # no player's name
DISTINCT = 4096  # so many distinct winners are mapped by a table


def read_battles(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> View:
    """Open files of bare battles (CSV, Parquet, JSON lines; `.gz` and `.zst` too) as a view like `Feedback.battles()`.

    Two columns name the sides: `model_a`/`model_b`, `left`/`right`, `source_a`/`source_b`, …. `winner` (or one-hot
    `winner_model_a`, `winner_model_b`, `winner_tie`) says who won, in the words that the arena format knows or by one
    of the two names. A `winner` of numbers holds 1, 2 and 0 (tie) where a 2 occurs, else P(a ≻ b): 1, 0 and ½ are
    outcomes where nothing else occurs. `prob` is P(a ≻ b), never an outcome. `id` is null where the file has none, and
    `a`, `b` and `a_first` are null: such a file has no responses.

    Args:
        paths: Files or globs of one shape.
        columns: Role → column, for other names: `{"source_a": "home", "source_b": "away", "winner": "result"}`. Roles:
            source_a, source_b, winner or prob, id, by, criterion, strength, weight, at.
        skip_bad: Leave bad rows out and count them (`view.dropped`).
    Raises:
        SettingError: `columns` names a column or a role that does not exist.
        DataError: no two names and a winner; when read, a row with a name missing or an unknown winner.
    """
    from zermelo.feedback.views import BATTLES

    files = expand(paths)

    def relate(connection: Any) -> Any:
        return _Checked(connection, files, columns, skip_bad).relation()

    def batches(dropped: Dropped, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import duckdb

        from zermelo.feedback.views import as_batch

        with duckdb.connect() as connection:
            checked = _Checked(connection, files, columns, skip_bad)
            for reason, count in checked.left_out().items():
                dropped.add(reason, count)
            for batch in checked.relation().fetch_arrow_reader(100_000):
                yield as_batch(dict(zip(batch.schema.names, batch.columns, strict=True)), schema)

    return View("battles", BATTLES, batches, (), None, relate)


def holds_battles(path: str) -> bool:
    """Whether a file is a table whose columns name two sides and a winner; False where it cannot be read."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            return battle_columns(connection.sql(f"SELECT * FROM {scan([path])} LIMIT 0").columns) is not None
    except duckdb.Error:
        return False


def battle_columns(names: Iterable[str], columns: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """Role → column of a table with these columns, or None where it holds no battles.

    Raises:
        SettingError: `columns` names a column or a role that does not exist.
    """
    there = list(names)
    found: dict[str, str] = {}
    for role, column in (columns or {}).items():
        for kind, name, among in (("role", role, list(ROLES)), ("column", column, there)):
            if name not in among:
                guess = nearest(name, among)
                hint = f"did you mean `{guess}`?" if guess else f"there are: {', '.join(among)}"
                raise SettingError("unknown-column", f"no {kind} {name!r}", hint=hint)
        found[role] = column
    lower = {name.lower(): name for name in reversed(there)}
    if not {"source_a", "source_b"} <= set(found):
        for first, second in NAMES:
            if first in lower and second in lower:
                found = {"source_a": lower[first], "source_b": lower[second]} | found
                break
    if not {"winner", "prob"} & set(found):
        if "winner" in lower:
            found["winner"] = lower["winner"]
        elif not set(ONE_HOT) <= set(there):
            found |= next(({"prob": lower[name]} for name in PROBABILITIES if name in lower), {})
    told = {"winner", "prob"} & set(found) or set(ONE_HOT) <= set(there)
    if not ({"source_a", "source_b"} <= set(found) and told):
        return None
    taken = set(found.values())
    for role, known in OPTIONAL.items():
        there_too = next((lower[name] for name in known if name in lower and lower[name] not in taken), None)
        if role not in found and there_too is not None:
            found[role] = there_too
    return found


class _Checked:
    """The battles of some files in one connection; asks for the first bad row where there is one."""

    def __init__(self, connection: Any, files: list[str], columns: Mapping[str, str] | None, skip_bad: bool) -> None:
        import duckdb

        self.connection, self.files, self.skip_bad = connection, files, skip_bad
        self.all_known = False  # whether every winner that occurs is one of the table's words
        try:
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW _raw AS SELECT * FROM {scan(files)}")
            raw = self.connection.sql("SELECT * FROM _raw LIMIT 0")
            names, types = list(raw.columns), list(raw.types)
        except duckdb.Error as error:
            what = str(error).strip().splitlines()[0][:160]
            raise DataError(
                "unreadable-file", f"cannot be read as a table; is it cut? ({what})", file=files[0]
            ) from None
        self.types = dict(zip(names, map(str, types), strict=True))
        roles = battle_columns(names, columns)
        if roles is None:
            raise DataError(
                "unknown-format",
                f"columns {', '.join(names[:12])}; expected two names and a winner",
                file=files[0],
                hint="name them: columns={'source_a': …, 'source_b': …, 'winner': …}",
            )
        self.roles = roles

    def relation(self) -> Any:
        """The view's rows; strict unless bad rows are skipped."""
        self._make_view()
        if not self.skip_bad:
            self._refuse_bad()
        kept = "WHERE bad IS NULL" if self.skip_bad else ""
        return self.connection.sql(f"SELECT * EXCLUDE (bad, winner) FROM _battles {kept}")

    def left_out(self) -> dict[str, int]:
        """Reason → rows left out."""
        if not self.skip_bad:
            return {}
        self._make_view()
        return dict(self._rows("SELECT bad, count(*) FROM _battles WHERE bad IS NOT NULL GROUP BY bad"))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.sql(query).fetchall()

    def _refuse_bad(self) -> None:
        # where all words are known only nulls can be bad, and their search is answered by the file's statistics
        nowhere = f"SELECT 1 FROM _raw WHERE {self._missing} OR {self._bad_weight} LIMIT 1"
        clean = self.all_known and not self._rows(nowhere)
        query = "SELECT row, bad, winner FROM _battles WHERE bad IS NOT NULL ORDER BY row LIMIT 1"
        first = [] if clean else self._rows(query)
        if not first:
            if not self._rows("SELECT 1 FROM _raw LIMIT 1"):
                raise DataError("no-rows", "the file has no rows; expected at least one row", file=self.files[0])
            return
        row, bad, winner = first[0]
        file, line = self._place(int(row))
        hint = "`skip_bad` (`--skip-bad`) leaves such rows out"
        if bad == "unknown-winner":
            what = f"winner {winner!r}; expected a side, one of the two names, tie, both_bad or a probability"
            raise DataError("unknown-winner", what, file=file, row=line, hint=hint)
        if bad == "bad-weight":
            what = f"{self.roles['weight']} is missing, negative or not a number; expected a number ≥ 0"
            raise DataError("bad-weight", what, file=file, row=line, hint=hint)
        raise DataError("missing-field", "a name or the winner is missing", file=file, row=line, hint=hint)

    def _place(self, row: int) -> tuple[str, int]:
        """File and 1-based row (line of a CSV, its header counted) of a position."""
        for file in self.files:
            count = self._rows(f"SELECT count(*) FROM {scan([file])}")[0][0]
            if row < count:
                return file, row + 1 + (kind_of(file) == "csv")
            row -= count
        return self.files[-1], row + 1

    def _make_view(self) -> None:
        """Every row with `bad` (null or what is wrong with it) and what the file said, as `_battles`."""
        a, b = quoted(self.roles["source_a"]), quoted(self.roles["source_b"])
        said, outcome, prob = self._verdict(a, b)
        self._missing = f"{a} IS NULL OR {b} IS NULL OR {said} IS NULL"
        self._bad_weight = "FALSE"
        if "weight" in self.roles:
            weight = f"TRY_CAST({quoted(self.roles['weight'])} AS DOUBLE)"
            self._bad_weight = f"({weight} IS NULL OR NOT isfinite({weight}) OR {weight} < 0)"

        def optional(name: str, kind: str, default: str = "NULL") -> str:
            if name not in self.roles:
                return f"CAST({default} AS {kind})"
            column = quoted(self.roles[name])
            if name == "at" and any(word in self.types[self.roles[name]] for word in ("TIMESTAMP", "DATE")):
                return f"CAST(epoch({column}) AS DOUBLE)"
            return f"TRY_CAST({column} AS {kind})"

        self.connection.execute(
            f"""
            CREATE OR REPLACE TEMP VIEW _battles AS
            WITH told AS (SELECT row_number() OVER () - 1 AS _row, *, {outcome} AS _outcome FROM _raw),
            known AS (SELECT *, CAST({prob} AS DOUBLE) AS _prob FROM told)
            SELECT CAST(_row AS BIGINT) AS row, {optional("id", "VARCHAR")} AS id,
                CAST({a} AS VARCHAR) AS source_a, CAST({b} AS VARCHAR) AS source_b, _outcome AS outcome, _prob AS prob,
                {optional("by", "VARCHAR")} AS by, {optional("criterion", "VARCHAR")} AS criterion,
                {optional("strength", "DOUBLE")} AS strength, {optional("weight", "DOUBLE", "1.0")} AS weight,
                CAST(NULL AS INTEGER) AS a, CAST(NULL AS INTEGER) AS b, CAST(NULL AS BOOLEAN) AS a_first,
                {optional("at", "DOUBLE")} AS at, CAST({said} AS VARCHAR) AS winner,
                CASE WHEN {self._missing} THEN 'missing-field'
                     WHEN _prob IS NULL THEN 'unknown-winner'
                     WHEN {self._bad_weight} THEN 'bad-weight' END AS bad
            FROM known
            """
        )

    def _verdict(self, a: str, b: str) -> tuple[str, str, str]:
        """SQL of what the file said, of the outcome, and of P(a ≻ b) (which may use `_outcome`)."""
        no_outcome = "CAST(NULL AS VARCHAR)"
        if "prob" in self.roles:
            said = quoted(self.roles["prob"])
            return said, no_outcome, _probability(said)
        if "winner" not in self.roles:
            said = " ".join(f"WHEN {quoted(name)} = 1 THEN {literal(word)}" for name, word in ONE_HOT.items())
            return f"(CASE {said} END)", f"CASE {said} END", FROM_OUTCOME
        said = quoted(self.roles["winner"])
        distinct = self._rows(f"SELECT DISTINCT {said} FROM _raw LIMIT {DISTINCT + 1}")
        values = [value for (value,) in distinct if value is not None]
        if values and all(isinstance(value, int | float | Decimal) for value in values) and 2 not in values:
            if all(value in (0, 0.5, 1) for value in values):
                return (
                    said,
                    f"CASE {said} WHEN 1 THEN 'first' WHEN 0 THEN 'second' WHEN 0.5 THEN 'tie' END",
                    FROM_OUTCOME,
                )
            return said, no_outcome, _probability(said)
        return said, self._words(said, a, b, values), FROM_OUTCOME

    def _words(self, said: str, a: str, b: str, values: list[Any]) -> str:
        """SQL of the outcome that words mean; a side's own name wins over a word."""
        from zermelo.feedback.formats.winners import WORDS

        columns = {self.roles["source_a"].lower(): "first", self.roles["source_b"].lower(): "second"}
        words = {**WORDS, **columns}
        named = f"WHEN {said} = {a} AND {a} <> {b} THEN 'first' WHEN {said} = {b} AND {a} <> {b} THEN 'second'"
        if len(values) > DISTINCT:
            whole = f"lower(trim(CAST({said} AS VARCHAR)))"
            each = " ".join(
                f"WHEN {whole} = {literal(word)} THEN {literal(said_so)}" for word, said_so in words.items()
            )
            return f"CASE {named} {each} END"
        known = {value: words.get(_word(value)) for value in values}
        whens = [f"WHEN CAST({said} AS VARCHAR) = {literal(str(v))} THEN {literal(o)}" for v, o in known.items() if o]
        self.all_known = all(known.values())
        if self.all_known and not (set(map(str, values)) - PLAIN) & self._names(a, b):
            named = ""
        return f"CASE {named} {' '.join(whens)} ELSE NULL END" if named or whens else "CAST(NULL AS VARCHAR)"

    def _names(self, a: str, b: str) -> set[str]:
        """The names of all players."""
        sides = (self._rows(f"SELECT DISTINCT CAST({side} AS VARCHAR) FROM _raw") for side in (a, b))
        return {name for rows in sides for (name,) in rows if name is not None}


FROM_OUTCOME = (
    "CASE _outcome WHEN 'first' THEN 1.0 WHEN 'second' THEN 0.0 WHEN 'tie' THEN 0.5 WHEN 'both_bad' THEN 0.5 END"
)


def _probability(column: str) -> str:
    number = f"TRY_CAST({column} AS DOUBLE)"
    return f"CASE WHEN {number} BETWEEN 0 AND 1 THEN {number} END"


def _word(value: Any) -> str:
    """A winner as the table of words spells it."""
    whole = isinstance(value, float | Decimal) and value == int(value)
    return str(int(value)) if whole else str(value).strip().lower()
