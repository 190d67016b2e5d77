"""From the view `battles` to `Counts`: DuckDB groups and sums, Python sees one row for each ordered pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zermelo.errors import DataError
from zermelo.ranking.counts import Counts

if TYPE_CHECKING:
    from zermelo.feedback.view import View

__all__ = ["counts_of"]

# `prob` is an outcome's number where one was declared; a bare probability has no outcome
QUERY = """
SELECT source_a AS a, source_b AS b, sum(weight) AS n, sum(weight * prob) AS score,
       sum(weight) FILTER (outcome IN ('tie', 'both_bad')) AS tie,
       sum(weight * weight) AS n2, sum(weight * weight) FILTER (outcome IN ('tie', 'both_bad')) AS tie2,
       sum(weight * weight * prob) AS score2, sum(weight * weight * prob * prob) AS square2,
       bool_or(outcome IS NULL AND prob NOT IN (0, 1)) AS soft, count(*) AS battles
FROM view GROUP BY source_a, source_b
"""


def counts_of(view: View) -> Counts:
    """Collapse the view `battles` of a collection, or of a bare file.

    A player against itself is left out and counted.

    Raises:
        DataError: no comparison between two different players, or a weight that is negative or not a number.
    """
    table = view.sql(QUERY)
    a, b = table.column("a").to_pylist(), table.column("b").to_pylist()
    players = sorted({*a, *b})
    place = {name: index for index, name in enumerate(players)}
    first = np.fromiter((place[name] for name in a), dtype=np.int64, count=len(a))
    second = np.fromiter((place[name] for name in b), dtype=np.int64, count=len(b))
    sums = {
        name: np.nan_to_num(table.column(name).to_numpy(zero_copy_only=False).astype(np.float64))
        for name in ("n", "score", "tie", "n2", "tie2", "score2", "square2")
    }
    if not (np.isfinite(sums["n"]).all() and (sums["n"] >= 0).all()):
        raise DataError("bad-weight", "a weight is negative or not a number; expected numbers ≥ 0")
    battles = table.column("battles").to_numpy(zero_copy_only=False).astype(np.int64)
    apart = first != second
    n_self = int(battles[~apart].sum())
    if not apart.any():
        what = "no comparison between two different players" + (f" ({n_self} of one with itself)" if n_self else "")
        raise DataError("no-battles", what, hint="`zermelo inspect FILE` shows what is there")
    met = np.zeros(len(players), dtype=bool)
    met[first[apart]] = met[second[apart]] = True
    renumber = np.cumsum(met) - 1
    return Counts(
        players=tuple(name for name, there in zip(players, met.tolist(), strict=True) if there),
        first=renumber[first[apart]],
        second=renumber[second[apart]],
        soft=bool(table.column("soft").to_numpy(zero_copy_only=False)[apart].any()),
        battles=int(battles[apart].sum()),
        left_out=(("self", n_self),) if n_self else (),
        **{name: values[apart] for name, values in sums.items()},
    )
