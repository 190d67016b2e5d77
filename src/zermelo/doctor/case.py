"""`Case`: the data under examination, with the tables that audits share, each made once and only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from zermelo.doctor.geometry.vectors import Points
    from zermelo.doctor.scan import TextTable
    from zermelo.feedback import Feedback
    from zermelo.feedback.view import View

__all__ = ["Case", "Comparisons", "PairTexts"]

OVERALL = ("overall", "overall_score", "overall_quality", "preference", "score", "helpfulness")


@dataclass(frozen=True)
class Comparisons:
    """Every stated comparison, ties too, in order of the rows. [J]

    Args:
        row: Position of the group.
        first: Index of the response named first, in its group.
        second: Index of the other.
        prob: P(first ≻ second); ½ for a tie, NaN for no value.
        tie: A tie was declared.
        shown: 1 where the judge saw `first` first, −1 where it saw `second` first, 0 where that is unknown.
        at: Time of the judgement in seconds, NaN where unknown.
        strength: Stated strength, NaN where there is none.
        by: Annotator code, −1 where unknown; names in `annotators`.
        annotators: Their names.
        criterion: Criterion code, −1 where there is none; names in `criteria`.
        criteria: Their names.
        source_first: Source code of the first response, −1 where unknown; names in `sources`.
        source_second: Of the second.
        sources: Their names.
    """

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    prob: NDArray[np.float64]
    tie: NDArray[np.bool_]
    shown: NDArray[np.int8]
    at: NDArray[np.float64]
    strength: NDArray[np.float64]
    by: NDArray[np.int32]
    annotators: tuple[str, ...]
    criterion: NDArray[np.int32]
    criteria: tuple[str, ...]
    source_first: NDArray[np.int32]
    source_second: NDArray[np.int32]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class PairTexts:
    """Preferences with their texts, the preferred response first. [M]

    Args:
        index: Place of the pair in `case.pairs`.
        row: Position of the group.
        win: Index of the preferred response.
        lose: Index of the other.
        prob: P(win ≻ lose), ≥ ½.
        prompt: The prompt as one text.
        chosen: The preferred response's text.
        rejected: The other's.
        source_win: Who wrote the preferred one, None where unknown.
        source_lose: Who wrote the other.
        by: Who judged, None where unknown.
        of: How many pairs there are in all; more than M where this is a sample.
    """

    index: NDArray[np.int64]
    row: NDArray[np.int64]
    win: NDArray[np.int64]
    lose: NDArray[np.int64]
    prob: NDArray[np.float64]
    prompt: Sequence[str]
    chosen: Sequence[str]
    rejected: Sequence[str]
    source_win: Sequence[str | None]
    source_lose: Sequence[str | None]
    by: Sequence[str | None]
    of: int

    def __len__(self) -> int:
        return len(self.row)


@dataclass(eq=False)
class Case:
    """Preference data under examination.

    Args:
        feedback: The data; bad rows have been refused or set aside by the reader.
        files: Where it came from, for the page.
        seed: Of samples, folds and bootstraps.
        encoder: `tfidf`, or the name of a sentence encoder (`minilm`) for audits that look at meaning.
        benchmarks: Files of benchmarks whose items must not be in the data.
        policy: A model directory or name, for audits that ask what a policy makes of the data.
        n_pairs: Most pairs whose texts are held at once; audits of texts look at a sample of that size.
    """

    feedback: Feedback
    files: Sequence[str] = ()
    seed: int = 0
    encoder: str = "tfidf"
    benchmarks: Sequence[str] = ()
    policy: str | None = None
    n_pairs: int = 20_000

    @cached_property
    def n_rows(self) -> int:
        """Number of groups."""
        return len(self.feedback)

    @cached_property
    def texts(self) -> TextTable:
        """Every text's length, digest and flags, from one streaming pass."""
        from zermelo.doctor.checks import CHECKS
        from zermelo.doctor.scan import scan_texts

        return scan_texts(self.feedback, CHECKS)

    @cached_property
    def comparisons(self) -> Comparisons:
        """Every stated comparison, ties too."""
        return _comparisons(self.feedback)

    @cached_property
    def ratings(self) -> pa.Table:
        """The view `ratings`: row, response, source, by, criterion, value, low, high, at."""
        return self.feedback.ratings().arrow()

    @cached_property
    def pairs_view(self) -> View:
        """Preferences: stated comparisons or, where there are none, the best and worst of ratings and rankings."""
        if len(self.comparisons):
            return self.feedback.pairs()
        return self.feedback.pairs(ratings="best_worst", rankings="best_worst", criterion=self.criterion)

    @cached_property
    def pairs(self) -> pa.Table:
        """`pairs_view` as a table: row, win, lose, prob, margin, strength, origin, source_win, source_lose, by, …."""
        return self.pairs_view.arrow()

    @cached_property
    def criterion(self) -> str | None:
        """Of several criteria of ratings, the overall one, else the most frequent; None where there is one or none."""
        import pyarrow.compute as pc

        counted = pc.value_counts(self.ratings.column("criterion").cast("string")).to_pylist()
        names = {item["values"]: item["counts"] for item in counted if item["values"] is not None}
        if len(names) + any(item["values"] is None for item in counted) < 2:
            return None
        lowered = {name.lower(): name for name in names}
        for known in OVERALL:
            if known in lowered:
                return lowered[known]
        return max(names, key=lambda name: (names[name], name)) if names else None

    @cached_property
    def sample(self) -> PairTexts:
        """At most `n_pairs` preferences with their texts, drawn without replacement, in order of the rows."""
        return _with_texts(self, self.n_pairs)

    @cached_property
    def points(self) -> Points | None:
        """Answers of a sample as points with their nearest neighbours; None where there are too few."""
        from zermelo.doctor.geometry.vectors import points_of

        return points_of(self)

    def pair_texts(self, index: NDArray[np.int64]) -> PairTexts:
        """The texts of some pairs, by place in `pairs`."""
        return _texts_at(self, np.asarray(index, np.int64))


