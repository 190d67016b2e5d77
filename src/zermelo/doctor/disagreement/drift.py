"""`disagreement.drift`: annotators whose agreement with the others changes with time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.disagreement.votes import Votes, others_of, votes_of
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped, severity_of_share
from zermelo.errors import unit_interval
from zermelo.stats.crossed import holm
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = ["Drift", "Trend", "cusum", "trends"]

Floats: TypeAlias = NDArray[np.float64]
LEAST = 40
MOST = 20  # drifters that are looked for


@dataclass(frozen=True)
class Trend:
    """Someone's agreement with the others, in order of time.

    Args:
        annotator: Code.
        peak: Largest |S_t| / (σ √n) of the running sum of deviations from his own mean.
        p_value: Of that, Kolmogorov's distribution.
        turn: Place of the peak, share of his votes.
        before: Mean agreement before it, less what the others' agreement lets expect.
        after: After it.
        votes: How many votes can be compared.
        time: Time of the peak, NaN where unknown.
        path: The running sum. [n]
    """

    annotator: int
    peak: float
    p_value: float
    turn: float
    before: float
    after: float
    votes: int
    time: float
    path: Floats


@dataclass(frozen=True)
class Drift:
    """Running sums of each annotator's agreement with the others on the same items, in order of time.

    What is summed is the share of other votes that say the same, less the others' agreement among themselves on that
    item (where three voted), so that a hard stretch is no drift. Without times the order of the file stands for it.

    Args:
        level: Of the tests, with Holm's correction.
        least: Smallest change of agreement that is reported.
    """

    id: ClassVar[str] = "disagreement.drift"
    asks: ClassVar[str] = "does an annotator change with time?"
    level: float = 0.01
    least: float = 0.1

    def __post_init__(self) -> None:
        unit_interval(self, "level", "least")

    def run(self, case: Case) -> Sequence[Result]:
        votes = votes_of(case)
        if not len(votes):
            return [Skipped(self.id, "no comparisons whose annotator is known")]
        found = trends(votes)
        if not found:
            return [Skipped(self.id, f"no annotator shares {LEAST} items with others")]
        drifting: list[Trend] = []
        left = found
        while left and len(drifting) < MOST:  # who drifts changes the others' agreement too: one at a time, then anew
            p = holm(np.array([item.p_value for item in left]))
            worst = [
                item
                for item, value in zip(left, p.tolist(), strict=True)
                if value < self.level and abs(item.after - item.before) >= self.least
            ]
            if not worst:
                break
            drifting.append(max(worst, key=lambda item: item.peak))
            left = trends(votes, without=[item.annotator for item in drifting])
        order = "time" if not np.isnan(votes.at).any() else "the order of the file"
        share = wilson(len(drifting), len(found))
        if not drifting:
            return [Passed(self.id, f"none of {len(found)} annotators changes over {order}", share)]
        drifting.sort(key=lambda item: -abs(item.after - item.before))
        named = [item.annotator for item in drifting]
        of_votes = float(np.isin(votes.by, named).mean())
        late = np.concatenate([_after(votes, item) for item in drifting])
        rows, count = np.unique(votes.row[late], return_counts=True)
        first = drifting[0]
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(of_votes),
                title=f"{len(drifting)} of {len(found)} annotators, with {of_votes:.1%} of the votes, "
                f"{'changes' if len(drifting) == 1 else 'change'} over "
                f"{order}: {votes.annotators[first.annotator]} agrees by "
                f"{first.after - first.before:+.0%} after {first.turn:.0%} of the votes",
                figure=share,
                effect="Labels of one person mean two things; a model that is trained on both learns their mean, and a "
                "split by time is tested on another task than it was trained on.",
                remedy="judge again what was voted after the turn, or treat it as another annotator",
                fix="drop-drifted",
                rows=rows.astype(np.int64),
                scores=count.astype(np.float64),
                table={
                    "annotator": [votes.annotators[item.annotator] for item in drifting],
                    "before": [item.before for item in drifting],
                    "after": [item.after for item in drifting],
                    "turn": [item.turn for item in drifting],
                    "time": [None if np.isnan(item.time) else item.time for item in drifting],
                    "votes": [item.votes for item in drifting],
                },
                details={"order": order},
                plots=[lambda: _picture(votes, drifting[:4])],
            )
        ]


def trends(votes: Votes, *, least: int = LEAST, without: Sequence[int] = ()) -> list[Trend]:
    """Running sums of all annotators who share enough items with others.

    Args:
        votes: Of everybody.
        least: Fewest votes of an annotator that can be compared.
        without: Annotators who are left out.
    """
    votes = _without(votes, without)
    others = others_of(votes)
    timed = not np.isnan(votes.at).any()
    found = []
    usual = np.nanmean(others.expected) if np.isfinite(others.expected).any() else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        same = others.same / others.n
    deviation = same - np.where(np.isnan(others.expected), usual, others.expected)
    for k in range(len(votes.annotators)):
        at = votes.of(k)
        at = at[others.n[at] > 0]
        if len(at) < least:
            continue
        if timed:
            at = at[np.argsort(votes.at[at], kind="stable")]
        peak, p, turn, path = cusum(deviation[at])
        values = deviation[at]
        found.append(
            Trend(
                k,
                peak,
                p,
                (turn + 1) / len(at),
                float(values[: turn + 1].mean()),
                float(values[turn + 1 :].mean()) if turn + 1 < len(at) else float(values.mean()),
                len(at),
                float(votes.at[at[turn]]) if timed else np.nan,
                path,
            )
        )
    return found


def _without(votes: Votes, annotators: Sequence[int]) -> Votes:
    if not annotators:
        return votes
    kept = ~np.isin(votes.by, np.asarray(annotators, np.int64))
    names = ("place", "row", "item", "by", "say", "shown", "at")
    return replace(votes, **{name: getattr(votes, name)[kept] for name in names})


def cusum(values: Floats) -> tuple[float, float, int, Floats]:
    """Largest |S_t| / (σ √n) of S_t = Σ_{s ≤ t} (x_s − x̄), its p-value, where it is, and the path S / (σ √n).

    Under no change the path is a Brownian bridge, and its largest height has Kolmogorov's distribution.

    Source: "A Class of Tests for a Change in Location", 1954 (Page); Kolmogorov, 1933.
    """
    from scipy.special import kolmogorov

    x = np.asarray(values, np.float64)
    spread = float(x.std())
    if len(x) < 2 or spread == 0:
        return 0.0, 1.0, len(x) - 1, np.zeros(len(x))
    path = np.cumsum(x - x.mean()) / (spread * np.sqrt(len(x)))
    turn = int(np.abs(path).argmax())
    peak = float(abs(path[turn]))
    return peak, float(kolmogorov(peak)), turn, path


def _after(votes: Votes, item: Trend) -> NDArray[np.int64]:
    """Places of someone's votes after his turn."""
    at = votes.of(item.annotator)
    if np.isnan(item.time):
        return at[round(item.turn * len(at)) :]
    return at[votes.at[at] > item.time]


def _picture(votes: Votes, drifting: Sequence[Trend]) -> Svg:
    from zermelo.report.plots import Line, line_plot

    lines = [
        Line(votes.annotators[item.annotator], np.linspace(0, 100, len(item.path)), item.path) for item in drifting
    ]
    return line_plot(
        lines,
        title="Running sums of agreement with the others",
        x_label="votes, % of the annotator's",
        y_label="deviation from the own mean, in standard errors",
        level=0.0,
    )
