"""New responses and new pairs.

errors.py     inject_errors: corrupted twins of correct responses, by a world's or the generic catalogue
self_edit.py  RISE: step pairs whose rejected side is a minimal wrong edit
edits.py      the edits by rule, and the checker of equalities
relabel.py, hierarchy.py, reference_judge.py   pairs from scores, levels of answers, a metric against a reference
rejection.py, degrade.py, marks.py             samples of the optimal policy; graded versions; where two texts differ
subsets.py    SubsetSelector: which of many candidates to calibrate on
stepwise_trials.py, thinking_patterns.py       reasoning: ReCUT's trials, DTO's pruning
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.synthesis.degrade import KeyContent
    from zermelo.synthesis.errors import Catalogue, TextErrors, inject_errors
    from zermelo.synthesis.hierarchy import answer_levels, explanation_stability, hierarchy_pairs
    from zermelo.synthesis.marks import fault_marks, id_marks, phrase_marks, token_marks
    from zermelo.synthesis.reference_judge import green, judged_by_reference
    from zermelo.synthesis.rejection import first_round, statistical_rejection, tournament
    from zermelo.synthesis.relabel import RewardAugment, goal_prompt
    from zermelo.synthesis.self_edit import SelfEditPair, pairs_to_groups, self_edit_pairs
    from zermelo.synthesis.stepwise_trials import Trials
    from zermelo.synthesis.subsets import Candidates, ContrastSelector, SubsetSelector, set_statistics
    from zermelo.synthesis.thinking_patterns import earliest_finish, prune_patterns, segments

__all__ = [
    "Candidates",
    "Catalogue",
    "ContrastSelector",
    "KeyContent",
    "RewardAugment",
    "SelfEditPair",
    "SubsetSelector",
    "TextErrors",
    "Trials",
    "answer_levels",
    "earliest_finish",
    "explanation_stability",
    "fault_marks",
    "first_round",
    "goal_prompt",
    "green",
    "hierarchy_pairs",
    "id_marks",
    "inject_errors",
    "judged_by_reference",
    "pairs_to_groups",
    "phrase_marks",
    "prune_patterns",
    "segments",
    "self_edit_pairs",
    "set_statistics",
    "statistical_rejection",
    "token_marks",
    "tournament",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        **dict.fromkeys(["Candidates", "ContrastSelector", "SubsetSelector", "set_statistics"], "subsets"),
        **dict.fromkeys(["Catalogue", "TextErrors", "inject_errors"], "errors"),
        **dict.fromkeys(["SelfEditPair", "pairs_to_groups", "self_edit_pairs"], "self_edit"),
        **dict.fromkeys(["RewardAugment", "goal_prompt"], "relabel"),
        **dict.fromkeys(["first_round", "statistical_rejection", "tournament"], "rejection"),
        **dict.fromkeys(["KeyContent"], "degrade"),
        **dict.fromkeys(["fault_marks", "id_marks", "phrase_marks", "token_marks"], "marks"),
        **dict.fromkeys(["answer_levels", "explanation_stability", "hierarchy_pairs"], "hierarchy"),
        **dict.fromkeys(["green", "judged_by_reference"], "reference_judge"),
        **dict.fromkeys(["Trials"], "stepwise_trials"),
        **dict.fromkeys(["earliest_finish", "prune_patterns", "segments"], "thinking_patterns"),
    },
)
