"""Test prompts that also stand in the training part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.doctor.structure.sketches import near_clusters, sketches_of
from zermelo.errors import unit_interval
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["Splits", "split_names"]

HELD_OUT = re.compile(
    r"(?i)(?:^|[^a-z])(test|valid|validation|val|eval|evaluation|dev|heldout|held_out|holdout)(?![a-z])"
)
SHOWN, EXCERPT = 10, 200


@dataclass(frozen=True)
class Splits:
    """Rows of a test part whose prompt, or nearly it, is also asked in another part.

    Parts are the values of `split` in the rows' meta data or, without it, the files. A part whose name says test,
    validation, eval, dev or held-out is a test part; where none does, the smallest is.

    Args:
        similar: Jaccard similarity of word triples from which two prompts are one, in [0, 1].
    Raises:
        SettingError: similar is out of range.
    """

    id: ClassVar[str] = "contamination.splits"
    asks: ClassVar[str] = "do the parts of the data share prompts?"
    similar: float = 0.8

    def __post_init__(self) -> None:
        unit_interval(self, "similar")

    def run(self, case: Case) -> Sequence[Result]:
        rows, part, names = split_names(case)
        if len(names) < 2:
            return [Skipped(self.id, "the data has one part: neither several files nor a `split` in the rows' meta")]
        row, response, sketches = sketches_of(case, None)
        prompts = response < 0
        if not prompts.any():
            return [Skipped(self.id, "no row has a prompt")]
        row, sketches = row[prompts], sketches[prompts]
        counts = np.bincount(part, minlength=len(names))
        test = np.array([bool(HELD_OUT.search(name)) for name in names])
        if not test.any() or test.all():
            test = np.arange(len(names)) == counts.argmin()
        held = test[part[np.searchsorted(rows, row)]]
        table = case.texts
        digest = table.digest[table.place(row, np.full(len(row), -1))]
        exact = _elsewhere(np.unique(digest, return_inverse=True)[1], held)
        near = _elsewhere(near_clusters(sketches, similar=self.similar), held) | exact
        share = wilson(int(near[held].sum()), int(held.sum()))
        told = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))
        details: dict[str, float | str] = {
            "parts": told,
            "test_parts": ", ".join(name for name, is_test in zip(names, test, strict=True) if is_test),
            "test_rows": float(held.sum()),
            "exact": float(exact[held].sum()),
            "near": float((near & ~exact)[held].sum()),
            "training_rows": float(near[~held].sum()),
        }
        if not near.any():
            return [Passed(self.id, f"no test prompt is asked in another part ({told})", share, details)]
        leaked = row[near & ~held]
        found = case.feedback.at(row[near & held][:SHOWN].tolist())
        from zermelo.feedback.neardup import plain_prompt

        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(share.value),
                title=f"{int(near[held].sum()):,} of {int(held.sum()):,} test rows ({share.value:.1%}) have a prompt"
                " that is also, or nearly, asked in another part",
                figure=share,
                effect="What is measured on these rows is memory; the test says more about the training data than about"
                " new prompts.",
                source='"Deduplicating Training Data Makes Language Models Better", 2021, arXiv 2107.06499',
                remedy="drop the training rows concerned, or split again by prompt with near-duplicates together",
                fix="drop-flagged:contamination.splits",
                rows=np.sort(leaked).astype(np.int64),
                scores=np.ones(len(leaked)),
                examples=[
                    Example(at, plain_prompt(group.prompt)[:EXCERPT], group.id) for at, group in sorted(found.items())
                ],
                details=details,
            )
        ]


def split_names(case: Case) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Rows, ascending, the part of each, and the parts' names."""
    import json

    rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    said: list[str | None] = []
    for positions, batch in case.feedback.source.batches(("meta",), case.feedback.rows):
        rows.append(positions)
        for meta in batch.column("meta").to_pylist():
            value = json.loads(meta).get("split") if meta and '"split"' in meta else None
            said.append(None if value is None else str(value))
    every = np.concatenate(rows).astype(np.int64)
    if not any(said):
        said = list(_files(case, every))
    names = sorted({name for name in said if name})
    place = {name: at for at, name in enumerate(names)}
    known = np.array([place.get(name or "", -1) for name in said], np.int64)
    return every[known >= 0], known[known >= 0], names


def _files(case: Case, rows: NDArray[np.int64]) -> list[str | None]:
    """The file of each row, by the files' numbers of rows; None where these do not add up."""
    from zermelo.errors import ZermeloError
    from zermelo.feedback import Feedback

    if len(case.files) < 2:
        return [None] * len(rows)
    try:
        counts = [len(Feedback.read(path)) for path in case.files]
    except ZermeloError:
        return [None] * len(rows)
    if sum(counts) != len(case.feedback.source):
        return [None] * len(rows)
    at = np.searchsorted(np.cumsum(counts), rows, side="right")
    return [Path(case.files[index]).name for index in at.tolist()]


def _elsewhere(cluster: NDArray[np.int64], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whose cluster has members on both sides."""
    n = int(cluster.max(initial=-1)) + 1
    both = (np.bincount(cluster[held], minlength=n) > 0) & (np.bincount(cluster[~held], minlength=n) > 0)
    return both[cluster]
