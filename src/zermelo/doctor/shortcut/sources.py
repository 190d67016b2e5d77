"""Does the name of the writer predict the label, and does any writer always say the same?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.doctor.shortcut.probe import LEAST_PAIRS, clustered_share, probed
from zermelo.doctor.shortcut.verdict import EXCERPT, SHOWN, pair_rows, shortcut
from zermelo.errors import positive, unit_interval
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["Constant", "Source"]

MOST_SOURCES = 500


@dataclass(frozen=True)
class Source:
    """A judge that sees only who wrote the answers: a strength for each source, fitted on other prompts."""

    id: ClassVar[str] = "shortcut.source"
    asks: ClassVar[str] = "does the source of an answer predict the label?"

    def run(self, case: Case) -> Sequence[Result]:
        from scipy import sparse

        pairs = case.pairs
        win, lose, names = _sources(case)
        kept = np.flatnonzero((win >= 0) & (lose >= 0) & (win != lose) & (pairs["prob"].to_numpy() > 0.5))
        if len(kept) < LEAST_PAIRS:
            return [Skipped(self.id, f"{len(kept)} decided pairs of two known sources; a probe needs {LEAST_PAIRS}")]
        rows = pairs["row"].to_numpy().astype(np.int64)[kept]
        group = pair_rows(case, rows)
        if len(np.unique(group)) < 2:
            return [Skipped(self.id, "all pairs are of one prompt")]
        m = len(kept)
        cells = (np.tile(np.arange(m), 2), np.concatenate([win[kept], lose[kept]]))
        delta = sparse.csr_matrix((np.repeat([1.0, -1.0], m), cells), shape=(m, len(names)))
        found = probed(delta, group, seed=case.seed, l2=0.1)
        wins = np.bincount(win[kept], minlength=len(names))
        games = wins + np.bincount(lose[kept], minlength=len(names))
        order = [int(at) for at in np.argsort(-found.weights, kind="stable") if games[at]][:MOST_SOURCES]
        return shortcut(
            case,
            self.id,
            found,
            rows,
            judge=f"who wrote the answers ({names[order[0]]} wins, {names[order[-1]]} loses)",
            effect="Who wrote an answer decides whether it is preferred; a model that can tell the sources apart by"
            " style needs nothing else, and DPO learns the source.",
            source='"More is Less: The Pitfalls of Multi-Model Synthetic Preference Data in DPO Safety Alignment",'
            " 2025, arXiv 2504.02193",
            remedy="compare answers of one source, or balance who wins; see shortcut.separability",
            details={"sources": float(len(order))},
            table={
                "source": [names[at] for at in order],
                "pairs": [int(games[at]) for at in order],
                "wins": [float(wins[at] / games[at]) for at in order],
                "strength (logit)": [float(found.weights[at]) for at in order],
            },
        )


@dataclass(frozen=True)
class Constant:
    """Sources whose answers to different prompts are always (nearly) the same.

    An honest answer depends on the question. A source is flagged where of at least `least` answers to different
    prompts the share `share` or more belongs to one cluster of near-equal texts.

    Args:
        share: In (0, 1].
        least: Answers of a source from which it is looked at.
        most: Answers of a source looked at for near-equality, seeded.
    Raises:
        SettingError: a setting is out of range.
    Source: "Cheating Automatic LLM Benchmarks: Null Models Achieve High Win Rates", 2024, arXiv 2410.07137.
    """

    id: ClassVar[str] = "shortcut.constant"
    asks: ClassVar[str] = "does a source always give the same answer?"
    share: float = 0.5
    least: int = 20
    most: int = 400

    def __post_init__(self) -> None:
        unit_interval(self, "share")
        positive(self, "least", "most")

    def run(self, case: Case) -> Sequence[Result]:
        row, response, code, names = _answers_of_sources(case)
        if not len(row):
            return [Skipped(self.id, "no answer has a source")]
        flagged: list[tuple[int, float, NDArray[np.int64]]] = []
        looked = 0
        for source in range(len(names)):
            own = np.flatnonzero(code == source)
            if len(np.unique(pair_rows(case, row[own]))) < self.least:
                continue
            looked += 1
            share, rows = self._sameness(case, row[own], response[own])
            if share >= self.share:
                flagged.append((source, share, rows))
        if not looked:
            return [Skipped(self.id, f"no source has answered {self.least} different prompts")]
        if not flagged:
            return [Passed(self.id, f"no source of {looked} repeats itself", wilson(0, looked))]
        return [self._finding(case, names[source], share, rows) for source, share, rows in flagged]

    def _sameness(
        self, case: Case, row: NDArray[np.int64], response: NDArray[np.int64]
    ) -> tuple[float, NDArray[np.int64]]:
        """Share of the largest cluster of (near-)equal answers, and its rows."""
        digest = case.texts.digest[case.texts.place(row, response)]
        _, inverse, counts = np.unique(digest, return_inverse=True, return_counts=True)
        commonest = inverse == counts.argmax()
        if commonest.mean() >= self.share:
            return float(commonest.mean()), row[commonest]
        if counts.max() < 2 and len(row) > self.most:  # all differ: a sample shows whether they nearly agree
            rng = np.random.default_rng((case.seed, 2410))
            some = np.sort(rng.choice(len(row), self.most, replace=False))
            row, response = row[some], response[some]
        elif len(row) > self.most:
            row, response = row[: self.most], response[: self.most]
        return _near(case, row, response)

    def _finding(self, case: Case, name: str, share: float, rows: NDArray[np.int64]) -> Finding:
        rows = np.unique(rows)
        win, lose, names = _sources(case)
        code = names.index(name) if name in names else -1
        prob = case.pairs["prob"].to_numpy() if case.pairs.num_rows else np.zeros(0)
        of_pair = case.pairs["row"].to_numpy().astype(np.int64) if case.pairs.num_rows else np.zeros(0, np.int64)
        mine = ((win == code) | (lose == code)) & (prob > 0.5)
        won = clustered_share((win == code)[mine].astype(float), of_pair[mine])
        found = case.feedback.at(rows[:SHOWN].tolist())
        answers = {row: [item.content for item in found[row].responses if item.source == name] for row in found}
        beats = won.value >= 0.5
        said = f" and wins {won.value:.1%} of its pairs" if mine.any() else ""
        return Finding(
            audit=self.id,
            severity="high" if beats and won.low > 0.5 else severity_of_share(len(rows) / max(case.n_rows, 1)),
            title=f"{share:.1%} of the answers of {name!r} to different prompts are the same{said}",
            figure=wilson(share * len(rows) / max(share, 1e-9), len(rows) / max(share, 1e-9)),
            effect="An answer that does not depend on the question cannot be a good one; where it wins, the judge is"
            " being gamed, and its other verdicts are in doubt.",
            source='"Cheating Automatic LLM Benchmarks: Null Models Achieve High Win Rates", 2024, arXiv 2410.07137',
            remedy="leave the source out, and check the judge against people",
            fix="drop-flagged:shortcut.constant",
            rows=rows,
            scores=np.ones(len(rows)),
            examples=[Example(row, texts[0][:EXCERPT], name) for row, texts in answers.items() if texts],
            details={"source": name, "win_rate": won.value, "share_same": share},
        )


def _near(case: Case, row: NDArray[np.int64], response: NDArray[np.int64]) -> tuple[float, NDArray[np.int64]]:
    import pyarrow as pa

    from zermelo.doctor.structure.sketches import near_clusters, sketch

    found = case.feedback.at(np.unique(row).tolist())
    texts = [found[r].responses[k].content for r, k in zip(row.tolist(), response.tolist(), strict=True)]
    cluster = near_clusters(sketch(pa.array(texts, pa.string())))
    largest = cluster == np.bincount(cluster).argmax()
    return float(largest.mean()), row[largest]


def _sources(case: Case) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Codes of the sources of preferred and other answers of all pairs, −1 where unknown, and their names."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [
        pa.concat_arrays([pa.array([], pa.string()), *case.pairs[name].cast(pa.string()).chunks])
        for name in ("source_win", "source_lose")
    ]
    names = sorted(pc.unique(pa.concat_arrays(columns)).drop_null().to_pylist())
    table = pa.array(names, pa.string())
    codes = [pc.fill_null(pc.index_in(item, value_set=table), -1).to_numpy(zero_copy_only=False) for item in columns]
    return codes[0].astype(np.int64), codes[1].astype(np.int64), names


def _answers_of_sources(
    case: Case,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Row, response and source code of every answer with a text and a source, and the sources' names."""
    import pyarrow.compute as pc

    from zermelo.feedback.flat import list_lengths

    rows, responses, codes = ([np.zeros(0, np.int64)] for _ in range(3))
    known: dict[str, int] = {}
    for positions, batch in case.feedback.source.batches(("responses.source",), case.feedback.rows):
        column = batch.column("responses")
        lengths = list_lengths(column)
        coded = pc.struct_field(column.flatten(), "source").cast("string").dictionary_encode()
        own = np.array([known.setdefault(name, len(known)) for name in coded.dictionary.to_pylist()] or [0], np.int64)
        index = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        code = np.where(index >= 0, own[np.maximum(index, 0)], -1)
        rows.append(np.repeat(positions, lengths)[code >= 0].astype(np.int64))
        responses.append((np.arange(len(code)) - np.repeat(np.cumsum(lengths) - lengths, lengths))[code >= 0])
        codes.append(code[code >= 0])
    row, response, code = (np.concatenate(part) for part in (rows, responses, codes))
    place = case.texts.place(row, response)
    there = place >= 0
    there[there] = case.texts.chars[place[there]] > 0
    return row[there], response[there], code[there], list(known)
