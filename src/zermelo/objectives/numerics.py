"""Delicate numbers, in one place; float32 at least whatever the model's dtype."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["capped_exp", "log1mexp", "logit", "softplus"]


def softplus(x: Tensor) -> Tensor:
    """log(1 + eˣ), exact for large |x| (the naive form overflows at 89 in float32)."""
    return functional.softplus(x if x.dtype == torch.float64 else x.float(), threshold=50.0)


def log1mexp(a: Tensor) -> Tensor:
    """log(1 − eᵃ) for a < 0; `log(1 - exp(a))` loses every digit near a = 0 and at a ≪ 0.

    Values at or above −1e-6 are taken as −1e-6 (a probability of one has no finite odds).
    """
    a = (a if a.dtype == torch.float64 else a.float()).clamp_max(-1e-6)
    near = a > -math.log(2.0)
    # each branch gets an argument that is safe for it: a NaN of the branch not taken would poison the gradient
    close = torch.log(-torch.expm1(torch.where(near, a, torch.full_like(a, -1.0))))
    far = torch.log1p(-torch.exp(torch.where(near, torch.full_like(a, -1.0), a)))
    return torch.where(near, close, far)


def logit(p: Tensor, eps: float = 1e-6) -> Tensor:
    """log p/(1 − p), with p kept in [eps, 1 − eps]."""
    p = p.clamp(eps, 1 - eps)
    return torch.log(p) - torch.log1p(-p)


def capped_exp(x: Tensor, cap: float = 30.0) -> Tensor:
    """eˣ up to x = cap, its tangent beyond: never infinite, and the gradient is never switched off."""
    x = x if x.dtype == torch.float64 else x.float()
    return torch.exp(x.clamp_max(cap)) * (1.0 + (x - cap).clamp_min(0.0))
