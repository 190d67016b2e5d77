"""`disagreement.tribes`: annotators with tastes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.disagreement.votes import Votes, rows_of, votes_of
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.stats.intervals import wilson
from zermelo.stats.taste_mixture import TasteGroups, TasteMixture

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Tribes"]

LEAST_VOTES = 20
MOST_VOTES = 60_000
SHOWN = 60


@dataclass(frozen=True)
class Tribes:
    """A mixture of Bradley–Terry models over annotators; the number of groups by held-out votes.

    Where at least half of the votes are on items that several people judged, items are what groups differ in; else the
    sources of the responses.
    """

    id: ClassVar[str] = "disagreement.tribes"
    asks: ClassVar[str] = "do annotators fall into groups with tastes of their own?"

    def run(self, case: Case) -> Sequence[Result]:
        votes = votes_of(case)
        if not len(votes):
            return [Skipped(self.id, "no comparisons whose annotator is known")]
        count = np.bincount(votes.by, weights=votes.say != 0, minlength=len(votes.annotators))
        people = np.flatnonzero(count >= LEAST_VOTES)
        if len(people) < 4:
            return [Skipped(self.id, f"fewer than four annotators with {LEAST_VOTES} decided votes")]
        at = np.flatnonzero((votes.say != 0) & np.isin(votes.by, people))
        if len(at) > MOST_VOTES:
            # whole items, so that those who share one stay together
            items = np.unique(votes.item[at])
            share = MOST_VOTES / len(at)
            kept = np.random.default_rng((case.seed, 1936)).random(len(items)) < share
            at = at[np.isin(votes.item[at], items[kept])]
        found = _fitted(case, votes, at, people)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        sample = f" (a sample of {len(at):,} votes)" if len(at) >= MOST_VOTES else ""
        return [_told(self.id, votes, people, found, sample)]


def _fitted(case: Case, votes: Votes, at: np.ndarray, people: np.ndarray) -> TasteGroups | str:
    by = np.searchsorted(people, votes.by[at])
    if len(np.unique(by)) < len(people):
        return "too few votes of some annotators in the sample"
    _, item, often = np.unique(votes.item[at], return_inverse=True, return_counts=True)
    yes = votes.say[at] > 0
    if (often[item] >= 2).mean() >= 0.5:
        return TasteMixture().fit(by, yes, item=item, seed=case.seed)
    said = case.comparisons
    place = votes.place[at]
    one, two = said.source_first[place].astype(np.int64), said.source_second[place].astype(np.int64)
    if (one < 0).any() or (two < 0).any() or not (one != two).any():
        return "annotators share too few items, and the sources of the responses are not known"
    turned = said.first[place] > said.second[place]
    return TasteMixture(prior=1.0).fit(by, yes != turned, players=(one, two), seed=case.seed)


def _told(audit: str, votes: Votes, people: np.ndarray, found: TasteGroups, sample: str) -> Result:
    details: dict[str, float | str] = {
        "gain_nat_a_annotator": found.gain,
        "gain_error": found.gain_error,
        "n_groups": float(found.n_groups),
    }
    details |= {f"held_out_{g}": value for g, value in enumerate(found.held_out, 1)}
    if found.n_groups == 1:
        return Passed(audit, f"{len(people)} annotators are best described by one taste{sample}", None, details)
    group = found.group
    sizes = np.bincount(group, minlength=found.n_groups)
    minority = people[group != group[np.argmax(sizes[group])]] if len(sizes) else people
    largest = int(sizes.argmax())
    minority = people[group != largest]
    share = wilson(len(minority), len(people))
    order = np.lexsort((-found.belongs.max(axis=1), group))[:SHOWN]
    names = ", ".join(str(size) for size in sorted(sizes.tolist(), reverse=True))
    rows = rows_of(votes, minority.tolist())
    return Finding(
        audit=audit,
        severity="medium" if share.value >= 0.1 else "low",
        title=f"{len(people)} annotators fall into {found.n_groups} groups ({names}) with tastes of their own{sample}",
        figure=share,
        effect="One reward for all serves the largest group; where groups are equal it serves none, and it looks like "
        "label noise.",
        source="On Diversified Preferences of Large Language Model Alignment, 2024, arXiv 2312.07401",
        remedy="a reward for each group, or a weighting that none of them loses by (MORE); do not drop the minority",
        rows=rows,
        table={
            "annotator": [votes.annotators[people[k]] for k in order],
            "group": [int(group[k]) + 1 for k in order],
            "certainty": [float(found.belongs[k].max()) for k in order],
        },
        details=details,
    )
