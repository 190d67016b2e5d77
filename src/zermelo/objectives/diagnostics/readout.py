"""Rewards and values read from a policy's own logits."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["soft_value", "token_rewards"]


def soft_value(logits: Tensor, *, beta: float) -> Tensor:
    """V(s) = β logsumexp(z): logits are soft Q-values divided by β, also after fine-tuning alone. [..., V] → [...]

    Source: "Implicit Reward as the Bridge: A Unified View of SFT and DPO Connections", 2025, arXiv 2507.00018.
    """
    return beta * torch.logsumexp(logits, -1)


def token_rewards(log_ratio: Tensor, value: Tensor, *, beta: float) -> Tensor:
    """r_t = β log π(y_t)/π_ref(y_t) + V(s_t) − V(s_{t+1}) of one response. [T] and [T + 1] → [T]

    The values telescope: Σ_t r_t = β log π(y)/π_ref(y) + V(s_0) − V(s_T).

    Args:
        log_ratio: log π(y_t) − log π_ref(y_t). [T]
        value: V at the state before each token and after the last one. [T + 1]
        beta: β.
    Source: "Implicit Reward as the Bridge", 2025, arXiv 2507.00018.
    """
    return beta * log_ratio + value[:-1] - value[1:]
