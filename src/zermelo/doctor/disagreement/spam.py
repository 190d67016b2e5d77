"""`disagreement.spam`: annotators who do not look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.disagreement.votes import Votes, others_of, p_normal, rows_of, votes_of
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped, severity_of_share
from zermelo.errors import positive, unit_interval
from zermelo.stats.crossed import holm
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Reasons", "Spam", "agreement_with_others", "suspicious"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
LEAST_VOTES = 20
LEAST_SHARED = 30
PEER = 0.3  # κ with one other person from which someone is of a taste, not a spammer


@dataclass(frozen=True)
class Reasons:
    """Why an annotator is named.

    Args:
        annotator: His code.
        reason: In words.
        kappa: Agreement with the others beyond chance, NaN where nobody shares an item.
        votes: How many he cast.
    """

    annotator: int
    reason: str
    kappa: float
    votes: int


@dataclass(frozen=True)
class Spam:
    """Annotators whose votes say little about the responses.

    Named is who agrees with the others on the same items less than half as much beyond chance as the median annotator
    does, unless he agrees with somebody, or did for half of the time: tribes and drift are other audits' affair. And
    who says the same side, or `tie`, nearly always, and more often than the others; who nearly always says what one
    other says, and more often than their agreement with the rest, and with any third, explains (of the two the one
    with fewer votes).
    Each with Holm's correction.

    Args:
        level: Of each family of tests.
        nearly: Share that counts as nearly always.
    """

    id: ClassVar[str] = "disagreement.spam"
    asks: ClassVar[str] = "are there annotators who do not look?"
    level: float = 0.01
    nearly: float = 0.95

    def __post_init__(self) -> None:
        unit_interval(self, "level", "nearly")
        positive(self, "level", "nearly")

    def run(self, case: Case) -> Sequence[Result]:
        votes = votes_of(case)
        if not len(votes):
            return [Skipped(self.id, "no comparisons whose annotator is known")]
        people = np.unique(votes.by)
        if len(people) < 2:
            return [Skipped(self.id, "one annotator only: nobody to compare with")]
        if (np.bincount(votes.by) >= LEAST_VOTES).sum() < 2:
            return [Skipped(self.id, f"fewer than two annotators with {LEAST_VOTES} votes")]
        found = suspicious(votes, level=self.level, nearly=self.nearly)
        share = wilson(len(found), len(people))
        if not found:
            return [Passed(self.id, f"none of {len(people)} annotators looks like a spammer", share)]
        named = [item.annotator for item in found]
        rows = rows_of(votes, named)
        of_votes = float(np.isin(votes.by, named).mean())
        count = np.bincount(np.searchsorted(rows, votes.row[np.isin(votes.by, named)]), minlength=len(rows))
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(of_votes),
                title=f"{len(found)} of {len(people)} annotators, with {of_votes:.1%} of the votes, "
                + ("looks like a spammer" if len(found) == 1 else "look like spammers"),
                figure=share,
                effect="Votes that say nothing of the responses are label noise, and in favour of a side or of ties "
                "they are a bias.",
                source="Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm, 1979",
                remedy="leave their votes out, or weight votes by reliability",
                fix="drop-spammers",
                rows=rows,
                scores=count.astype(np.float64),
                table={
                    "annotator": [votes.annotators[item.annotator] for item in found],
                    "reason": [item.reason for item in found],
                    "kappa": [item.kappa for item in found],
                    "votes": [item.votes for item in found],
                },
                details={"share_of_votes": of_votes},
            )
        ]


def agreement_with_others(votes: Votes) -> list[Estimate]:
    """κ of each annotator with the others on the same items: (A − C) / (1 − C), NaN where nobody shares one. [R]

    A: how many other votes on his items say the same; C: the same if his votes were dealt out to his items at random.
    """
    others = others_of(votes)
    counts = votes.counts()
    found = []
    for k in range(len(votes.annotators)):
        at = votes.of(k)
        at = at[others.n[at] > 0]
        if len(at) < 2:
            found.append(Estimate(np.nan, n=len(at)))
            continue
        own = np.bincount(votes.say[at] + 1, minlength=3)
        rest = counts[votes.item[at]]
        rest[np.arange(len(at)), votes.say[at] + 1] -= 1
        chance = float((own / len(at)) @ (rest / others.n[at][:, None]).mean(axis=0))
        same = others.same[at] / others.n[at]
        if chance >= 1:
            found.append(Estimate(np.nan, n=len(at)))
            continue
        kappa = (float(same.mean()) - chance) / (1 - chance)
        error = max(float(same.std(ddof=1)), 0.5 / len(at)) / np.sqrt(len(at)) / (1 - chance)
        found.append(Estimate(kappa, kappa - 1.96 * error, kappa + 1.96 * error, n=len(at), method="normal"))
    return found


def suspicious(votes: Votes, *, level: float = 0.01, nearly: float = 0.95) -> list[Reasons]:
    """Annotators who are named, with the first reason that applies; the largest voters first."""
    kappa = agreement_with_others(votes)
    total = np.bincount(votes.by, minlength=len(votes.annotators))
    reasons: dict[int, str] = {}
    for name, some in (
        ("tie", votes.say == 0),
        ("the response shown first", (votes.say * votes.shown == 1)),
        ("the response shown last", (votes.say * votes.shown == -1)),
    ):
        base = np.ones(len(votes), bool) if name == "tie" else (votes.shown != 0) & (votes.say != 0)
        reasons |= _constant(votes, some & base, base, f"nearly always says {name}", level, nearly, reasons)
    reasons |= {k: r for k, r in _copycats(votes, kappa, level).items() if k not in reasons}
    unreliable = {k: r for k, r in _unreliable(kappa, level).items() if k not in reasons}
    reasons |= {k: r for k, r in unreliable.items() if not _looks(votes, k, reasons, level)}
    order = sorted(reasons, key=lambda k: (-total[k], k))
    return [Reasons(k, reasons[k], kappa[k].value, int(total[k])) for k in order]


def _unreliable(kappa: Sequence[Estimate], level: float) -> dict[int, str]:
    known = [k for k, item in enumerate(kappa) if item.n >= LEAST_VOTES and item.value == item.value]
    if len(known) < 2:
        return {}
    half = max(float(np.median([kappa[k].value for k in known])), 0.0) / 2
    error = np.array([(kappa[k].high - kappa[k].low) / 3.92 for k in known])
    p = holm(p_normal((half - np.array([kappa[k].value for k in known])) / error))
    return {
        k: "agrees with the others no more than chance"
        if kappa[k].low <= 0
        else "agrees with the others far too rarely"
        for k, value in zip(known, p.tolist(), strict=True)
        if value < level and half > 0
    }


def _looks(votes: Votes, annotator: int, taken: dict[int, str], level: float) -> bool:
    """Whether he agrees clearly with some one person (a taste), or with all for half of the time (a drift)."""
    from scipy.stats import binom

    mine = votes.of(annotator)
    if not np.isnan(votes.at[mine]).any():
        mine = mine[np.argsort(votes.at[mine], kind="stable")]
    said = np.zeros(votes.n_items, np.int64)
    said[votes.item[mine]] = votes.say[mine] + 2
    with_him = np.flatnonzero((said[votes.item] > 0) & (votes.by != annotator))
    n = np.bincount(votes.by[with_him], minlength=len(votes.annotators)).astype(float)
    same = said[votes.item[with_him]] == votes.say[with_him] + 2
    k = np.bincount(votes.by[with_him], weights=same, minlength=len(votes.annotators))
    n[list(taken)] = 0  # agreement with a spammer is no merit
    share = np.bincount(votes.say[mine] + 1, minlength=3) / len(mine)
    rest = np.bincount(votes.say[with_him] + 1, minlength=3) / len(with_him)
    chance = float(np.clip(share @ rest, 1e-3, 1 - 1e-3))
    others = others_of(votes)
    for half in np.array_split(mine[others.n[mine] > 0], 2):
        said_same, times = (others.same[half] / others.n[half]), len(half)
        if times >= LEAST_SHARED:
            low = said_same.mean() - 2 * said_same.std(ddof=1) / np.sqrt(times)
            if (low - chance) / (1 - chance) > PEER:
                return True
    peers = np.flatnonzero(n >= LEAST_SHARED)
    if not len(peers):
        return False
    clearly = (k[peers] / n[peers] - chance) / (1 - chance) > PEER
    return bool((clearly & (holm(binom.sf(k[peers] - 1, n[peers], chance)) < level)).any())


def _constant(
    votes: Votes,
    some: NDArray[np.bool_],
    base: NDArray[np.bool_],
    reason: str,
    level: float,
    nearly: float,
    taken: dict[int, str],
) -> dict[int, str]:
    """Who says something nearly always, and more often than the others do."""
    from scipy.stats import binom

    n = np.bincount(votes.by[base], minlength=len(votes.annotators))
    k = np.bincount(votes.by[some], minlength=len(votes.annotators))
    rest_n, rest_k = n.sum() - n, k.sum() - k
    tested = np.flatnonzero((n >= LEAST_VOTES) & (rest_n > 0))
    if not len(tested):
        return {}
    usual = np.clip(rest_k[tested] / rest_n[tested], 1e-3, 1 - 1e-3)
    p = holm(binom.sf(k[tested] - 1, n[tested], usual))
    share = k[tested] / n[tested]
    return {
        int(a): reason
        for a, value, often in zip(tested, p, share, strict=True)
        if value < level and often >= nearly and int(a) not in taken
    }


def _copycats(votes: Votes, kappa: Sequence[Estimate], level: float) -> dict[int, str]:
    """Two who say the same on nearly all shared items, while neither does with a third: a tribe is no copy."""
    from scipy import sparse
    from scipy.stats import binom

    others = others_of(votes)
    compared = np.bincount(votes.by, weights=others.n > 0)
    rate = np.bincount(votes.by, weights=others.same / np.maximum(others.n, 1)) / np.maximum(compared, 1)
    r = len(votes.annotators)
    if r > 3_000:
        return {}
    shape = (votes.n_items, r)
    ones = np.ones(len(votes), np.float32)
    seen = sparse.csr_matrix((ones, (votes.item, votes.by)), shape=shape)
    shared = np.asarray((seen.T @ seen).todense())
    same = np.zeros_like(shared)
    for say in (-1, 0, 1):
        at = votes.say == say
        mine = sparse.csr_matrix((ones[at], (votes.item[at], votes.by[at])), shape=shape)
        same += np.asarray((mine.T @ mine).todense())
    one, two = np.nonzero(np.triu(shared >= LEAST_SHARED, 1))
    if not len(one):
        return {}
    n, k = shared[one, two], same[one, two]
    near = np.where((shared >= LEAST_SHARED) & ~np.eye(r, dtype=bool), same / (shared + 2), 0.0)
    best, first = near.max(axis=1), near.argmax(axis=1)
    near[np.arange(r), first] = 0.0
    third = [np.where(first[a] == b, near.max(axis=1)[a], best[a]) for a, b in ((one, two), (two, one))]
    usual = np.clip(np.max([rate[one], rate[two], *third], axis=0), 1e-3, 1 - 1e-3)
    p = holm(binom.sf(k - 1, n, usual))
    total = np.bincount(votes.by, minlength=r)
    hits = np.flatnonzero((p < level) & (k / n >= 0.98))
    found: dict[int, str] = {}
    for hit in hits.tolist():
        a, b = int(one[hit]), int(two[hit])
        copy, other = (a, b) if total[a] < total[b] else (b, a)  # which of two copies the other cannot be told
        found[copy] = f"says what {votes.annotators[other]} says"
    return found
