"""`disagreement.ratings_rankings`: ratings and choices on the same responses that contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.stats.intervals import wilson
from zermelo.stats.protocols import ProtocolTable, protocol_win_rate, rating_ranking_table

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Both", "RatingsRankings", "asked_twice", "turned_sources"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
LEAST = 20


@dataclass(frozen=True)
class Both:
    """Pairs that were rated and compared. [N]

    Args:
        row: Group.
        first: Rating of the first response.
        second: Of the second.
        choice: 1 the first was chosen, −1 the second, 0 equal.
        by: Annotator of the choice, −1 unknown.
        longer: log of the first response's length over the second's, in characters; NaN where unknown.
    """

    row: Ints
    first: Floats
    second: Floats
    choice: Ints
    by: Ints
    longer: Floats

    @property
    def inconsistent(self) -> NDArray[np.bool_]:
        """Ratings and choice imply different things. [N]"""
        return np.asarray(np.sign(self.first - self.second) != self.choice)


@dataclass(frozen=True)
class RatingsRankings:
    """Consistency of ratings with choices, `equal` included and left out; what it goes with; who would win.

    Ratings of the annotator who chose are taken where he gave any, else everybody's first one. Severity is by the share
    of pairs that both decide, and differently.
    """

    id: ClassVar[str] = "disagreement.ratings_rankings"
    asks: ClassVar[str] = "do ratings and choices say the same?"

    def run(self, case: Case) -> Sequence[Result]:
        both = asked_twice(case)
        if both is None:
            return [Skipped(self.id, "no pair of responses was both rated and compared")]
        if len(both.row) < LEAST:
            return [Skipped(self.id, f"{len(both.row)} pairs were rated and compared; {LEAST} or more tell something")]
        table = rating_ranking_table(both.first, both.second, both.choice)
        n = int(table.counts.sum())
        turned = wilson(table.turned, n)
        details: dict[str, float | str] = {
            "consistency": table.consistency.value,
            "decisive_consistency": table.decisive.value,
            "hedged": table.hedged / n,
            "rating_ties": table.rating_ties.value,
            "choice_ties": table.choice_ties.value,
        }
        sources = turned_sources(case)
        details |= {f"turned_{k}": text for k, text in enumerate(sources, 1)}
        title = (
            f"ratings and choices say the same of {table.consistency.value:.1%} of {n:,} pairs; {turned.value:.1%} are "
            f"turned round, {table.hedged / n:.1%} are tied by one of the two only"
        )
        if turned.value < 0.01 and not sources:
            return [Passed(self.id, title, table.consistency, details)]
        rows = np.unique(both.row[both.inconsistent])
        gap = np.abs(both.first - both.second)
        worst = np.flatnonzero(both.inconsistent & (both.choice != 0) & (gap > 0))
        worst = worst[np.argsort(-gap[worst], kind="stable")][:10]
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(turned.value),
                title=title + (f"; the better of two sources turns with the protocol: {sources[0]}" if sources else ""),
                figure=table.consistency,
                effect="A reward model learns one protocol and is graded by the other: models trained on choices win "
                "under choices only.",
                source="Peering Through Preferences: Unraveling Feedback Acquisition for Aligning Large Language "
                "Models, 2023, arXiv 2308.15812",
                remedy="train on what you evaluate with; report both; treat pairs that differ as ties",
                rows=rows.astype(np.int64),
                examples=[
                    Example(
                        int(both.row[k]),
                        f"rated {both.first[k]:g} and {both.second[k]:g}",
                        "the first was chosen" if both.choice[k] > 0 else "the second was chosen",
                    )
                    for k in worst.tolist()
                ],
                table=_facets(both, table),
                details=details,
            )
        ]


def asked_twice(case: Case) -> Both | None:
    """Pairs that were rated and compared; None where there are none."""
    said, rated = case.comparisons, case.ratings
    if not len(said) or not rated.num_rows:
        return None
    if case.criterion is not None:
        import pyarrow.compute as pc

        rated = rated.filter(pc.equal(rated["criterion"].cast("string"), case.criterion))
    row, response = (rated[name].to_numpy().astype(np.int64) for name in ("row", "response"))
    value = rated["value"].to_numpy().astype(np.float64)
    codes = {name: k for k, name in enumerate(said.annotators)}
    by = np.array([codes.get(name or "", -1) for name in rated["by"].cast("string").to_pylist()], np.int64)
    at = np.flatnonzero(~np.isnan(said.prob))
    sides = []
    for side in (said.first[at], said.second[at]):
        own = _look_up(row, response, by, value, said.row[at], side, said.by[at].astype(np.int64))
        anyone = _look_up(row, response, by * 0, value, said.row[at], side, 0 * at)
        sides.append((own, anyone))
    mine = ~np.isnan(sides[0][0]) & ~np.isnan(sides[1][0]) & (said.by[at] >= 0)
    first, second = (np.where(mine, own, anyone) for own, anyone in sides)
    kept = ~np.isnan(first) & ~np.isnan(second)
    if not kept.any():
        return None
    at = at[kept]
    return Both(
        said.row[at],
        first[kept],
        second[kept],
        np.sign(said.prob[at] - 0.5).astype(np.int64),
        said.by[at].astype(np.int64),
        _longer(case, said.row[at], said.first[at], said.second[at]),
    )


def turned_sources(case: Case, *, least: int = LEAST, sure: bool = True) -> list[str]:
    """Pairs of sources of which one wins by ratings and the other by choices, in words: the win rates of one of them.

    Args:
        case: The data.
        least: Fewest rated and fewest compared rows.
        sure: Only where the interval of the difference of both win rates excludes 0.
    """
    said, rated = case.comparisons, case.ratings
    known = (said.source_first >= 0) & (said.source_second >= 0) & ~np.isnan(said.prob)
    if not known.any() or not rated.num_rows:
        return []
    table = rated.select(["row", "source", "value"]).to_pandas()
    table = table[table["source"].notna()]
    # one value for a source and row: the first
    table = table.drop_duplicates(["row", "source"]).pivot(index="row", columns="source", values="value")
    found = []
    low, high = np.minimum(said.source_first, said.source_second), np.maximum(said.source_first, said.source_second)
    keys = low.astype(np.int64) * len(said.sources) + high
    for key in np.unique(keys[known & (low != high)]).tolist():
        a, b = said.sources[key // len(said.sources)], said.sources[key % len(said.sources)]
        if a not in table.columns or b not in table.columns:
            continue
        gap = (table[a] - table[b]).dropna().to_numpy()
        mine = known & (keys == key)
        choice = np.sign(said.prob[mine] - 0.5) * np.where(said.source_first[mine] == key // len(said.sources), 1, -1)
        if len(gap) < least or len(choice) < least:
            continue
        by_rating, by_choice = protocol_win_rate(gap), protocol_win_rate(choice)
        error = np.hypot(by_rating.high - by_rating.value, by_choice.high - by_choice.value)
        apart = abs(by_rating.value - by_choice.value) > error or not sure
        if (by_rating.value - 0.5) * (by_choice.value - 0.5) < 0 and apart:
            found.append(f"{a} against {b}: {by_rating.value:.1%} by ratings, {by_choice.value:.1%} by choices")
    return found


def _look_up(
    row: Ints, response: Ints, by: Ints, value: Floats, of_row: Ints, of_response: Ints, of_by: Ints
) -> Floats:
    """The first rating with that row, response and annotator, NaN where there is none."""
    width = int(max(by.max(initial=0), of_by.max(initial=0))) + 2
    key = (row * (1 << 16) + response) * width + by + 1
    wanted = (of_row * (1 << 16) + of_response) * width + of_by + 1
    known, first = np.unique(key, return_index=True)
    if not len(known):
        return np.full(len(wanted), np.nan)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[at] == wanted, value[first[at]], np.nan)


def _longer(case: Case, row: Ints, first: Ints, second: Ints) -> Floats:
    places = [case.texts.place(row, side) for side in (first, second)]
    chars = [np.where(at >= 0, case.texts.chars[np.maximum(at, 0)], -1).astype(np.float64) for at in places]
    known = (chars[0] >= 0) & (chars[1] >= 0)
    return np.where(known, np.log((chars[0] + 1) / (chars[1] + 1)), np.nan)


def _facets(both: Both, table: ProtocolTable) -> dict[str, list[str | float | int | None]]:
    """What inconsistency goes with: the gap between the ratings, the difference in length, a tie."""
    names: list[str] = []
    shares: list[float] = []
    counts: list[int] = []
    gap, far = np.abs(both.first - both.second), np.abs(both.longer)
    middle = np.nanmedian(far) if np.isfinite(far).any() else 0.0
    upper = float(np.median(gap[gap > 0])) if (gap > 0).any() else 0.0
    for name, mask in (
        ("equal ratings", gap == 0),
        ("ratings that differ a little", (gap > 0) & (gap <= upper)),
        ("ratings that differ much", gap > upper),
        ("chosen as equal", both.choice == 0),
        ("responses of like length", far <= middle),
        ("responses of unlike length", far > middle),
    ):
        if mask.any():
            names.append(name)
            shares.append(float(both.inconsistent[mask].mean()))
            counts.append(int(mask.sum()))
    return {"pairs with": list(names), "inconsistent": list(shares), "n": list(counts)}
