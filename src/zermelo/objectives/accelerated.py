"""Nesterov momentum over rounds of preference optimisation: the policy is extrapolated, the loss stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from zermelo.errors import unit_interval

__all__ = ["AcceleratedPO"]


@dataclass(frozen=True)
class AcceleratedPO:
    """Accelerated preference optimisation: after each round, go a little further in the direction it took.

        θ̂_{t+1} = optimum of the round's loss with reference θ_t
        θ_{t+1} = θ̂_{t+1} + α (θ̂_{t+1} − θ̂_t)            sampler, reference and start of the next round

    The difference is between the *un*-extrapolated θ̂; θ̂_0 = θ_0 is the first policy. For log-linear policies it is
    π ∝ π̂_{t+1} (π̂_{t+1}/π̂_t)^α exactly, for language models a heuristic: check the KL. α = 0 is iterative DPO; the
    limit speed-up is 1/(1 − α). Not the anchored losses `apo_zero` and `apo_down`.

    Args:
        alpha: Momentum, in [0, 1).
    Raises:
        SettingError: alpha is outside [0, 1).
    Source: "Accelerated Preference Optimization for Large Language Model Alignment", 2024, arXiv 2410.06293.
    """

    alpha: float = 0.3

    def __post_init__(self) -> None:
        unit_interval(self, "alpha", open_right=1.0)

    def extrapolate(self, current: Mapping[str, Tensor], previous: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """θ_{t+1} from θ̂_{t+1} and θ̂_t, name by name; tensors of integers are taken from `current`."""
        return {
            name: value + self.alpha * (value - previous[name].to(value.device))
            if value.is_floating_point() and self.alpha
            else value.clone()
            for name, value in current.items()
        }
