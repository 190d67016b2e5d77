"""What a run is doing, as pure functions of tensors: numbers for alarms and reports, no thresholds of their own.

ches.py, gradients.py               why both likelihoods fall: alike hidden states, entangled gradients
likelihood.py                       whether they did, on which pairs, and where the mass went
ranking.py                          what the policy itself ranks rightly, the bound, the difficulty of a pair
length.py, coverage.py, readout.py  length exploitation and truncation; coverage; rewards read from logits
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.objectives.diagnostics.ches import Ches, ches_scores, keep_lowest
    from zermelo.objectives.diagnostics.coverage import Coverage, coverage_coefficients, largest_in_ball
    from zermelo.objectives.diagnostics.gradients import Entanglement, entanglement, head_products
    from zermelo.objectives.diagnostics.length import LengthUse, length_controlled, length_use, truncated_share
    from zermelo.objectives.diagnostics.likelihood import Displacement, displacement, gainers, predicted_gain
    from zermelo.objectives.diagnostics.ranking import (
        RankingAccuracy,
        difficulty,
        flips,
        idealised_margin,
        ranking_accuracy,
        required_loss,
    )
    from zermelo.objectives.diagnostics.readout import soft_value, token_rewards

__all__ = [
    "Ches",
    "Coverage",
    "Displacement",
    "Entanglement",
    "LengthUse",
    "RankingAccuracy",
    "ches_scores",
    "coverage_coefficients",
    "difficulty",
    "displacement",
    "entanglement",
    "flips",
    "gainers",
    "head_products",
    "idealised_margin",
    "keep_lowest",
    "largest_in_ball",
    "length_controlled",
    "length_use",
    "predicted_gain",
    "ranking_accuracy",
    "required_loss",
    "soft_value",
    "token_rewards",
    "truncated_share",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        **dict.fromkeys(["Ches", "ches_scores", "keep_lowest"], "ches"),
        **dict.fromkeys(["Coverage", "coverage_coefficients", "largest_in_ball"], "coverage"),
        **dict.fromkeys(["Displacement", "displacement", "gainers", "predicted_gain"], "likelihood"),
        **dict.fromkeys(["Entanglement", "entanglement", "head_products"], "gradients"),
        **dict.fromkeys(["LengthUse", "length_controlled", "length_use", "truncated_share"], "length"),
        **dict.fromkeys(
            ["RankingAccuracy", "difficulty", "flips", "idealised_margin", "ranking_accuracy", "required_loss"],
            "ranking",
        ),
        **dict.fromkeys(["soft_value", "token_rewards"], "readout"),
    },
)
