"""The best answer at test time, without training.

selection.py   on arrays: best-of-n, soft best-of-n, votes, minimum Bayes risk, the KL bound
curves.py      (weighted) majority against n from one set of samples; best-of-n against n is stats.best_of_n_curve
groups.py      the same on groups with judgements: best_of_n, majority_vote, weighted_majority, minimum_bayes_risk
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.search.curves import majority_curve, selector_pass_at_k
    from zermelo.search.groups import (
        Selection,
        best_of_n,
        label_table,
        majority_vote,
        minimum_bayes_risk,
        score_table,
        soft_best_of_n,
        weighted_majority,
    )
    from zermelo.search.selection import (
        Vote,
        best_of_n_kl,
        canonical_answer,
        expected_utility,
        soft_weights,
        vote,
        vote_weights,
    )

_WHERE = {
    "curves": ["majority_curve", "selector_pass_at_k"],
    "groups": [
        "Selection",
        "best_of_n",
        "label_table",
        "majority_vote",
        "minimum_bayes_risk",
        "score_table",
        "soft_best_of_n",
        "weighted_majority",
    ],
    "selection": [
        "Vote",
        "best_of_n_kl",
        "canonical_answer",
        "expected_utility",
        "soft_weights",
        "vote",
        "vote_weights",
    ],
}

__all__ = [
    "Selection",
    "Vote",
    "best_of_n",
    "best_of_n_kl",
    "canonical_answer",
    "expected_utility",
    "label_table",
    "majority_curve",
    "majority_vote",
    "minimum_bayes_risk",
    "score_table",
    "selector_pass_at_k",
    "soft_best_of_n",
    "soft_weights",
    "vote",
    "vote_weights",
    "weighted_majority",
]

__getattr__, __dir__ = attach(__name__, {name: module for module, names in _WHERE.items() for name in names})
