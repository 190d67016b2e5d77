"""A view: flat rows drawn from a collection when asked for, in a documented schema, without the texts.

The rows come as record batches or, for a bare file, from a DuckDB query; either way aggregation runs in DuckDB
(`view.sql`) before anything becomes a Python object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zermelo.errors import DataError, SettingError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from zermelo.feedback.records import Group

__all__ = ["Dropped", "View", "run_sql", "stream"]


class Dropped(dict[str, int]):
    """reason → number of judgements (or derived pairs) that a view left out."""

    def add(self, reason: str, count: int) -> None:
        """Count some more."""
        if count:
            self[reason] = self.get(reason, 0) + int(count)


@dataclass(frozen=True, eq=False)
class View:
    """Flat rows of one kind, lazily.

    `row` of every view is the group's position in the collection's files, from 0; indices of responses are the group's
    own. Strings that repeat (`id`, sources, `by`, `criterion`) are dictionary-encoded in Arrow.

    Args:
        name: `pairs`, `ratings`, …
        schema: Its columns.
        batches_of: Starts a pass over the data: record batches of some of the columns, and counts of what is left out.
        texts: Text column → the column(s) of response indices it belongs to, for `text`.
        groups_at: Groups at sorted positions, for `text` and `groups`; None for a bare file.
        relate: Makes the DuckDB relation directly from a file, where there is no need of Arrow.
    """

    name: str
    schema: pa.Schema
    batches_of: Callable[[Dropped, pa.Schema], Iterator[pa.RecordBatch]]
    texts: tuple[tuple[str, str], ...] = ()
    groups_at: Callable[[Sequence[int]], dict[int, Group]] | None = None
    relate: Callable[[Any], Any] | None = None
    _counted: list[Dropped] = field(default_factory=list, repr=False)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Record batches, streaming."""
        seen = Dropped()
        for batch in self.batches_of(seen, self.schema):
            if batch.num_rows:
                yield batch
        self._counted[:] = [seen]

    def select(self, *columns: str) -> View:
        """The view with only some of its columns; the others are not read.

        Raises:
            SettingError: the view has no such column.
        """
        import pyarrow as pa

        for name in columns:
            if name not in self.schema.names:
                known = ", ".join(self.schema.names)
                raise SettingError(
                    "unknown-column", f"{self.name}() has no column {name!r}", hint=f"there are: {known}"
                )
        schema = pa.schema([self.schema.field(name) for name in columns])
        return replace(self, schema=schema, _counted=[])

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        import pyarrow as pa

        return pa.Table.from_batches(list(self.batches()), self.schema)

    def frame(self) -> pd.DataFrame:
        """All rows as a pandas frame, with plain strings."""
        import pyarrow as pa

        table = self.arrow()
        for i, column in enumerate(table.schema):
            if pa.types.is_dictionary(column.type):
                table = table.set_column(i, column.name, table.column(i).cast(column.type.value_type))
        return table.to_pandas()

    def count(self) -> int:
        """Number of rows."""
        if self.relate is not None:
            return int(self.sql("SELECT count(*) AS n FROM view").column(0)[0].as_py())
        return sum(batch.num_rows for batch in self.select("row").batches())

    def __len__(self) -> int:
        return self.count()

    @property
    def dropped(self) -> dict[str, int]:
        """Why and how often a judgement gave no row: `tie`, `no-source`, …"""
        if not self._counted:
            for _ in self.batches():
                pass
        return dict(self._counted[0])

    def relation(self, connection: Any, failed: list[DataError] | None = None) -> Any:
        """The view as a DuckDB relation of this connection; good for one query.

        Args:
            connection: A DuckDB connection.
            failed: Gets a `DataError` that ends the pass, which DuckDB reports as an error of its own.
        """
        if self.relate is not None:
            return self.relate(connection)
        return connection.from_arrow(stream(self.schema, self.batches(), [] if failed is None else failed))

    def sql(self, query: str) -> pa.Table:
        """Run a query in which `view` is this view, once; columns that it does not name are not read.

            feedback.ratings().sql("SELECT source, criterion, avg(value) AS mean FROM view GROUP BY ALL")

        Raises:
            SettingError: DuckDB does not understand the query.
        """
        import duckdb

        named = _named(query, self.schema.names)
        if self.relate is None and len(named) < len(self.schema.names):
            try:
                return run_sql(query, raw=True, view=self.select(*(named or self.schema.names[:1])).relation)
            except duckdb.BinderException:  # a column that is there under a name we did not see; ask with all of them
                pass
        return run_sql(query, view=self.relation)

    def groups(self, rows: Sequence[int] | slice | None = None) -> list[Group]:
        """The groups behind some rows of the view, one for each row.

        Args:
            rows: Which rows; all by default.
        """
        return self._groups_of(self._picked(rows))

    def text(self, rows: Sequence[int] | slice | None = None) -> pa.Table:
        """Rows with their texts read from the file now: `prompt`, and one column per response (`chosen`, …).

        A conversation is its turns joined by blank lines; `groups` gives the messages.

        Args:
            rows: Which rows; all by default.
        """
        import pyarrow as pa

        picked = self._picked(rows)
        groups = self._groups_of(picked)
        picked = picked.append_column("prompt", pa.array([flat_prompt(group) for group in groups], pa.string()))
        for name, column in self.texts:
            found = [_contents(group, on) for group, on in zip(groups, picked[column].to_pylist(), strict=True)]
            kind = pa.list_(pa.string()) if pa.types.is_list(picked.schema.field(column).type) else pa.string()
            picked = picked.append_column(name, pa.array(found, kind))
        return picked

    def _groups_of(self, picked: pa.Table) -> list[Group]:
        if self.groups_at is None:
            raise SettingError("no-texts", f"{self.name}() of a bare file has no groups and no texts")
        at = picked["row"].to_pylist()
        found = self.groups_at(sorted(set(at)))
        return [found[row] for row in at]

    def _picked(self, rows: Sequence[int] | slice | None) -> pa.Table:
        """Some rows as a table; a slice from the front stops reading when it has them."""
        import itertools

        import pyarrow as pa

        if rows is None:
            return self.arrow()
        if isinstance(rows, slice) and rows.step in (None, 1) and (rows.start or 0) >= 0 and (rows.stop or -1) >= 0:
            held: list[Any] = []
            for batch in self.batches_of(Dropped(), self.schema):
                held.append(batch)
                if sum(item.num_rows for item in held) >= rows.stop:
                    break
            return pa.Table.from_batches(held, self.schema)[rows]
        table = self.arrow()
        if isinstance(rows, slice):
            return table.take(list(itertools.islice(range(table.num_rows), *rows.indices(table.num_rows))))
        return table.take([row + table.num_rows if row < 0 else row for row in rows])


