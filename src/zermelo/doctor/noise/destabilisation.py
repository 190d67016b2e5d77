"""`noise.destabilisation`: how many wrong labels it would take to change the order of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.noise.suspects import Suspects, label_suspects
from zermelo.doctor.protocol import Finding, Result, Skipped
from zermelo.errors import unit_interval
from zermelo.stats.destabilisation import turning_share
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["DestabilisationAudit", "Standing", "standings"]

Floats: TypeAlias = NDArray[np.float64]
PUBLISHED = 0.033  # mean rate of the ten test sets of the source
LEAST = 10  # items of a source


@dataclass(frozen=True)
class Standing:
    """Two neighbours in the order of the sources.

    Args:
        first: The better one.
        second: The next.
        lead: Difference of their shares.
        turns_at: Share of wrong labels that would make them equal, at the worst.
    """

    first: str
    second: str
    lead: float
    turns_at: float


@dataclass(frozen=True)
class DestabilisationAudit:
    """For each two neighbours: what share of the labels, wrong at the worst places, would make them equal.

    With yes/no labels of single responses both must have been judged on the same rows; else a vote between two
    sources counts one for the winner, and one for both in a tie.

    Args:
        rate: Share of wrong labels to hold them against; None: that of `noise.labels` where it could be told, else the
            published mean of ten test sets.
    """

    id: ClassVar[str] = "noise.destabilisation"
    asks: ClassVar[str] = "could wrong labels change the order of the models?"
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None:
            unit_interval(self, "rate")

    def run(self, case: Case) -> Sequence[Result]:
        found = standings(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        rate, where = self._rate(case)
        loose = [item for item in found if item.turns_at <= rate]
        first = found[0]
        head = (
            f"{first.turns_at:.1%} at the worst places would put {first.second} level with {first.first}"
            if first.turns_at <= rate
            else f"the first place stands against {rate:.1%} wrong labels"
        )
        return [
            Finding(
                audit=self.id,
                severity="info",
                title=f"{len(loose)} of {len(found)} neighbouring places could be changed by {rate:.1%} wrong labels "
                f"({where}); {head}",
                figure=wilson(len(loose), len(found)),
                effect="Errors at random shrink every lead and change no order; errors that a model shares do.",
                source="Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks, 2021, "
                "arXiv 2103.14749",
                remedy="have the suspects of noise.labels judged again before a close order is reported",
                table={
                    "better": [item.first for item in found],
                    "next": [item.second for item in found],
                    "lead": [item.lead for item in found],
                    "turns_at": [item.turns_at for item in found],
                },
                details={"rate": rate, "rate_from": where},
            )
        ]

    def _rate(self, case: Case) -> tuple[float, str]:
        if self.rate is not None:
            return self.rate, "as set"
        found = label_suspects(case)
        if isinstance(found, Suspects) and found.lapse.found:
            return found.lapse.rate.value, "as estimated from this data"
        return PUBLISHED, "the mean of ten published test sets"


def standings(case: Case) -> list[Standing] | str:
    """Neighbours in the order of the sources, the best first; a string says why there is no order."""
    outcomes = _outcomes(case)
    if outcomes is not None:
        return outcomes
    said = case.comparisons
    known = (said.source_first >= 0) & (said.source_second >= 0) & ~np.isnan(said.prob)
    known &= said.source_first != said.source_second
    if not known.any():
        return "no labels of several sources' responses, and no comparisons of two sources"
    one, two, prob = said.source_first[known], said.source_second[known], said.prob[known]
    p = len(said.sources)
    wins = np.bincount(one, weights=prob, minlength=p) + np.bincount(two, weights=1 - prob, minlength=p)
    played = np.bincount(one, minlength=p) + np.bincount(two, minlength=p)
    kept = np.flatnonzero(played >= LEAST)
    if len(kept) < 2:
        return f"fewer than two sources with {LEAST} comparisons"
    share = wins[kept] / played[kept]
    order = kept[np.argsort(-share, kind="stable")]
    total = int(known.sum())
    found = []
    for a, b in pairwise(order):
        lead = float(wins[a] / played[a] - wins[b] / played[b])
        # a vote that is turned takes 1/n_a from a, or gives 1/n_b to b; between the two it does both
        both = ((one == a) & (two == b)) | ((one == b) & (two == a))
        each = 1 / played[a] + 1 / played[b]
        a_won = float(np.where(one == a, prob, 1 - prob)[both].sum())
        n = min(lead / each, a_won)
        n += max(lead - n * each, 0.0) / max(1 / played[a], 1 / played[b])
        found.append(Standing(said.sources[a], said.sources[b], lead, float(np.ceil(n - 1e-9)) / total))
    return found


def _outcomes(case: Case) -> list[Standing] | None:
    import pyarrow.compute as pc

    table = case.feedback.labels().arrow()
    table = table.filter(pc.and_(pc.is_valid(table["source"]), pc.is_valid(table["response"])))
    if not table.num_rows:
        return None
    source = table["source"].cast("string").combine_chunks().dictionary_encode()
    names = source.dictionary.to_pylist()
    code = source.indices.to_numpy(zero_copy_only=False)
    rows, place = np.unique(table["row"].to_numpy(), return_inverse=True)
    if len(names) < 2 or len(rows) * len(names) > 50_000_000:
        return None
    total = np.zeros((len(rows), len(names)))
    count = np.zeros_like(total)
    np.add.at(total, (place, code), np.nan_to_num(table["value"].to_numpy()))
    np.add.at(count, (place, code), 1)
    right = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    kept = np.flatnonzero((count > 0).sum(axis=0) >= LEAST)
    share = np.nanmean(right[:, kept], axis=0)
    order = kept[np.argsort(-share, kind="stable")]
    found = []
    for a, b in pairwise(order):
        both = ~np.isnan(right[:, a]) & ~np.isnan(right[:, b])
        if both.sum() < LEAST:
            continue
        lead = float((right[both, a] - right[both, b]).mean())
        turns = turning_share(right[both, a], right[both, b])
        found.append(Standing(names[a], names[b], lead, 0.0 if np.isnan(turns) else turns))
    return found or None
