"""From comparisons to ratings with honest uncertainty; NumPy, no torch.

counts.py reading.py records.py lists.py     battles and rankings of any form: collapsed, or one by one
bradley_terry.py covariates.py contextual.py plackett_luce.py online.py glicko2.py   the models
newton.py likelihood.py sparse.py            how they are solved
bootstrap.py goodness.py agreement.py graph.py tables.py   uncertainty, does it fit
active.py sequential.py                      what to compare next, when to stop
event_model.py event_em.py streams.py        when the next feedback comes, and which
irt.py dawid_skene.py simplex.py tournament.py multiwinner.py     tests and items, raters, cups, committees
result.py board.py                           Ratings, and the board that `zermelo rank` prints
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.ranking.active import next_pairs, posterior, power
    from zermelo.ranking.agreement import board_agreement
    from zermelo.ranking.bradley_terry import BradleyTerry, Thurstone
    from zermelo.ranking.contextual import ContextualBradleyTerry
    from zermelo.ranking.counts import Counts, count
    from zermelo.ranking.covariates import ControlledBradleyTerry
    from zermelo.ranking.dawid_skene import DawidSkene
    from zermelo.ranking.glicko2 import Glicko2
    from zermelo.ranking.goodness import goodness_of_fit, held_out
    from zermelo.ranking.irt import IRT
    from zermelo.ranking.online import Elo, Glicko, TrueSkill
    from zermelo.ranking.plackett_luce import PlackettLuce
    from zermelo.ranking.reading import as_counts
    from zermelo.ranking.records import read_records
    from zermelo.ranking.result import Ratings
    from zermelo.ranking.sequential import SequentialTest, settled
    from zermelo.ranking.simplex import JudgeSimplex

__all__ = [
    "IRT",
    "BradleyTerry",
    "ContextualBradleyTerry",
    "ControlledBradleyTerry",
    "Counts",
    "DawidSkene",
    "Elo",
    "Glicko",
    "Glicko2",
    "JudgeSimplex",
    "PlackettLuce",
    "Ratings",
    "SequentialTest",
    "Thurstone",
    "TrueSkill",
    "as_counts",
    "board_agreement",
    "count",
    "goodness_of_fit",
    "held_out",
    "next_pairs",
    "posterior",
    "power",
    "read_records",
    "settled",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "BradleyTerry": "bradley_terry",
        "Thurstone": "bradley_terry",
        "ContextualBradleyTerry": "contextual",
        "ControlledBradleyTerry": "covariates",
        "Counts": "counts",
        "count": "counts",
        "DawidSkene": "dawid_skene",
        "Elo": "online",
        "Glicko": "online",
        "Glicko2": "glicko2",
        "TrueSkill": "online",
        "IRT": "irt",
        "PlackettLuce": "plackett_luce",
        "JudgeSimplex": "simplex",
        "Ratings": "result",
        "as_counts": "reading",
        "board_agreement": "agreement",
        "goodness_of_fit": "goodness",
        "held_out": "goodness",
        "next_pairs": "active",
        "posterior": "active",
        "power": "active",
        "SequentialTest": "sequential",
        "settled": "sequential",
        "read_records": "records",
    },
)