def run_sql(query: str, *, raw: bool = False, **relations: Callable[[Any, list[DataError]], Any]) -> pa.Table:
    """Run one query over named relations in a DuckDB of its own.

    Args:
        query: SQL.
        raw: Leave DuckDB's own errors as they are.
        relations: Name → function that makes the relation from a connection and a list for errors (`stream`).
    Raises:
        SettingError: the query is not understood (`bad-sql`).
    """
    import duckdb

    failed: list[DataError] = []
    with duckdb.connect() as connection:
        try:
            for name, relate in relations.items():
                relate(connection, failed).create_view(name)
            return connection.sql(query).to_arrow_table()
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
            if raw:
                raise
            raise SettingError("bad-sql", str(error).strip().splitlines()[0]) from None
        except Exception:
            if failed:  # an error in our own pass over the data comes back as one of DuckDB's
                raise failed[0] from None
            raise


def stream(schema: pa.Schema, batches: Iterator[pa.RecordBatch], failed: list[DataError]) -> pa.RecordBatchReader:
    """Record batches as a reader for DuckDB; a `DataError` on the way is also put into `failed`."""
    import pyarrow as pa

    def watched() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except DataError as error:
            failed.append(error)
            raise

    return pa.RecordBatchReader.from_batches(schema, watched())


def _named(query: str, columns: Sequence[str]) -> list[str]:
    """The columns that a query can need: all of them where it asks for a star, or has no SELECT."""
    plain = re.sub(r"count\s*\(\s*\*\s*\)", "count()", query, flags=re.IGNORECASE)
    star = re.search(r"(select|,|\.|\()\s*(distinct\s+)?\*|\bcolumns\s*\(|\bnatural\b|\bpivot", plain, re.IGNORECASE)
    if star or not re.search(r"\bselect\b", plain, re.IGNORECASE) or re.match(r"\s*from\b", plain, re.IGNORECASE):
        return list(columns)
    return [name for name in columns if re.search(rf"\b{name}\b", plain, re.IGNORECASE)]


def flat_prompt(group: Group) -> str | None:
    """A prompt as one string."""
    if group.prompt is None or isinstance(group.prompt, str):
        return group.prompt
    return "\n\n".join(message.content for message in group.prompt)


def _contents(group: Group, on: int | list[int] | None) -> str | list[str | None] | None:
    if isinstance(on, list):
        return [_content(group, item) for item in on]
    return None if on is None else _content(group, on)


def _content(group: Group, on: int) -> str | None:
    response = group.responses[on]
    return None if response.text is None and response.messages is None else response.content
