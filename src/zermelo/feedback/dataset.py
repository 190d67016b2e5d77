"""`Feedback`: a collection of groups, read lazily, with views, selections, joins and splits.

A collection is a source of groups (`sources.py`) and which of its rows are chosen; nothing is read until it is needed,
and whole texts are read only by iteration, `texts` and `view.text`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zermelo.errors import DataError, SettingError
from zermelo.feedback.records import Group, Judgement
from zermelo.feedback.sources import ArrowRows, Judged, ParquetRows, Rows, RowsOf, Spooled, native_paths

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.feedback.deriving import Derive
    from zermelo.feedback.reading import Paths, ReadReport
    from zermelo.feedback.rejects import Rejects
    from zermelo.feedback.view import View
    from zermelo.feedback.writing import WriteReport

__all__ = ["Feedback"]

GROUPS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Feedback:
    """Groups, in a fixed order.

        feedback = Feedback.read("ultrafeedback.parquet")
        feedback.ratings().sql("SELECT source, avg(value) FROM view GROUP BY ALL")
        parts = feedback.split({"train": 0.9, "test": 0.1}, seed=0)

    Args:
        source: Where the groups lie.
        rows: Sorted positions of the chosen ones; None for all.
    """

    source: Rows
    rows: RowsOf | None = None

    @classmethod
    def read(
        cls,
        paths: Paths,
        *,
        format: str | None = None,
        skip_bad: bool = False,
        columns: Mapping[str, str] | None = None,
        rejects: Rejects | None = None,
        report: ReadReport | None = None,
    ) -> Feedback:
        """Files in any known format.

        Native Parquet stays where it is and is read by columns, and so are the ratings and ids of Parquet files in the
        shapes of `shapes.py`; other files are read once, into a temporary native file, when a view first needs them.

        Args:
            paths: Files, globs, folders, `-` for standard input.
            format: Name of the format; detected by default.
            skip_bad: Set bad rows aside instead of stopping at the first.
            columns: Which columns hold what, for tables (`{"prompt": "question", …}`).
            rejects: Where bad rows go.
            report: Filled with counts by each reading of the rows.
        Raises:
            DataError: a bad file now; a bad row when it is read.
        """
        from zermelo.feedback.files import expand
        from zermelo.feedback.reading import find_format, read_groups
        from zermelo.feedback.shapes import shape_of

        files = expand(paths)
        plain = columns is None and rejects is None and report is None
        if plain and format in (None, "native") and native_paths(files):
            return cls(ParquetRows(files))
        if format is not None:
            find_format(format)

        def groups() -> Iterator[Group]:
            return read_groups(files, format=format, skip_bad=skip_bad, columns=columns, rejects=rejects, report=report)

        if plain and not skip_bad and (shaped := shape_of(files, format, groups)) is not None:
            return cls(shaped)
        again = "-" not in files and rejects is None and report is None
        return cls(Spooled(groups, again=again))

    @classmethod
    def of(cls, groups: Iterable[Group]) -> Feedback:
        """Groups in memory."""
        return cls(ArrowRows.of(groups))

    # ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def __len__(self) -> int:
        return len(self.source) if self.rows is None else len(self.rows)

    def __iter__(self) -> Iterator[Group]:
        return self.groups()

    def __repr__(self) -> str:
        return f"Feedback({len(self):,} groups)"

    def groups(self) -> Iterator[Group]:
        """The groups one at a time, streaming."""
        from zermelo.feedback.schema import groups_from_arrow

        plain = getattr(self.source, "groups", None)  # a source whose groups come from a reader
        if plain is not None and self.rows is None and (found := plain()) is not None:
            yield from found
            return
        for _, batch in self.source.batches(None, self.rows):
            for start in range(0, batch.num_rows, GROUPS_AT_ONCE):
                yield from groups_from_arrow(batch.slice(start, GROUPS_AT_ONCE))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches in the native schema, streaming.

        Args:
            columns: Dotted native paths, such as `("id", "responses.source")`; None for everything.
        """
        return (batch for _, batch in self.source.batches(columns, self.rows))

    def texts(self) -> Iterator[pa.RecordBatch]:
        """Every response's text once, streaming: `row`, `response`, `text` (null where only the source is known)."""
        from zermelo.feedback.shapes import ShapedRows
        from zermelo.feedback.texts import text_batches

        plain = self.source.texts(self.rows) if isinstance(self.source, ShapedRows) else None
        return text_batches(self.source, self.rows) if plain is None else plain

    def at(self, rows: Sequence[int]) -> dict[int, Group]:
        """Position (`row` of the views) → group, for some positions."""
        from zermelo.feedback.schema import groups_from_arrow
        from zermelo.feedback.shapes import ShapedRows

        wanted = np.unique(np.asarray(rows, dtype=np.int64))
        if isinstance(self.source, ShapedRows):
            return dict(self.source.pick(wanted))
        found: dict[int, Group] = {}
        for positions, batch in self.source.batches(None, wanted):
            found.update(zip(positions.tolist(), groups_from_arrow(batch), strict=True))
        return found

    # ── selections; the order of the groups never changes ───────────────────────────────────────────────────────────

    def filter(self, keep: Callable[[Group], bool] | str) -> Feedback:
        """Only some groups.

        Args:
            keep: A predicate on groups, or an SQL condition over the native columns: `"origin = 'online' AND
                len(responses) > 2"`. Only the columns that the condition names are read.
        Raises:
            SettingError: the condition is no SQL, or names an unknown column.
        """
        if isinstance(keep, str):
            return replace(self, rows=self._where(keep))
        places = np.flatnonzero(np.fromiter((bool(keep(group)) for group in self), dtype=bool))
        return self._chosen(places)

    def take(self, ids: Iterable[str]) -> Feedback:
        """The groups with these ids, in the order of the collection.

        Raises:
            DataError: an id that no group has.
        """
        rows = self._rows_of(list(ids))
        return replace(self, rows=np.unique(np.concatenate([np.zeros(0, np.int64), *rows.values()])))

    def sample(self, n: int, *, seed: int = 0) -> Feedback:
        """`n` groups, chosen by a hash of id and seed: the same ones whatever the order of the rows.

        Args:
            n: How many; all where there are fewer.
        """
        from zermelo.feedback.sampling import smallest

        if n < 0:
            raise SettingError("bad-setting", f"sample: n must be ≥ 0. Got {n}")
        return self._chosen(smallest(self.ids(), n, seed))

    def split(self, shares: Mapping[str, float], *, seed: int = 0, near: float | None = 0.8) -> dict[str, Feedback]:
        """Parts with no prompt in common; near-duplicate prompts stay together (`splits.py`).

        Args:
            shares: Name → share; they are divided by their sum.
            seed: Another seed, another split.
            near: Jaccard similarity of word triples from which prompts count as one; None: equal prompts only.
        """
        from zermelo.feedback.splits import sides

        named = sides(self.source, self.rows, shares, seed=seed, near=near)
        return {name: self._chosen(places) for name, places in named.items()}

    def ids(self) -> list[str]:
        """The groups' ids."""
        return [name for batch in self.batches(("id",)) for name in batch.column("id").to_pylist()]

    def keys(self) -> list[str]:
        """The groups' prompt keys."""
        from zermelo.feedback.outcomes import keys_of

        return [key for _, keys in keys_of(self.source, self.rows) for key in keys]

    # ── new judgements, other collections, files ────────────────────────────────────────────────────────────────────

    def join(self, judgements: Mapping[str, Iterable[Judgement]] | Iterable[tuple[str, Judgement]]) -> Feedback:
        """The collection with judgements appended to their groups.

        Args:
            judgements: Group id → judgements, or pairs of group id and judgement.
        Raises:
            DataError: an id that no group has; a judgement that does not fit its group.
        """
        from zermelo.feedback.records import check_judgement

        added: dict[str, list[Judgement]] = {}
        if isinstance(judgements, Mapping):
            added = {name: list(items) for name, items in judgements.items()}
        else:
            for name, item in judgements:
                added.setdefault(name, []).append(item)
        added = {name: items for name, items in added.items() if items}
        if not added:
            return self
        by_row: dict[int, list[Judgement]] = {}
        for name, rows in self._rows_of(list(added)).items():
            by_row.update((int(row), added[name]) for row in rows)
        wanted = np.array(sorted(by_row), dtype=np.int64)
        from zermelo.feedback.flat import list_lengths

        for positions, batch in self.source.batches(("id", "responses.source"), wanted):
            for row, n in zip(positions.tolist(), list_lengths(batch.column("responses")).tolist(), strict=True):
                for item in by_row[row]:
                    check_judgement(item, n)
        return replace(self, source=Judged(self.source, by_row))

    def merge(self, other: Feedback, *, by: Literal["key", "id"] = "key") -> Feedback:
        """Both collections, groups with one prompt (`key`) or one `id` made into one (`merging.py`)."""
        from zermelo.feedback.merging import merged

        return Feedback(Spooled(lambda: merged(self, other, by=by)))

    def write(self, path: str | os.PathLike[str], *, format: str | None = None, **settings: Any) -> WriteReport:
        """Write to a file, beside it first and then renamed: a reader sees the old file or the new one, whole.

        Args:
            path: The file; its suffix chooses the container (`.parquet`, `.jsonl.gz`, …).
            format: Name of the format; by default native for Parquet and Arrow, else as the suffix says.
            settings: Passed to `write_groups`.
        """
        from zermelo.feedback.writing import default_format, write_groups

        return write_groups(self, path, format=format or default_format(path), **settings)

    # ── views ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def ratings(self) -> View:
        """One row per rating: row, id, response, source, by, criterion, value, low, high, at."""
        return self._view("ratings")

    def labels(self) -> View:
        """One row per label: row, id, response (null: the group), source, second (a test), by, criterion, value, at."""
        return self._view("labels")

    def rankings(self) -> View:
        """One row per ranking: row, id, on, ranks (1 best, equal = tie), sources, by, criterion, at."""
        return self._view("rankings")

    def steps(self) -> View:
        """One row per judged step: row, id, response, source, step, by, criterion, value (NaN = unlabelled), at."""
        return self._view("steps")

    def events(self) -> View:
        """One row per event: row, id, response, source, mark, at, by, criterion, value."""
        return self._view("events")

    def battles(self) -> View:
        """One row per comparison of two known sources: row, id, source_a, source_b, outcome, prob, by, criterion, ….

        `prob` is P(a ≻ b); `outcome` is null for a bare probability. `a_first`: the judge saw a first (null: unknown).
        A file of bare battles needs no collection: `zermelo.feedback.read_battles(path)`.
        """
        return self._view("battles")

    def outcomes(self) -> View:
        """One row per rating or label of one response: row, id, key (of the prompt), response, source, score, kind, ….

        `score` is the rating's or label's value, on its own scale low..high.
        """
        from zermelo.feedback.outcomes import OUTCOMES, outcomes_of
        from zermelo.feedback.view import View

        return View("outcomes", OUTCOMES, outcomes_of(self.source, self.rows), (("text", "response"),), self.at)

    def pairs(
        self,
        *,
        ratings: Derive | None = None,
        rankings: Derive | None = None,
        margin: float = 0.0,
        criterion: str | Sequence[str] | None = None,
    ) -> View:
        """One row per preference, the preferred response first: row, id, win, lose, prob, margin, origin, sources, ….

        Declared ties and equal scores are left out and counted (`view.dropped`). A bare probability of ½ stays.

        Args:
            ratings: Also pairs of the ratings of one annotator on one criterion: `all`, the `best_worst`, or `adjacent`
                in order of value.
            rankings: Likewise of rankings.
            margin: Least difference of two ratings.
            criterion: Only judgements on this criterion, or these.
        """
        from zermelo.feedback.pairs import PAIRS, pairs_of
        from zermelo.feedback.view import View

        for name, how in (("ratings", ratings), ("rankings", rankings)):
            if how not in (None, "all", "best_worst", "adjacent"):
                raise SettingError(
                    "bad-setting", f"pairs: {name} must be 'all', 'best_worst' or 'adjacent'. Got {how!r}"
                )
        criteria = (criterion,) if isinstance(criterion, str) else criterion
        batches = pairs_of(self.source, self.rows, ratings=ratings, rankings=rankings, margin=margin, criteria=criteria)
        return View("pairs", PAIRS, batches, (("chosen", "win"), ("rejected", "lose")), self.at)

    def _view(self, name: str) -> View:
        from zermelo.feedback.view import View
        from zermelo.feedback.views import VIEWS, rows_of

        kind = VIEWS[name]
        return View(name, kind.schema, rows_of(kind, self.source, self.rows), kind.texts, self.at)

    # ── which rows ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _chosen(self, places: np.ndarray) -> Feedback:
        """The groups at some places of this collection."""
        places = np.sort(places).astype(np.int64)
        return replace(self, rows=places if self.rows is None else self.rows[places])

    def _where(self, condition: str) -> RowsOf:
        import pyarrow as pa

        from zermelo.feedback.schema import SCHEMA
        from zermelo.feedback.view import run_sql, stream

        columns = [name for name in SCHEMA.names if re.search(rf"\b{name}\b", condition, re.IGNORECASE)] or ["id"]
        schema = pa.schema([("row", pa.int64()), *(SCHEMA.field(name) for name in columns)])

        def rows() -> Iterator[pa.RecordBatch]:
            for positions, batch in self.source.batches(columns, self.rows):
                arrays = [pa.array(positions), *(batch.column(name) for name in columns)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

        found = run_sql(
            f"SELECT row FROM groups WHERE ({condition}\n)",
            groups=lambda connection, failed: connection.from_arrow(stream(schema, rows(), failed)),
        )
        return np.sort(found.column("row").to_numpy()).astype(np.int64)

    def _rows_of(self, ids: Sequence[str]) -> dict[str, RowsOf]:
        """Id → positions of the groups that have it."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = pa.array(list(dict.fromkeys(ids)), pa.string())
        found: dict[str, list[int]] = {}
        for positions, batch in self.source.batches(("id",), self.rows):
            hit = pc.is_in(batch.column("id"), wanted).to_numpy(zero_copy_only=False).astype(bool)
            for row, name in zip(positions[hit].tolist(), batch.column("id").filter(hit).to_pylist(), strict=True):
                found.setdefault(name, []).append(row)
        missing = [name for name in wanted.to_pylist() if name not in found]
        if missing:
            raise DataError("unknown-id", f"{len(missing):,} ids are not in the collection, such as {missing[0]!r}")
        return {name: np.array(rows, dtype=np.int64) for name, rows in found.items()}
