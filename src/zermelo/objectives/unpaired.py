"""Losses over single responses labelled good or bad: KTO, BCO, APO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from zermelo.errors import positive, unit_interval
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, Stats, Step, term

__all__ = ["BCO", "KTO", "APOZeroUnpaired"]


@dataclass(frozen=True)
class KTO(Composable):
    """Kahneman–Tversky optimisation: each response against the policy's average distance from the reference.

        z₀ = max(0, mean of log π(y'|x) − log π_ref(y'|x) over mismatched (x, y') of the step), no gradient
        L_i = λ_D (1 − σ(β(Δ_i − z₀)))      where label = 1
              λ_U (1 − σ(β(z₀ − Δ_i)))      where label = 0                    [n], one per labelled response

    z₀ is taken once per optimiser step, over all micro-batches and ranks: responses are read under the prompt of
    another group of the step. Keep λ_D n_D / (λ_U n_U) between 1 and 3/2.

    Args:
        beta: Pull towards the reference, > 0.
        lam_good: λ_D, weight of good responses, > 0.
        lam_bad: λ_U, weight of bad responses, > 0.
    Raises:
        SettingError: a setting is not a positive finite number.
    Source: "KTO: Model Alignment as Prospect Theoretic Optimization", 2024, arXiv 2402.01306.
    """

    needs: ClassVar[Needs] = Needs(labels=True, policies=("ref",), mismatched=True)
    beta: float = 0.1
    lam_good: float = 1.0
    lam_bad: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "beta", "lam_good", "lam_bad")

    def prepare(self, step: Step) -> Stats:
        """z₀ of the step; responses without a mismatched partner (NaN) do not count."""

        def of(batch: RaggedBatch) -> tuple[Tensor, Tensor]:
            gap = batch.extra_of("mismatched") - batch.extra_of("mismatched_ref")
            known = torch.isfinite(gap)
            return gap[known].sum(), known.sum()

        return {"z0": max(0.0, float(step.mean(of)))}

    def __call__(self, batch: RaggedBatch) -> Losses:
        z0: Any = batch.stats.get("z0", 0.0)
        index, good = labelled(batch)
        reward = self.beta * batch.log_ratio("ref")[index]  # [n]
        gap = reward - self.beta * z0
        # 1 − σ(z) = σ(−z)
        each = torch.where(good, self.lam_good * torch.sigmoid(-gap), self.lam_bad * torch.sigmoid(gap))
        metrics = {**label_metrics(reward, good), "kl": torch.full_like(reward, float(z0))}
        return term("kto", over="responses", each=each, metrics=metrics, index=index)


@dataclass(frozen=True)
class BCO(Composable):
    """Binary classifier optimisation: logistic loss of each response against a moving shift.

        δ = ½ (mean r̂ of the good + mean r̂ of the bad), an exponential moving average over steps, no gradient
        L_i = softplus(−(r̂_i − δ))   where label = 1
              softplus(r̂_i − δ)      where label = 0                           [n], nat, one per labelled response

    δ is the state of the objective, starts at 0 (policy = reference) and is updated after each step.

    Args:
        beta: Pull towards the reference, > 0.
        alpha: Step of the moving average, in [0, 1].
    Raises:
        SettingError: a setting is out of range.
    Source: "Binary Classifier Optimization for Large Language Model Alignment", 2024, arXiv 2404.04656.
    """

    needs: ClassVar[Needs] = Needs(labels=True, policies=("ref",))
    beta: float = 0.1
    alpha: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")
        unit_interval(self, "alpha")

    def __call__(self, batch: RaggedBatch) -> Losses:
        shift: Any = batch.state.get("shift", 0.0)
        index, good = labelled(batch)
        reward = self.beta * batch.log_ratio("ref")[index]  # [n]
        each = torch.where(good, softplus(shift - reward), softplus(reward - shift))
        return term("bco", over="responses", each=each, metrics=label_metrics(reward, good), index=index)

    def init_state(self) -> Stats:
        """δ = 0."""
        return {"shift": 0.0}

    def update(self, state: Stats, sums: Mapping[str, float]) -> Stats:
        """δ after the step; a step that lacks one of the two labels leaves it."""
        share = sums.get("bco/share_good", 0.0)
        if not 0.0 < share < 1.0:
            return state
        middle = 0.5 * (sums["bco/reward_good"] / share + sums["bco/reward_bad"] / (1.0 - share))
        return {"shift": (1 - self.alpha) * state["shift"] + self.alpha * middle}


@dataclass(frozen=True)
class APOZeroUnpaired(Composable):
    """Anchored preference optimisation without pairs: KTO whose baseline is the reference itself, z₀ = 0.

        L_i = λ_D (1 − σ(βΔ_i))   where label = 1
              λ_U σ(βΔ_i)         where label = 0                              [n], one per labelled response

    Saves KTO's extra pass over mismatched prompts.

    Args:
        beta: Pull towards the reference, > 0.
        lam_good: λ_D, weight of good responses, > 0.
        lam_bad: λ_U, weight of bad responses, > 0.
    Raises:
        SettingError: a setting is not a positive finite number.
    Source: "Anchored Preference Optimization and Contrastive Revisions: Addressing Underspecification in Alignment",
        2024, arXiv 2408.06266.
    """

    needs: ClassVar[Needs] = Needs(labels=True, policies=("ref",))
    beta: float = 0.1
    lam_good: float = 1.0
    lam_bad: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "beta", "lam_good", "lam_bad")

    def __call__(self, batch: RaggedBatch) -> Losses:
        index, good = labelled(batch)
        reward = self.beta * batch.log_ratio("ref")[index]  # [n]
        each = torch.where(good, self.lam_good * torch.sigmoid(-reward), self.lam_bad * torch.sigmoid(reward))
        return term("apo_zero_unpaired", over="responses", each=each, metrics=label_metrics(reward, good), index=index)


def labelled(batch: RaggedBatch) -> tuple[Tensor, Tensor]:
    """Indices of the labelled responses [n], and whether each is good [n]."""
    index = torch.isfinite(batch.labels).nonzero().squeeze(1)
    return index, batch.labels[index] > 0.5


def label_metrics(reward: Tensor, good: Tensor) -> dict[str, Tensor]:
    """Averages over all labelled responses: `reward_good` / `share_good` is the mean reward of the good ones. [n]"""
    share = good.to(reward.dtype)
    return {
        "reward_good": reward * share,
        "reward_bad": reward * (1 - share),
        "share_good": share,
        "accuracies": ((reward > 0) == good).to(reward.dtype),
    }
