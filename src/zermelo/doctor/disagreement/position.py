"""`disagreement.position` and `disagreement.ties`: fond of the first place, fond of ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.protocol import Finding, Passed, Result, Severity, Skipped, severity_of_share
from zermelo.errors import unit_interval
from zermelo.stats.crossed import holm
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case, Comparisons

__all__ = ["Position", "Ties", "unlike_the_others"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
LEAST = 20


@dataclass(frozen=True)
class Position:
    """How often the response that was shown first wins, overall and for each annotator against the others.

    Where the order on the screen is not recorded the order in the file stands for it; a file that always names the
    preferred response first says nothing of it. Severity is by the share of votes of annotators who are fonder (or less
    fond) of the first place than the others; that all of them are is graded by `shortcut.position` and told here.

    Args:
        level: Of the tests of annotators, with Holm's correction; the overall share is tested against ½ at 0.01.
    """

    id: ClassVar[str] = "disagreement.position"
    asks: ClassVar[str] = "do annotators favour the response they see first?"
    level: float = 0.05

    def __post_init__(self) -> None:
        unit_interval(self, "level")

    def run(self, case: Case) -> Sequence[Result]:
        said = case.comparisons
        decided = np.flatnonzero(~said.tie & ~np.isnan(said.prob) & (said.prob != 0.5))
        if not len(decided):
            return [Skipped(self.id, "no decided comparisons")]
        shown = said.shown[decided].astype(np.int64)
        recorded = bool((shown != 0).any())
        if recorded:
            decided, shown = decided[shown != 0], shown[shown != 0]
        else:
            shown = np.ones(len(decided), np.int64)
        won = (said.prob[decided] > 0.5) == (shown == 1)
        if not recorded and (won.all() or not won.any()) and len(won) > 5:
            return [Skipped(self.id, "the order shown is not recorded, and the file always names the winner first")]
        if len(won) < LEAST:
            return [Skipped(self.id, f"{len(won)} decided comparisons; {LEAST} or more tell something")]
        share = _clustered(won, said.row[decided])
        by = said.by[decided].astype(np.int64)
        odd = unlike_the_others(by, won, self.level, margin=0.1)
        where = "shown" if recorded else "named"
        title = f"the response {where} first wins {share.value:.1%} of {len(won):,} decided comparisons"
        details: dict[str, float | str] = {"order": "recorded" if recorded else "of the file", "n_odd": float(len(odd))}
        z = abs(share.value - 0.5) / max((share.high - share.low) / 3.92, 1e-12)
        clear = z > 2.58 and abs(share.value - 0.5) >= 0.02
        if not clear and not len(odd):
            return [Passed(self.id, title, share, details)]
        severity: Severity = severity_of_share(float(np.isin(by, odd).mean())) if len(odd) else "info"
        concerned = decided[np.isin(by, odd)] if len(odd) else decided[won == (share.value > 0.5)]
        return [
            Finding(
                audit=self.id,
                severity=severity,
                title=title
                + (
                    f"; {len(odd)} {'annotator differs' if len(odd) == 1 else 'annotators differ'} from the others"
                    if len(odd)
                    else ""
                ),
                figure=share,
                effect="A model cannot see the order, so the bias is noise to it where sides are shuffled, and a bias "
                "for whatever was always first where they are not.",
                source="Large Language Models are not Fair Evaluators, 2023, arXiv 2305.17926",
                remedy="ask in both orders and keep what agrees, or shuffle the sides",
                rows=np.unique(said.row[concerned]) if len(odd) else np.zeros(0, np.int64),
                table=_table(said, by, won, odd, "first"),
                details=details,
            )
        ]


@dataclass(frozen=True)
class Ties:
    """How often ties are declared, and who declares far more or fewer than the others.

    Args:
        level: Of the tests of annotators, with Holm's correction.
    """

    id: ClassVar[str] = "disagreement.ties"
    asks: ClassVar[str] = "do some annotators call far more ties than others?"
    level: float = 0.05

    def __post_init__(self) -> None:
        unit_interval(self, "level")

    def run(self, case: Case) -> Sequence[Result]:
        said = case.comparisons
        known = np.flatnonzero(~np.isnan(said.prob) | said.tie)
        if not len(known):
            return [Skipped(self.id, "no comparisons")]
        tie = said.tie[known] | (said.prob[known] == 0.5)
        if not tie.any():
            return [Skipped(self.id, "no ties were declared")]
        by = said.by[known].astype(np.int64)
        share = _clustered(tie, said.row[known])
        odd = unlike_the_others(by, tie, self.level, margin=0.15)
        title = f"{share.value:.1%} of {len(tie):,} comparisons are ties"
        if not len(odd):
            return [Passed(self.id, title, share)]
        votes = np.isin(by, odd)
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(float(votes.mean())),
                title=f"{title}; {len(odd)} annotators, with {votes.mean():.1%} of the votes, call far more or fewer "
                "than the others",
                figure=share,
                effect="Who ties where others choose gives fewer pairs to train on; who never ties forces a choice "
                "where there is none.",
                remedy="tell annotators when a tie is due, or read ties as half a win",
                rows=np.unique(said.row[known[votes]]),
                table=_table(said, by, tie, odd, "ties"),
                details={"share_of_votes": float(votes.mean())},
            )
        ]


def unlike_the_others(by: Ints, yes: NDArray[np.bool_], level: float, *, margin: float) -> Ints:
    """Annotators whose share differs from that of all others by more than a margin, beyond chance (Holm). Codes.

    Two-sided normal test of the difference of two shares, its variance inflated to the spread between annotators that
    the middle half of them shows: people differ a little, and that is no fault.
    """
    if not (by >= 0).any():
        return np.zeros(0, np.int64)
    n = np.bincount(by[by >= 0])
    k = np.bincount(by[by >= 0], weights=yes[by >= 0])
    tested = np.flatnonzero((n >= LEAST) & (n.sum() > n))
    if len(tested) < 2:
        return np.zeros(0, np.int64)
    from scipy.special import ndtr

    p, rest = k[tested] / n[tested], (k.sum() - k[tested]) / (n.sum() - n[tested])
    plain = rest * (1 - rest) * (1 / n[tested] + 1 / (n.sum() - n[tested])) + 1e-12
    z = (p - rest) / np.sqrt(plain)
    middle = np.quantile(np.abs(z), 0.5) / 0.6745 if len(tested) >= 8 else 1.0
    found = holm(2 * ndtr(-np.abs(z) / max(middle, 1.0)))
    return np.asarray(tested[(found < level) & (np.abs(p - rest) > margin)])


def _clustered(yes: NDArray[np.bool_], row: Ints) -> Estimate:
    """Share with an interval that is wider where votes on one row go together."""
    n = len(yes)
    plain = wilson(float(yes.sum()), n)
    _, unit = np.unique(row, return_inverse=True)
    left = np.bincount(unit, weights=yes - plain.value)
    variance = float((left**2).sum()) / n**2
    usual = plain.value * (1 - plain.value) / n
    if variance <= usual or not usual:
        return plain
    design = variance / usual
    return wilson(plain.value * n / design, n / design)


def _table(
    said: Comparisons, by: Ints, yes: NDArray[np.bool_], odd: Ints, what: str
) -> dict[str, list[str | float | int | None]]:
    rows = sorted(((float(yes[by == k].mean()), int((by == k).sum()), said.annotators[k]) for k in odd), reverse=True)
    return {
        "annotator": [name for _, _, name in rows],
        what: [share for share, _, _ in rows],
        "votes": [n for _, n, _ in rows],
    }
