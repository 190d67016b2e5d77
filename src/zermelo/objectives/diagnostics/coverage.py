"""Coverage: how far a policy can go where the data has no responses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zermelo.errors import SettingError

__all__ = ["Coverage", "coverage_coefficients", "largest_in_ball"]


@dataclass(frozen=True)
class Coverage:
    """Concentrability of a data distribution μ over a finite response set.

    Args:
        everywhere: max over the policies of max_y π(y)/μ(y); offline methods need it finite.
        nearby: The same over policies with KL(π ‖ π_ref) ≤ ε; KL-regularised online methods need only this one.
    """

    everywhere: float
    nearby: float


def coverage_coefficients(policies: Tensor | None, data: Tensor, ref: Tensor, *, eps: float) -> Coverage:
    """Global and local coverage coefficients.

    Args:
        policies: A finite class of policies, one per row; None = every distribution over the responses. [P, Y]
        data: μ. [Y]
        ref: π_ref. [Y]
        eps: Radius of the KL ball, nat, ≥ 0.
    Raises:
        SettingError: eps is negative.
    Source: "The Importance of Online Data: Understanding Preference Fine-tuning via Coverage", 2024, arXiv 2406.01462.
    """
    if eps < 0:
        raise SettingError("bad-setting", f"eps must be ≥ 0. Got {eps!r}")
    data, ref = data.double(), ref.double()
    if policies is None:
        peak = torch.tensor([largest_in_ball(float(p), eps) for p in ref], dtype=torch.float64)
        return Coverage(_ratio(torch.ones_like(data), data), _ratio(peak, data))
    policies = policies.double()
    kl = torch.special.xlogy(policies, policies / ref)
    kl = torch.where(policies > 0, kl, torch.zeros_like(kl)).sum(1)
    inside = policies[kl <= eps + 1e-12]
    nearby = max((_ratio(row, data) for row in inside), default=0.0)
    return Coverage(max(_ratio(row, data) for row in policies), nearby)


def largest_in_ball(p: float, eps: float) -> float:
    """The largest probability that a policy with KL(π ‖ π_ref) ≤ eps can give a response that π_ref gives p.

    The rest keeps its proportions, so KL = q log(q/p) + (1−q) log((1−q)/(1−p)); solved for q by bisection.
    """
    if p <= 0:
        return 0.0
    if p >= 1 or -math.log(p) <= eps:
        return 1.0
    low, high = p, 1.0
    for _ in range(200):
        q = 0.5 * (low + high)
        kl = q * math.log(q / p) + ((1 - q) * math.log((1 - q) / (1 - p)) if q < 1 else 0.0)
        low, high = (q, high) if kl <= eps else (low, q)
    return low


def _ratio(policy: Tensor, data: Tensor) -> float:
    """max_y π(y)/μ(y); 0/0 counts as 0, and π > 0 = μ as infinite."""
    ratio = torch.where(policy > 0, policy / data, torch.zeros_like(policy))
    return float(ratio.max())
