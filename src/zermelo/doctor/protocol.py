"""What an audit is, and what it may say: a finding, that all is well, or why it does not apply.

An audit is a frozen dataclass with an `id` (`family.name`), a one-line `asks`, and `run(case)`. It reads the `Case` and
nothing else, changes nothing, and returns one result for each thing it has to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.stats.estimate import Estimate

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = [
    "FAMILIES",
    "SEVERITIES",
    "Audit",
    "Example",
    "Finding",
    "Passed",
    "Result",
    "Severity",
    "Skipped",
    "severity_of_accuracy",
    "severity_of_share",
]

Severity: TypeAlias = Literal["high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low", "info")
FAMILIES = ("structure", "shortcut", "noise", "disagreement", "rewarded", "trainability", "contamination")
HIGH_SHARE, MEDIUM_SHARE = 0.15, 0.01
HIGH_EXCESS, MEDIUM_EXCESS = 0.15, 0.05


@dataclass(frozen=True)
class Example:
    """One row that shows a finding.

    Args:
        row: Position of the group in the file, from 0; −1 where the example is no row (an annotator, an n-gram).
        text: What is to be seen there, shortened by whoever prints it.
        note: Why it is here: a score, the place of a match.
    """

    row: int
    text: str
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Args:
        audit: Id of the audit.
        severity: `high`, `medium`, `low`; `info` for what is no fault.
        title: One plain sentence with the figure in it.
        figure: The share of rows concerned, the estimated rate, or the cross-validated accuracy, with its interval.
        effect: What it does to training, in a sentence or two.
        source: Where that is shown: title, year.
        remedy: What to do, in words.
        fix: What `zermelo doctor fix --apply` calls the remedy (`drop-duplicates`), '' where there is none.
        rows: Groups concerned, ascending or by falling score. [R]
        scores: How strongly; larger is worse. [R]
        examples: At most ten.
        table: A small table behind the figure: name → equally long columns.
        details: Further figures, by name.
        plots: Make the pictures when a page is written.
    """

    audit: str
    severity: Severity
    title: str
    figure: Estimate | None = None
    effect: str = ""
    source: str = ""
    remedy: str = ""
    fix: str = ""
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    examples: Sequence[Example] = ()
    table: Mapping[str, Sequence[str | float | int | None]] = field(default_factory=dict)
    details: Mapping[str, float | str] = field(default_factory=dict)
    plots: Sequence[Callable[[], Svg]] = ()


@dataclass(frozen=True)
class Passed:
    """The audit looked and found nothing to report.

    Args:
        audit: Its id.
        title: What was looked at, with the figure.
        figure: As in a finding.
        details: Further figures, by name.
    """

    audit: str
    title: str
    figure: Estimate | None = None
    details: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Skipped:
    """The audit does not apply.

    Args:
        audit: Its id.
        why: What it would need, in one line.
    """

    audit: str
    why: str


Result: TypeAlias = Finding | Passed | Skipped


class Audit(Protocol):
    """One question to preference data."""

    id: ClassVar[str]
    asks: ClassVar[str]

    def run(self, case: Case) -> Sequence[Result]:
        """Everything there is to say about the case; at least one result."""
        ...


def severity_of_share(share: float) -> Severity:
    """Severity of structure and noise: high from 15 % of the rows, medium from 1 %, low below."""
    return "high" if share >= HIGH_SHARE else "medium" if share >= MEDIUM_SHARE else "low"


def severity_of_accuracy(excess: float) -> Severity:
    """Severity of a shortcut, by its cross-validated accuracy over chance: high from 0.15, medium from 0.05."""
    return "high" if excess >= HIGH_EXCESS else "medium" if excess >= MEDIUM_EXCESS else "low"
