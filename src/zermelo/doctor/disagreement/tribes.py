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
APART = 0.1  # by which two of one group agree more often than two of different groups


@dataclass(frozen=True)
class Tribes:
    """A mixture of Bradley–Terry models over annotators; the number of groups by held-out votes.

    Where at least half of the votes are on items that several people judged, items are what groups differ in; else the
    sources of the responses. Groups of which one agrees within itself hardly more than with the others are told as
    noise, not as taste; somebody who stands alone is no group.
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


def _agreement(votes: Votes, people: np.ndarray, group: np.ndarray) -> dict[str, float]:
    """How often two votes on one item are the same: within groups, and across. Within must be clearly more, else the
    smaller groups are rather noisy than of another taste."""
    of = np.full(len(votes.annotators), -1)
    of[people] = group
    mine = of[votes.by]
    known = (mine >= 0) & (votes.say != 0)
    found: dict[str, float] = {}
    yes = np.zeros((votes.n_items, int(group.max()) + 1))
    no = np.zeros_like(yes)
    np.add.at(yes, (votes.item[known & (votes.say > 0)], mine[known & (votes.say > 0)]), 1)
    np.add.at(no, (votes.item[known & (votes.say < 0)], mine[known & (votes.say < 0)]), 1)
    n = yes + no
    same, pairs = yes * (yes - 1) + no * (no - 1), n * (n - 1)
    for k in range(yes.shape[1]):
        if pairs[:, k].sum():
            found[f"agreement_within_{k + 1}"] = float(same[:, k].sum() / pairs[:, k].sum())
    total_same = yes.sum(axis=1) ** 2 + no.sum(axis=1) ** 2 - (yes**2 + no**2).sum(axis=1)
    total = n.sum(axis=1) ** 2 - (n**2).sum(axis=1)
    if total.sum():
        found["agreement_across"] = float(total_same.sum() / total.sum())
    return found


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
    largest = int(sizes.argmax())
    if not (np.delete(sizes, largest) >= 2).any():  # someone who stands apart is no tribe: spam and drift speak of him
        title = (
            f"{len(people)} annotators have one taste but for {int((group != largest).sum())} who stand alone{sample}"
        )
        return Passed(audit, title, None, details)
    minority = people[group != largest]
    told = _agreement(votes, people, group)
    details |= told
    across = told.get("agreement_across", 0.0)
    within = [told[f"agreement_within_{k + 1}"] for k in np.unique(group) if f"agreement_within_{k + 1}" in told]
    noisy = bool(within) and min(within) - across < APART
    share = wilson(len(minority), len(people))
    order = np.lexsort((-found.belongs.max(axis=1), group))[:SHOWN]
    names = ", ".join(str(size) for size in sorted(sizes.tolist(), reverse=True))
    rows = rows_of(votes, minority.tolist())
    return Finding(
        audit=audit,
        severity="info" if noisy else "medium" if share.value >= 0.1 else "low",
        title=f"{len(people)} annotators fall into {found.n_groups} groups ({names}) "
        + ("of which the smaller are noisier rather than of another taste" if noisy else "with tastes of their own")
        + sample,
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
