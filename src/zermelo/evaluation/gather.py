"""One pass over judged groups into columns: who answered what, how long, and what was said of it. No text is kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.evaluation.diversity import of_texts
from zermelo.feedback.records import Group, Judgement

__all__ = ["Comparisons", "Gathered", "Marks", "gather"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Key: TypeAlias = tuple[str, str, str]  # kind (rating or label), annotator, criterion

UNNAMED = ""  # source or annotator that is not known
DIVERSE_PROMPTS = 300  # prompts of a source whose texts are compared with one another
DIVERSE_SAMPLES = 8
MOST_ANNOTATORS = 12  # more annotators of a kind than this are a crowd and pooled


@dataclass(frozen=True)
class Marks:
    """Ratings or labels of single responses by one annotator (or crowd) on one criterion.

    Args:
        kind: `rating` or `label`.
        by: Annotator, or `crowd of N`.
        criterion: '' where none was named.
        response: Response of each mark. [M]
        value: [M]
    """

    kind: str
    by: str
    criterion: str
    response: Ints
    value: Floats

    @property
    def name(self) -> str:
        """`by` and criterion in words."""
        who = self.by or "unnamed annotator"
        return f"{who}: {self.criterion}" if self.criterion else who


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of two responses, those that rankings imply included.

    Args:
        first: Response. [M]
        second: Response. [M]
        prob: P(first ≻ second). [M]
        declared: Whether an outcome was declared (else a bare probability). [M]
        by: Annotator, a number into `Gathered.annotators`. [M]
    """

    first: Ints
    second: Ints
    prob: Floats
    declared: NDArray[np.bool_]
    by: Ints

    def __len__(self) -> int:
        return len(self.first)

    def where(self, rows: NDArray[np.bool_]) -> Comparisons:
        """Some of them."""
        return Comparisons(self.first[rows], self.second[rows], self.prob[rows], self.declared[rows], self.by[rows])


@dataclass(frozen=True)
class Gathered:
    """Columns of all groups.

    Args:
        prompts: Prompt keys, in order of appearance. [G]
        sources: Names; '' = unknown. [S]
        annotators: Names of those who compared; '' = unknown.
        prompt: Prompt of each response. [N]
        source: Source of each response. [N]
        length: Characters of each response; NaN where its text is not known. [N]
        marks: Ratings and labels.
        comparisons: Comparisons.
        diverse: Source → diversity measures of its first prompts with several samples. [·, 5]
        n_groups: Groups read.
        n_judgements: Judgements read.
        other: Kind → judgements that this evaluation does not use.
    """

    prompts: tuple[str, ...]
    sources: tuple[str, ...]
    annotators: tuple[str, ...]
    prompt: Ints
    source: Ints
    length: Floats
    marks: tuple[Marks, ...]
    comparisons: Comparisons
    diverse: dict[int, Floats]
    n_groups: int
    n_judgements: int
    other: dict[str, int]


@dataclass
class _Columns:
    prompts: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    annotators: dict[str, int] = field(default_factory=dict)
    prompt: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    length: list[float] = field(default_factory=list)
    marks: dict[Key, tuple[list[int], list[float]]] = field(default_factory=dict)
    pairs: list[tuple[int, int, float, bool, int]] = field(default_factory=list)
    diverse: dict[int, list[tuple[float, ...]]] = field(default_factory=dict)
    other: dict[str, int] = field(default_factory=dict)
    n_groups: int = 0
    n_judgements: int = 0


