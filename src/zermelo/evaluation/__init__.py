"""Is it really better? Settings, then `measure(...)`, then a small frozen result with intervals, tables and pictures.

accuracy.py          before and after on the same prompts, the paired gain
win_rate.py          win rates, ties counting one half
length_control.py    the win rate at equal lengths, for one pair of systems (length_glm.py: for many)
divergence.py        KL to the reference from per-token log-probabilities
calibration.py       are stated probabilities met? (balance.py: signed, without bins)
reward_model.py      a scorer on pairs, beside the longer answer
overoptimisation.py  best-of-n by a proxy and by the truth
pass_at_k.py         the chance that one of k samples is right
diversity.py         how different the samples of a prompt are
dissection.py        what a judge prefers: weights of attributes of texts (attributes.py)
judge_bias.py        what cues and the order of answers do to a judge; self_preference.py: its own answers
verdicts.py          a judge's comparisons in both orders, from judged groups
tastes.py, cues.py   several judges' tastes on equal terms; cues that should not sway a judge
self_knowledge.py    P(True), P(IK); mcq_confidence.py: confidence before and after reasoning
side_by_side.py      systems by comparisons, or by grades; raters.py: agreement of people and judges
taxonomy.py, pc2.py  scores over a tree of query types; pointwise scores by criteria
judged.py            all of that for a file of judged groups (gather.py, judged_result.py, judged_page.py)
method_comparison.py methods over seeds, settings and prompts: paired, tuned on the other half, Holm
ablation.py          one factor at a time; alignment_matrix.py: methods × starts × sizes of the data
method_study.py      kinds of training on a bandit of known geometry; value_drift.py: stances over checkpoints
present.py           how results show themselves
scaling.py, variance.py, wildbench.py   published methods
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.evaluation.ablation import FactorStudy, StudyReport
    from zermelo.evaluation.accuracy import Accuracy, PairedAccuracy, PairedAccuracyResult
    from zermelo.evaluation.alignment_matrix import AlignmentMatrix, AlignmentMatrixResult
    from zermelo.evaluation.calibration import Calibration, CalibrationResult
    from zermelo.evaluation.cues import with_cue
    from zermelo.evaluation.dissection import AttributeEffects, Dissection, preference_similarity
    from zermelo.evaluation.divergence import Divergence, DivergenceResult
    from zermelo.evaluation.diversity import Diversity, DiversityResult
    from zermelo.evaluation.judge_bias import CueBias, CueBiasResult, PositionBias, PositionBiasResult
    from zermelo.evaluation.judged import JudgedGroups
    from zermelo.evaluation.judged_result import JudgedGroupsResult
    from zermelo.evaluation.length_control import LengthControlledWinRate, LengthControlledWinRateResult
    from zermelo.evaluation.mcq_confidence import ReasoningConfidence, ReasoningConfidenceResult
    from zermelo.evaluation.method_comparison import MethodComparison, MethodComparisonResult
    from zermelo.evaluation.method_study import MethodStudy, StudyCurve
    from zermelo.evaluation.overoptimisation import Overoptimisation, OveroptimisationResult
    from zermelo.evaluation.pass_at_k import PassAtK, PassAtKResult
    from zermelo.evaluation.pc2 import PC2
    from zermelo.evaluation.raters import RaterAgreement, RaterAgreementResult, absolute_vs_relative
    from zermelo.evaluation.reward_model import RewardModelAccuracy, RewardModelAccuracyResult
    from zermelo.evaluation.self_knowledge import (
        PIKHead,
        SelfKnowledge,
        SelfKnowledgeResult,
        option_probabilities,
        p_true,
    )
    from zermelo.evaluation.self_preference import SelfPreference, SelfPreferenceResult, both_orders
    from zermelo.evaluation.side_by_side import AbsoluteScores, SideBySide, SystemScores
    from zermelo.evaluation.tastes import Tastes, compare_tastes
    from zermelo.evaluation.taxonomy import Taxonomy, TaxonomyScores
    from zermelo.evaluation.value_drift import ValueDrift, ValueDriftResult, value_gap
    from zermelo.evaluation.verdicts import Verdicts, verdicts_of
    from zermelo.evaluation.win_rate import WinRate, WinRateResult, wins_by_score

_WHERE = {
    "ablation": ["FactorStudy", "StudyReport"],
    "alignment_matrix": ["AlignmentMatrix", "AlignmentMatrixResult"],
    "method_comparison": ["MethodComparison", "MethodComparisonResult"],
    "method_study": ["MethodStudy", "StudyCurve"],
    "value_drift": ["ValueDrift", "ValueDriftResult", "value_gap"],
    "cues": ["with_cue"],
    "tastes": ["Tastes", "compare_tastes"],
    "dissection": ["AttributeEffects", "Dissection", "preference_similarity"],
    "judge_bias": ["CueBias", "CueBiasResult", "PositionBias", "PositionBiasResult"],
    "mcq_confidence": ["ReasoningConfidence", "ReasoningConfidenceResult"],
    "pc2": ["PC2"],
    "raters": ["RaterAgreement", "RaterAgreementResult", "absolute_vs_relative"],
    "self_knowledge": ["PIKHead", "SelfKnowledge", "SelfKnowledgeResult", "option_probabilities", "p_true"],
    "self_preference": ["SelfPreference", "SelfPreferenceResult", "both_orders"],
    "side_by_side": ["AbsoluteScores", "SideBySide", "SystemScores"],
    "taxonomy": ["Taxonomy", "TaxonomyScores"],
    "verdicts": ["Verdicts", "verdicts_of"],
    "accuracy": ["Accuracy", "PairedAccuracy", "PairedAccuracyResult"],
    "calibration": ["Calibration", "CalibrationResult"],
    "divergence": ["Divergence", "DivergenceResult"],
    "diversity": ["Diversity", "DiversityResult"],
    "judged": ["JudgedGroups"],
    "judged_result": ["JudgedGroupsResult"],
    "length_control": ["LengthControlledWinRate", "LengthControlledWinRateResult"],
    "overoptimisation": ["Overoptimisation", "OveroptimisationResult"],
    "pass_at_k": ["PassAtK", "PassAtKResult"],
    "reward_model": ["RewardModelAccuracy", "RewardModelAccuracyResult"],
    "win_rate": ["WinRate", "WinRateResult", "wins_by_score"],
}

__all__ = [
    "PC2",
    "AbsoluteScores",
    "Accuracy",
    "AlignmentMatrix",
    "AlignmentMatrixResult",
    "AttributeEffects",
    "Calibration",
    "CalibrationResult",
    "CueBias",
    "CueBiasResult",
    "Dissection",
    "Divergence",
    "DivergenceResult",
    "Diversity",
    "DiversityResult",
    "FactorStudy",
    "JudgedGroups",
    "JudgedGroupsResult",
    "LengthControlledWinRate",
    "LengthControlledWinRateResult",
    "MethodComparison",
    "MethodComparisonResult",
    "MethodStudy",
    "Overoptimisation",
    "OveroptimisationResult",
    "PIKHead",
    "PairedAccuracy",
    "PairedAccuracyResult",
    "PassAtK",
    "PassAtKResult",
    "PositionBias",
    "PositionBiasResult",
    "RaterAgreement",
    "RaterAgreementResult",
    "ReasoningConfidence",
    "ReasoningConfidenceResult",
    "RewardModelAccuracy",
    "RewardModelAccuracyResult",
    "SelfKnowledge",
    "SelfKnowledgeResult",
    "SelfPreference",
    "SelfPreferenceResult",
    "SideBySide",
    "StudyCurve",
    "StudyReport",
    "SystemScores",
    "Tastes",
    "Taxonomy",
    "TaxonomyScores",
    "ValueDrift",
    "ValueDriftResult",
    "Verdicts",
    "WinRate",
    "WinRateResult",
    "absolute_vs_relative",
    "both_orders",
    "compare_tastes",
    "option_probabilities",
    "p_true",
    "preference_similarity",
    "value_gap",
    "verdicts_of",
    "wins_by_score",
    "with_cue",
]

__getattr__, __dir__ = attach(__name__, {name: module for module, names in _WHERE.items() for name in names})
