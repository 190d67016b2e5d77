"""Preferences over images, from denoising errors; `diffusion` supplies them: MaPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from zermelo.errors import SettingError, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["MaPO", "win_score"]


def win_score(error: Tensor, snr: float = 0.5) -> Tensor:
    """s·e/(exp(s·e) − 1): 1 at error 0 (where the quotient is 0/0), falling with the error. Elementwise."""
    x = snr * (error if error.dtype == torch.float64 else error.float())
    tiny = x.abs() < 1e-6
    safe = torch.where(tiny, torch.ones_like(x), x)  # the branch not taken must not put NaN into the gradient
    return torch.where(tiny, 1.0 - x / 2, safe / torch.expm1(safe))


@dataclass(frozen=True)
class MaPO(Composable):
    """Margin-aware preference optimisation for diffusion models, without a reference.

        score(e) = s·e / (e^{s·e} − 1),   e = mean squared denoising error of an image
        L_m = e_w + β softplus(−T (score(e_w) − score(e_l)))                    [M], one per pair

    Both images of a pair must share noise and timestep.

    Args:
        beta: Weight of the margin, ≥ 0; 0 is fine-tuning on the winners.
        snr: s, > 0.
        steps: T, training timesteps of the noise schedule, > 0.
    Raises:
        SettingError: a setting is out of range.
    Source: "Margin-aware Preference Optimization for Aligning Diffusion Models without Reference", 2024,
        arXiv 2406.06424.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, extra=("denoising_error",))
    beta: float = 0.1
    snr: float = 0.5
    steps: float = 1000.0

    def __post_init__(self) -> None:
        positive(self, "snr", "steps")
        if not callable(self.beta) and not self.beta >= 0:
            raise SettingError("bad-setting", f"MaPO.beta must be ≥ 0. Got {self.beta!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        error = batch.extra_of("denoising_error")  # [N]
        win_error, lose_error = batch.sides(error)
        win, lose = batch.sides(win_score(error, self.snr))
        each = win_error + self.beta * softplus(-self.steps * (win - lose))
        metrics = {**reward_metrics(win, lose), "error_chosen": win_error, "error_rejected": lose_error}
        return term("mapo", over="pairs", each=each, metrics=metrics)
