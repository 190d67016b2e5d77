"""The common finding of a shortcut: a judge that does not read for content, and how often it is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, severity_of_accuracy
from zermelo.doctor.shortcut.probe import LEAST_PAIRS, Floats, Ints, Probed, prompt_groups

if TYPE_CHECKING:
    from zermelo.doctor.case import Case, PairTexts
    from zermelo.report.svg import Svg

__all__ = ["Lengths", "lengths_of", "pair_rows", "sampled_pairs", "shortcut"]

SHOWN, EXCERPT = 10, 200
WHOLE = 0.9


@dataclass(frozen=True)
class Lengths:
    """Decided pairs of all the data with the lengths of their answers. [M]

    Args:
        row: Position of the group.
        win: Characters of the preferred answer.
        lose: Characters of the other.
        group: Number of the pair's prompt.
    """

    row: Ints
    win: Floats
    lose: Floats
    group: Ints


_groups: WeakKeyDictionary[Case, tuple[PairTexts, Ints, Ints]] = WeakKeyDictionary()


def shortcut(
    case: Case,
    audit: str,
    found: Probed,
    rows: Ints,
    *,
    judge: str,
    effect: str,
    remedy: str,
    source: str = "",
    fix: str = "",
    details: Mapping[str, float | str] | None = None,
    table: Mapping[str, Sequence[str | float | int | None]] | None = None,
    examples: Sequence[Example] | None = None,
    plots: Sequence[Callable[[], Svg]] = (),
    of: int | None = None,
) -> Sequence[Result]:
    """The finding that a shortcut predicts the label, or that it does not.

    Args:
        case: The data.
        audit: Id of the audit.
        found: What the probe achieved.
        rows: Position of each pair's group. [M]
        judge: What the judge looks at, to go behind 'a judge that sees only'.
        effect: What it does to training.
        remedy: What to do.
        source: Where the effect is shown.
        fix: Name of the fix.
        details: Further figures.
        table: Behind the figure.
        examples: In place of the rows that follow the shortcut most.
        plots: Pictures.
        of: Pairs that there are, where these are a sample.
    """
    accuracy = found.accuracy
    few = of is not None and len(rows) < WHOLE * of  # a few empty or equal answers do not make the rest a sample
    on = f"a sample of {len(rows):,} of {of:,} pairs" if few else f"{len(rows):,} pairs"
    title = f"a judge that sees only {judge} is right in {accuracy.value:.1%} of {on}"
    told = {"auc": found.auc, "chance": 0.5, "pairs": float(len(rows)), **(details or {})}
    if not accuracy.low > 0.5:
        return [Passed(audit, f"{title}: chance", accuracy, told)]
    order = np.argsort(-found.margin, kind="stable")
    order = order[found.margin[order] > 0]
    kept, first = np.unique(rows[order], return_index=True)
    by_score = np.argsort(first, kind="stable")
    picked, scores = kept[by_score].astype(np.int64), found.margin[order][first[by_score]]
    return [
        Finding(
            audit=audit,
            severity=severity_of_accuracy(accuracy.value - 0.5),
            title=title,
            figure=accuracy,
            effect=effect,
            source=source,
            remedy=remedy,
            fix=fix,
            rows=picked,
            scores=scores,
            examples=_examples(case, picked[:SHOWN], scores) if examples is None else list(examples)[:SHOWN],
            table=dict(table or {}),
            details=told,
            plots=plots,
        )
    ]


def sampled_pairs(case: Case) -> tuple[PairTexts, Ints, Ints] | str:
    """The sampled preferences, which of them are decided and have two texts, and their prompts' numbers; or why not."""
    if not len(case.texts.row):
        return "the data holds no texts"
    if not case.pairs.num_rows:
        return "the data holds no preferences: neither comparisons nor ratings or rankings of several answers"
    if case not in _groups:
        sample = case.sample
        texts = zip(sample.chosen, sample.rejected, strict=True)
        usable = np.array([bool(a.strip()) and bool(b.strip()) and a != b for a, b in texts], bool)
        kept = np.flatnonzero(usable & (sample.prob > 0.5)).astype(np.int64)
        group = prompt_groups([sample.prompt[at] for at in kept.tolist()], sample.row[kept])
        _groups[case] = sample, kept, group
    sample, kept, group = _groups[case]
    if len(kept) < LEAST_PAIRS or len(np.unique(group)) < LEAST_PAIRS // 4:
        prompts = len(np.unique(group))
        return f"{len(kept)} decided pairs of {prompts} prompts; a probe needs {LEAST_PAIRS} of {LEAST_PAIRS // 4}"
    return sample, kept, group


def lengths_of(case: Case) -> Lengths:
    """Every decided pair whose answers are known; an empty answer counts one character."""
    pairs, table = case.pairs, case.texts
    row, win, lose = (pairs[name].to_numpy().astype(np.int64) for name in ("row", "win", "lose"))
    decided = pairs["prob"].to_numpy() > 0.5
    a, b = table.place(row, win), table.place(row, lose)
    kept = np.flatnonzero(decided & (a >= 0) & (b >= 0))
    win_chars, lose_chars = (np.maximum(table.chars[place[kept]], 1).astype(float) for place in (a, b))
    return Lengths(row[kept], win_chars, lose_chars, pair_rows(case, row[kept]))


def pair_rows(case: Case, row: Ints) -> Ints:
    """Number of each row's prompt: rows with the same prompt are one, rows without one stand for themselves."""
    table = case.texts
    place = table.place(row, np.full(len(row), -1))
    key = row.astype(np.uint64)
    if len(table.row):
        key = np.where((place >= 0) & (table.chars[place] > 0), table.digest[place], key)
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _examples(case: Case, rows: Ints, scores: Floats) -> list[Example]:
    found = case.feedback.at(rows.tolist()) if len(rows) else {}
    return [
        Example(row, " | ".join(item.content[:EXCERPT] for item in found[row].responses[:2]), f"logit {score:.2f}")
        for row, score in zip(rows.tolist(), scores.tolist(), strict=False)
    ]
