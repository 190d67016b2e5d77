"""Merging the weights of specialists into one model: linear, and DARE-TIES. Name → tensor in, name → tensor out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zermelo.errors import SettingError

__all__ = ["dare", "linear_merge", "ties_merge"]

Weights = Mapping[str, Tensor]


def linear_merge(first: Weights, second: Weights, *, share: float) -> dict[str, Tensor]:
    """θ = λθ₁ + (1−λ)θ₂, name by name; λ of 1 and 0 give the ends bit for bit. Integers come from the first."""
    if share in (0, 1):
        return {name: value.clone() for name, value in (first if share == 1 else second).items()}
    return {
        name: share * value + (1 - share) * second[name] if value.is_floating_point() else value.clone()
        for name, value in first.items()
    }


def dare(delta: Tensor, *, density: float, generator: torch.Generator) -> Tensor:
    """Keep each entry with probability `density` and divide it by that: the expectation stays."""
    if not 0 < density <= 1:
        raise SettingError("bad-setting", f"density must be in (0, 1]. Got {density!r}")
    if density == 1:
        return delta
    keep = torch.rand(delta.shape, generator=generator) < density
    return torch.where(keep.to(delta.device), delta / density, torch.zeros_like(delta))


def ties_merge(
    base: Weights,
    models: Sequence[Weights],
    *,
    weights: Sequence[float],
    density: float = 1.0,
    normalise: bool = True,
    seed: int = 0,
) -> dict[str, Tensor]:
    """DARE-TIES: sparse task vectors, a sign elected entry by entry, and the mean of those that agree with it.

        δ_i = DARE(θ_i − θ_base),  s = sign(Σ w_i δ_i),  δ = Σ w_i δ_i [sign δ_i = s] / Σ w_i [sign δ_i = s]

    The weights need not sum to 1. Adapters must be merged into full weights first.

    Args:
        base: Weights the specialists started from.
        models: Theirs.
        weights: w_i, one per specialist.
        density: Share of entries that DARE keeps.
        normalise: Divide by the weights of those that agree; else the plain sum.
        seed: Seeds the choice of entries, tensor by tensor.
    Raises:
        SettingError: numbers of models and weights differ, or density is outside (0, 1].
    Source: "ReCUT: Balancing Reasoning Length and Accuracy in LLMs via Stepwise Trails and Preference Optimization",
        2025, arXiv 2506.10822; "TIES-Merging", 2023, arXiv 2306.01708; DARE, 2023, arXiv 2311.03099.
    """
    if len(models) != len(weights) or not models:
        raise SettingError("bad-setting", f"{len(models)} models and {len(weights)} weights")
    merged: dict[str, Tensor] = {}
    for place, (name, start) in enumerate(base.items()):
        if not start.is_floating_point():
            merged[name] = start.clone()
            continue
        generator = torch.Generator().manual_seed(seed * 1_000_003 + place)
        deltas = torch.stack(
            [dare((model[name] - start).float(), density=density, generator=generator) for model in models]
        )
        w = torch.tensor(list(weights), dtype=deltas.dtype, device=deltas.device).reshape(-1, *[1] * start.dim())
        sign = torch.sign((w * deltas).sum(0))
        agree = (torch.sign(deltas) == sign) & (sign != 0)
        total = (w * deltas * agree).sum(0)
        if normalise:
            total = total / (w * agree).sum(0).clamp_min(1e-12)
        merged[name] = (start.float() + total).to(start.dtype)
    return merged