def gather(groups: Iterable[Group], *, by: str | None = None) -> Gathered:
    """Read all groups once.

    Args:
        groups: Groups with judgements; drawn one at a time.
        by: Only judgements of this annotator.
    """
    columns = _Columns()
    for group in groups:
        columns.n_groups += 1
        _responses(columns, group)
        start = len(columns.prompt) - len(group.responses)
        for judgement in group.judgements:
            columns.n_judgements += 1
            if by is None or judgement.by == by:
                _judgement(columns, judgement, start)
    pairs = columns.pairs
    comparisons = Comparisons(
        np.array([row[0] for row in pairs], dtype=np.int64),
        np.array([row[1] for row in pairs], dtype=np.int64),
        np.array([row[2] for row in pairs], dtype=np.float64),
        np.array([row[3] for row in pairs], dtype=bool),
        np.array([row[4] for row in pairs], dtype=np.int64),
    )
    return Gathered(
        prompts=tuple(columns.prompts),
        sources=tuple(columns.sources),
        annotators=tuple(columns.annotators),
        prompt=np.array(columns.prompt, dtype=np.int64),
        source=np.array(columns.source, dtype=np.int64),
        length=np.array(columns.length, dtype=np.float64),
        marks=_marks(columns.marks),
        comparisons=comparisons,
        diverse={source: np.array(rows) for source, rows in columns.diverse.items()},
        n_groups=columns.n_groups,
        n_judgements=columns.n_judgements,
        other=columns.other,
    )


def _responses(columns: _Columns, group: Group) -> None:
    prompt = columns.prompts.setdefault(
        group.key if group.prompt is not None else f"group {group.id}", len(columns.prompts)
    )
    texts: dict[int, list[str]] = {}
    for response in group.responses:
        source = columns.sources.setdefault(response.source or UNNAMED, len(columns.sources))
        known = response.text is not None or response.messages is not None
        columns.prompt.append(prompt)
        columns.source.append(source)
        columns.length.append(float(len(response.content)) if known else np.nan)
        if known and len(columns.diverse.get(source, ())) < DIVERSE_PROMPTS:
            texts.setdefault(source, []).append(response.content)
    for source, samples in texts.items():
        if len(samples) >= 2 and columns_named(columns, source):
            columns.diverse.setdefault(source, []).append(of_texts(samples[:DIVERSE_SAMPLES]))


def columns_named(columns: _Columns, source: int) -> bool:
    """Whether the source has a name; nameless responses of a group need not be samples of one system."""
    return columns.sources.get(UNNAMED, -1) != source


def _judgement(columns: _Columns, judgement: Judgement, start: int) -> None:
    if judgement.kind in ("rating", "label") and len(judgement.on) == 1 and judgement.value is not None:
        key = (judgement.kind, judgement.by or UNNAMED, judgement.criterion or "")
        responses, values = columns.marks.setdefault(key, ([], []))
        responses.append(start + judgement.on[0])
        values.append(judgement.value)
    elif judgement.kind == "comparison" and judgement.value is not None:
        by = columns.annotators.setdefault(judgement.by or UNNAMED, len(columns.annotators))
        first, second = judgement.on
        columns.pairs.append((start + first, start + second, judgement.value, judgement.outcome is not None, by))
    elif judgement.kind == "ranking" and judgement.values is not None:
        # a ranking says every pair of its items; they are of one prompt and resampled together
        by = columns.annotators.setdefault(judgement.by or UNNAMED, len(columns.annotators))
        ranked = [(start + item, rank) for item, rank in zip(judgement.on, judgement.values, strict=True)]
        for (first, above), (second, below) in itertools.combinations(ranked, 2):
            columns.pairs.append((first, second, 0.5 if above == below else float(above < below), True, by))
    else:
        columns.other[judgement.kind] = columns.other.get(judgement.kind, 0) + 1


def _marks(raw: dict[Key, tuple[list[int], list[float]]]) -> tuple[Marks, ...]:
    """Marks by annotator; where many annotators mark on one criterion they are pooled as a crowd."""
    who: dict[tuple[str, str], list[str]] = {}
    for kind, by, criterion in raw:
        who.setdefault((kind, criterion), []).append(by)
    found = []
    for (kind, criterion), names in who.items():
        crowd = len(names) > MOST_ANNOTATORS
        for by in [f"crowd of {len(names):,}"] if crowd else names:
            parts = [raw[kind, name, criterion] for name in (names if crowd else [by])]
            responses = np.array([r for part in parts for r in part[0]], dtype=np.int64)
            values = np.array([v for part in parts for v in part[1]], dtype=np.float64)
            found.append(Marks(kind, by, criterion, responses, values))
    return tuple(found)
