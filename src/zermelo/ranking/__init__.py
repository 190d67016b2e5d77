"""From comparisons to ratings with honest uncertainty; NumPy, no torch.

counts.py          millions of battles collapsed to cells
bradley_terry.py   Bradley–Terry with ties, position and prior; Thurstone
likelihood.py      the models of an outcome that they share
graph.py           pieces of the comparison graph; who can be rated
result.py          Ratings
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.ranking.bradley_terry import BradleyTerry, Thurstone
    from zermelo.ranking.counts import Counts, count
    from zermelo.ranking.result import Ratings

__all__ = ["BradleyTerry", "Counts", "Ratings", "Thurstone", "count"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "BradleyTerry": "bradley_terry",
        "Thurstone": "bradley_terry",
        "Counts": "counts",
        "count": "counts",
        "Ratings": "result",
    },
)