def _comparisons(feedback: Feedback) -> Comparisons:
    import pyarrow as pa
    import pyarrow.compute as pc

    from zermelo.feedback.deriving import probabilities
    from zermelo.feedback.flat import first_of

    fields = ("sources", "by", "criterion", "value", "outcome", "strength", "shown", "at")
    parts: dict[str, list[NDArray[np.generic]]] = {}
    names: dict[str, list[pa.Array]] = {"by": [], "criterion": [], "source_first": [], "source_second": []}
    for flat in feedback.source.flat(["comparison"], fields, feedback.rows):
        prob, tie = probabilities(flat)
        first, second = (flat.response(k).to_numpy(zero_copy_only=False).astype(np.int64) for k in (0, 1))
        seen = first_of(flat.columns["shown"])
        shown = pc.fill_null(seen.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        order = np.where(shown < 0, 0, np.where(shown == first, 1, np.where(shown == second, -1, 0))).astype(np.int8)
        found = {
            "row": flat.row, "first": first, "second": second, "prob": prob, "tie": tie, "shown": order,
            "at": flat.number("at"), "strength": flat.number("strength"),
        }  # fmt: skip
        for name, column in found.items():
            parts.setdefault(name, []).append(column)
        for name, column in (
            ("by", flat.columns["by"]),
            ("criterion", flat.columns["criterion"]),
            ("source_first", flat.source(0)),
            ("source_second", flat.source(1)),
        ):
            names[name].append(column.cast(pa.string()))
    kinds = (np.int64, np.int64, np.int64, np.float64, bool, np.int8, np.float64, np.float64)
    keys = ("row", "first", "second", "prob", "tie", "shown", "at", "strength")
    columns = [
        np.concatenate(parts[key]).astype(kind) if parts else np.zeros(0, kind)
        for key, kind in zip(keys, kinds, strict=True)
    ]
    (by,), annotators = _coded([names["by"]])
    (criterion,), criteria = _coded([names["criterion"]])
    (one, two), sources = _coded([names["source_first"], names["source_second"]])
    return Comparisons(
        **dict(zip(keys, columns, strict=True)),  # type: ignore[arg-type]
        by=by,
        annotators=annotators,
        criterion=criterion,
        criteria=criteria,
        source_first=one,
        source_second=two,
        sources=sources,
    )


def _coded(columns: Sequence[Sequence[pa.Array]]) -> tuple[list[NDArray[np.int32]], tuple[str, ...]]:
    """Codes of strings of several columns under one sorted list of names, −1 for null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = [pa.concat_arrays([pa.array([], pa.string()), *column]) for column in columns]
    known = sorted(pc.unique(pa.concat_arrays(whole)).drop_null().to_pylist())
    table = pa.array(known, pa.string())
    found = [pc.fill_null(pc.index_in(column, value_set=table), -1) for column in whole]
    return [np.asarray(codes.to_numpy(zero_copy_only=False), np.int32) for codes in found], tuple(known)


def _with_texts(case: Case, n: int) -> PairTexts:
    total = case.pairs.num_rows
    if total <= n:
        return _texts_at(case, np.arange(total))
    rng = np.random.default_rng((case.seed, 1929))
    return _texts_at(case, np.sort(rng.choice(total, n, replace=False)))


def _texts_at(case: Case, index: NDArray[np.int64]) -> PairTexts:
    from zermelo.feedback.view import flat_prompt

    picked = case.pairs.take(index)
    row, win, lose = (picked[name].to_numpy().astype(np.int64) for name in ("row", "win", "lose"))
    wanted, inverse = np.unique(row, return_inverse=True)
    prompt, chosen, rejected = ([""] * len(row) for _ in range(3))
    order = np.argsort(inverse, kind="stable")
    ends = np.searchsorted(inverse[order], np.arange(len(wanted)), side="right")
    for start in range(0, len(wanted), 2_048):  # groups become Python objects a few at a time
        found = case.feedback.at(wanted[start : start + 2_048].tolist())
        for number in range(start, min(start + 2_048, len(wanted))):
            group = found[int(wanted[number])]
            text = flat_prompt(group) or ""
            for at in order[ends[number - 1] if number else 0 : ends[number]]:
                prompt[at] = text
                chosen[at] = group.responses[win[at]].content
                rejected[at] = group.responses[lose[at]].content
    names = {name: picked[name].cast("string").to_pylist() for name in ("source_win", "source_lose", "by")}
    prob = picked["prob"].to_numpy()
    return PairTexts(index, row, win, lose, prob, prompt, chosen, rejected, **names, of=case.pairs.num_rows)
