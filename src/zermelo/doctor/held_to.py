"""Does the doctor find what was planted, and leave clean data alone? One row per fault and rate."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.case import Case
from zermelo.doctor.planted import FAULTS, Planted, clean, plant
from zermelo.doctor.protocol import Finding
from zermelo.doctor.registry import AUDITS, load_audit
from zermelo.feedback import Feedback
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson

__all__ = ["FalseAlarms", "Found", "check_one", "check_planted", "false_alarms"]

PLANTED = (
    ("flipped", 0.05),
    ("flipped", 0.10),
    ("flipped", 0.20),
    *((name, fault.rate) for name, fault in FAULTS.items() if name != "flipped"),
)


@dataclass(frozen=True)
class Found:
    """What the doctor said of one planted fault.

    Args:
        fault: Its name.
        planted: At what share it was put in.
        audit: The audit that found it; '' where none did.
        severity: Of its finding; '' where there is none.
        found: Whether a finding of at least low severity speaks of it (of annotators: names
            the right ones, or cuts more than three quarters of them rightly).
        precision: Of the rows (or annotators) named, how many are faulty; NaN where none is named.
        recall: Of the faulty ones, how many are named; NaN where the fault is not about rows.
        true: What the figure should be.
        estimated: What it is.
    """

    fault: str
    planted: float
    audit: str
    severity: str
    found: bool
    precision: float
    recall: float
    true: float
    estimated: Estimate | None

    def row(self) -> dict[str, str | float | bool | None]:
        """For a table."""
        said = self.estimated
        return {
            "fault": self.fault,
            "planted": self.planted,
            "audit": self.audit,
            "severity": self.severity,
            "found": self.found,
            "precision": self.precision,
            "recall": self.recall,
            "true": self.true,
            "estimated": None if said is None else said.value,
            "low": None if said is None else said.low,
            "high": None if said is None else said.high,
        }


@dataclass(frozen=True)
class FalseAlarms:
    """High findings on clean data.

    Args:
        share: Draws with any, with Wilson's interval.
        by_audit: Audit → draws in which it said so.
    """

    share: Estimate
    by_audit: dict[str, int]


def check_planted(
    seed: int = 0, *, n: int = 2_000, faults: Sequence[tuple[str, float]] = PLANTED, encoder: str = "tfidf"
) -> list[Found]:
    """Every fault at its rate, in data of its own.

    Args:
        seed: Of data and faults.
        n: Groups.
        faults: (fault, rate).
        encoder: Of the audits that probe texts.
    """
    return [
        check_one(plant(name, clean(n, seed=seed, votes=FAULTS[name].votes), rate=rate, seed=seed), rate, encoder)
        for name, rate in faults
    ]


def check_one(made: Planted, planted: float, encoder: str = "tfidf") -> Found:
    """What the audits that are to find a fault say of it."""
    fault = FAULTS[made.fault]
    with _benchmarks(made) as files:
        case = Case(made.feedback, encoder=encoder, benchmarks=files)
        results = [
            result
            for audit in fault.audits
            if audit in AUDITS
            for result in load_audit(audit).run(case)
            if isinstance(result, Finding) and result.severity != "info"
        ]
    told = [_judged(made, planted, item) for item in results]
    best = max(told, key=lambda item: (item.found, item.recall if item.recall == item.recall else 0.0), default=None)
    if best is not None:
        return best
    return Found(made.fault, planted, "", "", False, float("nan"), 0.0, made.rate, None)


def false_alarms(
    n_draws: int = 50, *, n: int = 600, seed: int = 1_000, votes: Sequence[int] = (1, 3), encoder: str = "tfidf"
) -> FalseAlarms:
    """How often the doctor finds something high in data without a fault.

    Args:
        n_draws: Draws of clean data.
        n: Groups in each.
        seed: Of the first; the others follow.
        votes: Annotators who see a group, in turn.
        encoder: Of the audits that probe texts.
    """
    from zermelo.doctor.examine import examine

    alarmed = 0
    by_audit: Counter[str] = Counter()
    for draw in range(n_draws):
        groups = clean(n, seed=seed + draw, votes=votes[draw % len(votes)])
        case = Case(Feedback.of(groups), seed=draw, encoder=encoder)
        high = {item.audit for item in examine(case).findings if item.severity == "high"}
        by_audit.update(high)
        alarmed += bool(high)
    return FalseAlarms(wilson(alarmed, n_draws), dict(by_audit))


def _judged(made: Planted, planted: float, item: Finding) -> Found:
    precision = recall = float("nan")
    found = True
    if FAULTS[made.fault].of == "rows":
        precision, recall = _agreement(np.asarray(item.rows, np.int64), made.rows)
    elif made.fault == "tribes":
        precision = recall = _purity(item, made.who)
        found = precision > 0.75
    elif made.fault in ("spammer", "drifter"):
        named = {str(name) for name in item.table.get("annotator", ())}
        right = named & set(made.who)
        precision = len(right) / len(named) if named else float("nan")
        recall = len(right) / len(made.who)
        found = bool(right)
    return Found(made.fault, planted, item.audit, item.severity, found, precision, recall, made.rate, item.figure)


def _purity(item: Finding, tribe: Sequence[str]) -> float:
    """Share of annotators whose group, as the finding cuts them, is mostly of their own tribe."""
    people = list(zip(map(str, item.table.get("annotator", ())), item.table.get("group", ()), strict=False))
    right = 0
    for group in {group for _, group in people}:
        inside = [name in tribe for name, other in people if other == group]
        right += max(sum(inside), len(inside) - sum(inside))
    return right / len(people) if people else float("nan")


def _agreement(named: NDArray[np.int64], truth: NDArray[np.int64]) -> tuple[float, float]:
    right = len(np.intersect1d(named, truth))
    return (right / len(named) if len(named) else float("nan")), right / max(len(truth), 1)


@contextmanager
def _benchmarks(made: Planted) -> Iterator[tuple[str, ...]]:
    """A file of the benchmark's items, where the fault has one."""
    if not made.benchmark:
        yield ()
        return
    with tempfile.TemporaryDirectory(prefix="zermelo-") as folder:
        path = Path(folder) / "benchmark.jsonl"
        path.write_text("".join(json.dumps({"question": item}) + "\n" for item in made.benchmark))
        yield (str(path),)
