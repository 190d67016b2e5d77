"""Offline reinforcement learning from finished trajectories with one final reward: OREO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zermelo.errors import SettingError, one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["OREO"]


@dataclass(frozen=True)
class OREO(Composable):
    """Offline reasoning optimisation: policy and value made consistent with the soft Bellman equation.

        ℓ_u = Σ_{t in u} log π(y_t)/π_ref(y_t);  an action u is a token, a step or the whole response
        value:   (V(s_u) − R + β Σ_{v ≥ u} sg ℓ_v)²
        policy:  (sg V(s_u) − R + β ℓ_u + β Σ_{v > u} sg ℓ_v)²  +  α KL(π ‖ π_ref)
        each: mean over the actions (tokens for the KL) of a response        [n], reward², one per scored response

    R is the response's score, 0 or 1; s_u is the state before the action's first token. Both losses are zero at the
    optimum of KL-regularised reward maximisation. Pairs are not needed: right and wrong solutions are both kept. The
    value afterwards guides beam search.

    Args:
        beta: Weight of the KL in the optimum, > 0.
        alpha: Weight of the full-vocabulary KL(π ‖ π_ref) regulariser, ≥ 0; 0 leaves it out.
        action: What an action is.
        value_weight: Weight of the value loss, > 0; its gradient reaches the value head alone by sg, but also the
            backbone where the head shares it.
    Raises:
        SettingError: a setting is out of range.
    Source: "Offline Reinforcement Learning for LLM Multi-Step Reasoning", 2024, arXiv 2412.16145.
    """

    beta: float = 0.03
    alpha: float = 0.01
    action: Literal["token", "step", "response"] = "token"
    value_weight: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "beta", "value_weight")
        one_of(self, "action", ("token", "step", "response"))
        if not callable(self.alpha) and not self.alpha >= 0:
            raise SettingError("bad-setting", f"OREO.alpha must be ≥ 0. Got {self.alpha!r}")

    @property
    def needs(self) -> Needs:
        """Scores, the reference, the value head; steps and the KL where they are used."""
        extra = ("value", "kl:ref:reverse") if self.alpha else ("value",)
        return Needs(scores=True, policies=("ref",), extra=extra, steps=self.action == "step")

    def __call__(self, batch: RaggedBatch) -> Losses:
        index = torch.isfinite(batch.scores).nonzero().squeeze(1)
        unit, unit_response = self._units(batch)  # [T] (−1 = in none), [U]
        n_units = len(unit_response)
        inside = (unit >= 0).nonzero().squeeze(1)
        ratio = (batch.logps - batch.logps_of["ref"]) * batch.token_weight  # [T]
        log_ratio = torch.zeros(n_units, dtype=ratio.dtype, device=ratio.device)
        log_ratio = log_ratio.index_add(0, unit[inside], ratio[inside])  # ℓ [U]
        later = _later(log_ratio.detach(), unit_response, batch.n_responses)  # Σ_{v > u} ℓ_v
        first = torch.full((n_units,), len(unit), dtype=torch.long, device=unit.device)
        first = first.scatter_reduce(0, unit[inside], inside, "amin")
        value = batch.extra_of("value")[first]  # V(s_u) [U]
        reward = torch.nan_to_num(batch.scores)[unit_response]
        policy_error = value.detach() - reward + self.beta * (log_ratio + later)
        value_error = value - reward + self.beta * (log_ratio.detach() + later)
        count = torch.bincount(unit_response, minlength=batch.n_responses).clamp_min(1).to(ratio.dtype)

        def mean(per_unit: Tensor) -> Tensor:
            zero = torch.zeros(batch.n_responses, dtype=per_unit.dtype, device=per_unit.device)
            return (zero.index_add(0, unit_response, per_unit) / count)[index]

        policy = mean(policy_error**2)
        metrics = {"residual": mean(policy_error.abs()), "value": mean(value)}
        if self.alpha:
            kl = batch.response_mean(batch.extra_of("kl:ref:reverse"))[index]
            policy = policy + self.alpha * kl
            metrics["kl"] = kl
        losses = term("oreo_policy", over="responses", each=policy, metrics=metrics, index=index)
        values = term("oreo_value", over="responses", each=mean(value_error**2), index=index)
        return losses + values.scaled(self.value_weight)

    def _units(self, batch: RaggedBatch) -> tuple[Tensor, Tensor]:
        """Action of each token (−1 = none: not trained, or in no step), ascending, and response of each action."""
        trained = batch.token_weight > 0
        if self.action == "response":
            raw = batch.token_response
        elif self.action == "step":
            if batch.token_step is None:
                raise SettingError("bad-shape", "OREO with action='step' needs token_step")
            raw, trained = batch.token_step, trained & (batch.token_step >= 0)
        else:
            raw = torch.arange(len(trained), device=trained.device)
        kept = trained.nonzero().squeeze(1)
        _, dense = torch.unique(raw[kept], return_inverse=True)
        unit = torch.full_like(batch.token_response, -1)
        unit[kept] = dense
        n_units = int(dense.max()) + 1 if len(kept) else 0
        response = torch.zeros(n_units, dtype=torch.long, device=unit.device)
        response[dense] = batch.token_response[kept]
        return unit, response


def _later(per_unit: Tensor, unit_response: Tensor, n_responses: int) -> Tensor:
    """Sum of the units after each one, within its response. [U]"""
    # float64: a difference of running sums over the whole batch would lose float32's digits
    running = torch.cumsum(per_unit.double(), 0)
    end = torch.zeros(n_responses, dtype=torch.double, device=per_unit.device)
    end = end.index_add(0, unit_response, per_unit.double())
    before = torch.cumsum(end, 0) - end
    return (end[unit_response] - (running - before[unit_response])).to(per_unit.dtype)
