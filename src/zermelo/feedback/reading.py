"""Files to groups: `read_groups`, `detect`, and the report of what was bad, suspicious or missing.

Strict by default: the first bad row raises `DataError` with `file:row`. With `skip_bad` bad rows are set aside and
counted; a file without a single good row is an error either way. Memory is constant but for 64 bits a row, by which
repeated ids and repeated rows are found.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from zermelo.errors import DataError, SettingError, nearest, warn
from zermelo.feedback.files import BadRow, RawRow, Source, expand, labels, no_rows, open_source
from zermelo.feedback.formats import FORMATS, load_format
from zermelo.feedback.protocol import SKIP_HINT, Format, Row, Sample
from zermelo.feedback.records import Group, Judgement, Response, check_judgement, prompt_key
from zermelo.feedback.rejects import Rejects
from zermelo.feedback.suspicions import content_digest, mark, suspicions

__all__ = ["Paths", "ReadReport", "detect", "find_format", "read_groups"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
SAMPLE_ROWS = 16


@dataclass
class ReadReport:
    """What a reading met; filled while the groups are drawn.

    Args:
        files: Files read.
        formats: Format name → files of that format.
        rows: Rows seen, bad ones included.
        groups: Groups yielded.
        bad: Error code → bad rows.
        suspicious: Kind → groups (`suspicions.py` lists the kinds).
        missing: Field → values that the format marks as missing (N/A, empty).
        first_suspicious: Kind → id of the first such group.
    """

    files: list[str] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    groups: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    suspicious: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    first_suspicious: dict[str, str] = field(default_factory=dict)
    n_suspicious: int = 0

    @property
    def n_bad(self) -> int:
        """Bad rows in all."""
        return sum(self.bad.values())


def detect(path: str | os.PathLike[str], *, columns: Mapping[str, str] | None = None) -> Format:
    """The format of a file, from its first rows.

    Raises:
        DataError: no rows, or rows that fit no known format.
    """
    with open_source(os.fspath(path)) as source:
        return _choose(source, None, columns)[0]


def find_format(name: str) -> Format:
    """A format by name.

    Raises:
        SettingError: no such format.
    """
    if name not in FORMATS:
        guess = nearest(name, list(FORMATS))
        hint = f"did you mean `{guess}`?" if guess else "known: " + " ".join(FORMATS)
        raise SettingError("unknown-format", f"no format {name!r}", hint=hint)
    return load_format(name)


def read_groups(
    paths: Paths,
    *,
    format: str | None = None,
    skip_bad: bool = False,
    rejects: Rejects | None = None,
    columns: Mapping[str, str] | None = None,
    report: ReadReport | None = None,
    quiet: bool = False,
) -> Iterator[Group]:
    """Groups of files in any known format, one at a time, in order.

    Args:
        paths: Files, globs, folders, `-` for standard input; `.gz` and `.zst` are read as they are.
        format: Name of the format; by default each file's is detected.
        skip_bad: Set bad rows aside instead of stopping at the first.
        rejects: Where bad rows go; by default they are only counted.
        columns: Which columns hold what (`{"prompt": "question", "chosen": "best"}`), for the format `columns`.
        report: Filled with counts while the groups are drawn.
        quiet: No warning about suspicious rows at the end.
    Yields:
        One group a row; for formats with a row a response, one group for adjacent rows with equal prompts.
    Raises:
        DataError: a bad row (unless `skip_bad`); a file without rows, cut or unreadable; an unknown format.
        SettingError: `format` or `columns` name something unknown.
    """
    report = ReadReport() if report is None else report
    if format is not None:
        find_format(format)
    files = expand(paths)
    state = _State(skip_bad=skip_bad, rejects=rejects, report=report)
    for path, label in zip(files, labels(files), strict=True):
        with open_source(path, label) as source:
            chosen, rows = _choose(source, format, columns)
            report.files.append(path)
            report.formats[chosen.name] = report.formats.get(chosen.name, 0) + 1
            yield from state.file(chosen, source, rows)
    if report.n_suspicious and not quiet:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in report.suspicious.most_common())
        warn("suspicious-rows", f"{report.n_suspicious:,} of {report.groups:,} groups are suspicious: {kinds}")


def _choose(
    source: Source, name: str | None, columns: Mapping[str, str] | None
) -> tuple[Format, Iterator[RawRow | BadRow]]:
    """The format of an opened file, and its rows with the sampled ones put back."""
    sampled = list(itertools.islice(source.rows, SAMPLE_ROWS))
    if not sampled:
        raise no_rows(source.path, "the file has no rows")
    rows = itertools.chain(sampled, source.rows)
    good = tuple(row.fields for row in sampled if isinstance(row, RawRow))
    if columns:
        from zermelo.feedback.formats.columns import Columns

        if name not in (None, "columns"):
            raise SettingError("bad-setting", f"columns are named for the format `columns`. Got format {name!r}")
        return Columns.named(columns, known=_known(source, good)), rows
    if name is not None and name != "columns":
        return load_format(name), rows
    if not good:
        first = next(row for row in sampled if isinstance(row, BadRow))
        raise first.error
    sample = Sample(source.label, source.container, good, source.native)
    if name == "columns":
        best = load_format("columns")
        if best.matches(sample) <= 0:
            raise _unfit(source, sample)
    else:
        scored = [(load_format(known).matches(sample), -place, known) for place, known in enumerate(FORMATS)]
        score, _, best_name = max(scored)
        if score <= 0:
            raise _unfit(source, sample)
        best = load_format(best_name)
    guessed = getattr(best, "guess", None)
    return (best if guessed is None else guessed(sample)), rows


def _known(source: Source, good: tuple[Mapping[str, object], ...]) -> frozenset[str]:
    return frozenset(source.fields or ()) | frozenset(name for row in good for name in row)


def _unfit(source: Source, sample: Sample) -> DataError:
    fields = ", ".join(sorted(sample.fields)[:12])
    return DataError(
        "unknown-format",
        f"columns {fields} fit no known format",
        file=source.path,
        hint="name the columns: `--columns prompt=…,chosen=…,rejected=…`, of battles `--columns a=…,b=…,winner=…` "
        "(docs/formats.md lists what can be named)",
    )


class _State:
    """What one reading remembers between rows: explicit ids and contents already seen, and the counts."""

    def __init__(self, *, skip_bad: bool, rejects: Rejects | None, report: ReadReport) -> None:
        self.skip_bad, self.rejects, self.report = skip_bad, rejects, report
        self.ids: set[int] = set()
        self.contents: set[int] = set()

    def file(self, form: Format, source: Source, rows: Iterator[RawRow | BadRow]) -> Iterator[Group]:
        """The groups of one file; adjacent rows joined where a row is one response."""
        held: list[Group] = []
        held_key: object = None
        found, fold = False, getattr(form, "fold", False)
        for item in rows:
            self.report.rows += 1
            group = self.row(form, source, item)
            if group is None:
                continue
            found = True
            if not form.per_response:
                yield self.counted(group)
                continue
            key = (prompt_key(group.prompt), group.user, group.session, group.meta.get("group"))
            if held and (key != held_key or (group.prompt is None and "group" not in group.meta)):
                yield self.counted(join(held, fold=fold))
                held = []
            held_key = key
            held.append(group)
        if held:
            yield self.counted(join(held, fold=fold))
        if not found:
            raise no_rows(source.path, "every row of the file is bad" if self.report.n_bad else "the file has no rows")

    def row(self, form: Format, source: Source, item: RawRow | BadRow) -> Group | None:
        """One row as a group, or None for a bad row that was set aside."""
        try:
            if isinstance(item, BadRow):
                raise item.error
            row = Row(item.fields, source.path, item.number, source.label, form.shape)
            group = form.read(row)
            for judgement in group.judgements:
                check_judgement(judgement, len(group.responses), file=row.file, row=row.number)
            if group.id != row.place:
                self.unrepeated(group.id, row)
        except DataError as error:
            if error.row is None:
                raise
            if not self.skip_bad:
                raise error if error.hint else _hinted(error) from None
            self.report.bad[error.code] += 1
            if self.rejects is not None:
                self.rejects.add(error, item.raw if item.raw else getattr(item, "fields", ""))
            return None
        self.report.missing.update(row.missing)
        digest = content_digest(group)
        if digest is not None:
            if digest in self.contents:
                row.suspicious.append("duplicate-row")
            self.contents.add(digest)
        return mark(group, row.suspicious) if row.suspicious else group

    def unrepeated(self, name: str, row: Row) -> None:
        digest = hash(name)  # 64 bits, compared within this reading only
        if digest in self.ids:
            raise row.bad("duplicate-id", f"id {name!r} stands in an earlier row; expected ids that are unique")
        self.ids.add(digest)

    def counted(self, group: Group) -> Group:
        """The group, its suspicions counted."""
        self.report.groups += 1
        kinds = suspicions(group)
        if kinds:
            self.report.n_suspicious += 1
            for kind in kinds:
                self.report.suspicious[kind] += 1
                self.report.first_suspicious.setdefault(kind, group.id)
        return group


def _hinted(error: DataError) -> DataError:
    return DataError(error.code, error.message, file=error.file, row=error.row, hint=SKIP_HINT)


def join(groups: list[Group], *, fold: bool = False) -> Group:
    """Groups with one prompt as one group: responses in order, judgements pointing at them; id and meta of the first.

    What the later ones say beyond the first's meta goes to their responses' meta.

    Args:
        groups: Groups of one response each.
        fold: The same answer of the same source again is not a further response.
    """
    first = groups[0]
    if len(groups) == 1:
        return first
    responses: list[Response] = []
    judgements: list[Judgement] = []
    kinds: list[str] = []
    for group in groups:
        offset = len(responses)
        kinds += group.meta.get("suspicious") or ()
        extra = {
            name: value for name, value in group.meta.items() if name not in first.meta or first.meta[name] != value
        }
        extra.pop("suspicious", None)
        known = responses.index(group.responses[0]) if fold and group.responses[0] in responses else None
        if known is not None:
            judgements += [_shifted(judgement, known) for judgement in group.judgements]
            continue
        responses += [replace(item, meta={**extra, **item.meta}) if extra else item for item in group.responses]
        judgements += [_shifted(judgement, offset) for judgement in group.judgements] if offset else group.judgements
    return mark(replace(first, responses=tuple(responses), judgements=tuple(judgements)), kinds)


def _shifted(judgement: Judgement, offset: int) -> Judgement:
    shown = None if judgement.shown is None else tuple(item + offset for item in judgement.shown)
    return replace(judgement, on=tuple(item + offset for item in judgement.on), shown=shown)
