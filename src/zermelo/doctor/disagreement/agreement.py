"""`disagreement.agreement`: how far annotators agree, beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.disagreement.votes import Votes, votes_of
from zermelo.doctor.protocol import Finding, Passed, Result, Severity, Skipped
from zermelo.stats.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement
from zermelo.stats.bootstrap import bootstrap_of
from zermelo.stats.estimate import Estimate

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Agreement", "cohen_by_pair", "packed", "rating_table"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
MOST_ITEMS = 20_000  # of the coefficients; more change nothing in their third digit
RESAMPLES = 200
FAIR, SLIGHT = 0.4, 0.2
SHARED, SHOWN = 20, 20


@dataclass(frozen=True)
class Agreement:
    """Percent, Cohen's κ, Fleiss' κ and Krippendorff's α of annotators on the same items.

    Votes on two responses are one item whichever was named first; `other wins < tie < this wins` is their order for
    the ordinal α. Ratings of one response on one criterion are items too. Severity is by α: medium below 0.2, low below
    0.4 (Landis and Koch call that slight and fair).
    """

    id: ClassVar[str] = "disagreement.agreement"
    asks: ClassVar[str] = "do annotators agree beyond chance?"

    def run(self, case: Case) -> Sequence[Result]:
        results: list[Result] = []
        votes = votes_of(case)
        if len(votes) and (np.bincount(votes.item) >= 2).any():
            table = packed(votes.item, votes.say.astype(np.float64))
            cohen = cohen_by_pair(votes)
            results.append(_told(self.id, "votes", table, "nominal", case.seed, cohen))
        rated = rating_table(case)
        if rated is not None:
            results.append(_told(self.id, "ratings", rated, "ordinal", case.seed, {}))
        return results or [Skipped(self.id, "no item was judged by two annotators")]


def packed(item: Ints, value: Floats) -> Floats:
    """Values of each item with two or more, side by side, NaN where there are fewer; who said which is lost.

    Percent, Fleiss and Krippendorff do not ask who; this table is as narrow as the most values of an item.
    """
    order = np.argsort(item, kind="stable")
    _, first, count = np.unique(item[order], return_index=True, return_counts=True)
    wide = count >= 2
    table = np.full((int(wide.sum()), int(count[wide].max(initial=0))), np.nan)
    place = np.arange(len(item)) - np.repeat(first, count)
    row = np.repeat(np.cumsum(wide) - 1, count)
    kept = np.repeat(wide, count)
    table[row[kept], place[kept]] = value[order][kept]
    return table


def cohen_by_pair(votes: Votes, *, least: int = SHARED) -> dict[tuple[str, str], tuple[float, int]]:
    """Cohen's κ of two annotators with enough common items: names → (κ, items). At most the 200 with most votes."""
    people = np.argsort(-np.bincount(votes.by, minlength=len(votes.annotators)), kind="stable")[:200]
    said = []
    for k in people.tolist():
        at = votes.of(k)
        item, first = np.unique(votes.item[at], return_index=True)
        said.append((item, votes.say[at][first]))
    found = {}
    for i in range(len(people)):
        for j in range(i + 1, len(people)):
            if min(len(said[i][0]), len(said[j][0])) < least:
                continue
            _, a, b = np.intersect1d(said[i][0], said[j][0], assume_unique=True, return_indices=True)
            if len(a) >= least:
                names = sorted((votes.annotators[people[i]], votes.annotators[people[j]]))
                found[names[0], names[1]] = (cohen_kappa(said[i][1][a], said[j][1][b]), len(a))
    return found


def rating_table(case: Case) -> Floats | None:
    """Ratings of one response on one criterion by several annotators, packed; None where there are none."""
    table = case.ratings
    if not table.num_rows:
        return None
    import pyarrow.compute as pc

    criterion = pc.fill_null(table["criterion"].cast("string"), "").combine_chunks().dictionary_encode()
    code = criterion.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    row, response = (table[name].to_numpy().astype(np.int64) for name in ("row", "response"))
    key = (row * (1 << 16) + response) * (int(code.max()) + 1) + code
    _, item = np.unique(key, return_inverse=True)
    value = table["value"].to_numpy().astype(np.float64)
    known = ~np.isnan(value)
    if not known.any() or np.bincount(item[known]).max() < 2:
        return None
    return packed(item[known], value[known])


def _told(
    audit: str,
    what: str,
    table: Floats,
    scale: Literal["nominal", "ordinal"],
    seed: int,
    cohen: dict[tuple[str, str], tuple[float, int]],
) -> Result:
    total = len(table)
    if total > MOST_ITEMS:
        table = table[np.sort(np.random.default_rng((seed, 1934)).choice(total, MOST_ITEMS, replace=False))]
    alpha = _with_interval(table, scale, seed)
    percent = percent_agreement(table)
    details: dict[str, float | str] = {
        "percent": percent,
        "fleiss_kappa": fleiss_kappa(table),
        "alpha_nominal": krippendorff_alpha(table),
        "alpha_ordinal": krippendorff_alpha(table, scale="ordinal"),
        "items": float(total),
    }
    if cohen:
        details["cohen_mean"] = float(np.nanmean([kappa for kappa, _ in cohen.values()]))
    said = (
        f"two annotators agree in {percent:.1%} of {total:,} items with several {what}; Krippendorff's α ({scale}) is "
        f"{alpha.value:.2f}"
    )
    if not alpha.value < FAIR:
        return Passed(audit, said, alpha, details)
    worst = sorted(cohen.items(), key=lambda item: item[1][0])[:SHOWN]
    severity: Severity = "medium" if alpha.value < SLIGHT else "low"
    return Finding(
        audit=audit,
        severity=severity,
        title=said,
        figure=alpha,
        effect="Little agreement bounds what any reward model can learn from single votes: its accuracy on one "
        "annotator's choice can hardly exceed that of another annotator.",
        source="Computing Krippendorff's Alpha-Reliability, 2011",
        remedy="several votes an item and soft labels; see spam, tribes and drift for why they differ",
        table={
            "first": [names[0] for names, _ in worst],
            "second": [names[1] for names, _ in worst],
            "cohen_kappa": [kappa for _, (kappa, _) in worst],
            "items": [n for _, (_, n) in worst],
        },
        details=details,
    )


def _with_interval(table: Floats, scale: Literal["nominal", "ordinal"], seed: int) -> Estimate:
    """α with a bootstrap over items, on at most 2,000 of them (its width is scaled by √)."""
    value = krippendorff_alpha(table, scale=scale)
    some = table
    if len(table) > 2_000:
        some = table[np.random.default_rng((seed, 1935)).choice(len(table), 2_000, replace=False)]
    drawn = bootstrap_of(lambda rows: krippendorff_alpha(rows, scale=scale), some, resamples=RESAMPLES, seed=seed)
    error = float(drawn.standard_error[0]) * np.sqrt(len(some) / len(table))
    return Estimate(value, value - 1.96 * error, value + 1.96 * error, n=len(table), method="bootstrap over items")
