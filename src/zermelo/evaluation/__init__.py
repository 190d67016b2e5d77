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
judged.py            all of that for a file of judged groups (gather.py, judged_result.py, judged_page.py)
present.py           how results show themselves
scaling.py, variance.py, wildbench.py   published methods
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.evaluation.accuracy import Accuracy, PairedAccuracy, PairedAccuracyResult
    from zermelo.evaluation.calibration import Calibration, CalibrationResult
    from zermelo.evaluation.divergence import Divergence, DivergenceResult
    from zermelo.evaluation.diversity import Diversity, DiversityResult
    from zermelo.evaluation.judged import JudgedGroups
    from zermelo.evaluation.judged_result import JudgedGroupsResult
    from zermelo.evaluation.length_control import LengthControlledWinRate, LengthControlledWinRateResult
    from zermelo.evaluation.overoptimisation import Overoptimisation, OveroptimisationResult
    from zermelo.evaluation.pass_at_k import PassAtK, PassAtKResult
    from zermelo.evaluation.reward_model import RewardModelAccuracy, RewardModelAccuracyResult
    from zermelo.evaluation.win_rate import WinRate, WinRateResult, wins_by_score

_WHERE = {
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
    "Accuracy",
    "Calibration",
    "CalibrationResult",
    "Divergence",
    "DivergenceResult",
    "Diversity",
    "DiversityResult",
    "JudgedGroups",
    "JudgedGroupsResult",
    "LengthControlledWinRate",
    "LengthControlledWinRateResult",
    "Overoptimisation",
    "OveroptimisationResult",
    "PairedAccuracy",
    "PairedAccuracyResult",
    "PassAtK",
    "PassAtKResult",
    "RewardModelAccuracy",
    "RewardModelAccuracyResult",
    "WinRate",
    "WinRateResult",
    "wins_by_score",
]

__getattr__, __dir__ = attach(__name__, {name: module for module, names in _WHERE.items() for name in names})
