"""The arithmetic of a step: sums of losses and metrics, divided once by the totals of the whole step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Losses, Objective, weights_of

__all__ = ["SCALED", "Reduce", "Sums", "loss_of", "share_of", "shares_of", "totals_of"]

Reduce: TypeAlias = Callable[[Tensor], Tensor]  # sum over all devices


def totals_of(objective: Objective, batches: Sequence[tuple[RaggedBatch, bool]], reduce: Reduce) -> Tensor:
    """Σ w of every term over the whole step, all micro-batches and devices.

    Which items a term has is fixed by data, so it is known before any model runs: the objective is called with
    log-probabilities of zero.

    Args:
        objective: As used in the step.
        batches: This device's micro-batches with data only, and whether each counts.
        reduce: Sums over devices.
    Returns:
        One total per term, in order. [terms]
    """
    with torch.no_grad():
        parts = []
        for batch, counts in batches:
            weights = [weights_of(item, batch).sum(dtype=torch.float64) * counts for item in objective(batch)]
            parts.append(torch.stack(weights) if weights else batch.logps.new_zeros(0, dtype=torch.float64))
        return reduce(torch.stack(parts).sum(0))


def shares_of(losses: Losses, batch: RaggedBatch, totals: Tensor) -> list[Tensor]:
    """This micro-batch's share of each term: scale · Σ w·each / total. Their sum over the step is the loss."""
    shares = []
    for item, total in zip(losses, totals, strict=True):
        each = item.each if item.each.dtype == torch.float64 else item.each.float()
        weighted = (each * weights_of(item, batch)).sum()
        # a term without any item in the step contributes nothing: 0 / tiny
        shares.append(item.scale * weighted / total.clamp_min(1e-12).to(weighted.dtype))
    return shares


def share_of(losses: Losses, batch: RaggedBatch, totals: Tensor) -> Tensor:
    """This micro-batch's share of the loss. []"""
    shares = shares_of(losses, batch, totals)
    return torch.stack(shares).sum() if shares else batch.logps.sum() * 0.0


SCALED = "#"  # figures with this mark are the terms of the loss, scaled, by position


def loss_of(means: Mapping[str, float]) -> float:
    """The loss of a step: the sum over terms of scale · mean."""
    return sum(value for name, value in means.items() if name.startswith(SCALED))


class Sums:
    """Weighted sums of figures over a step; one transfer from the device and one exchange between devices."""

    def __init__(self) -> None:
        self._sums: dict[str, list[Tensor]] = {}

    def add(self, name: str, values: Tensor, weights: Tensor) -> None:
        """Add Σ w·v and Σ w; figures that are not finite count as missing."""
        values, weights = values.detach().double(), weights.detach().double()
        known = torch.isfinite(values)
        values, weights = torch.where(known, values, torch.zeros_like(values)), weights * known
        self._sums.setdefault(name, []).append(torch.stack([(values * weights).sum(), weights.sum()]))

    def add_losses(self, losses: Losses, batch: RaggedBatch, *, counts: bool = True) -> None:
        """Each term's loss (`term/loss`, unscaled) and metrics (`term/metric`), with the weights of its items."""
        for number, item in enumerate(losses):
            weights = weights_of(item, batch) * counts
            self.add(f"{item.name}/loss", item.each, weights)
            self.add(f"{SCALED}{number}", item.each * item.scale, weights)
            for name, values in item.metrics.items():
                self.add(f"{item.name}/{name}", values, weights)

    def means(self, reduce: Reduce) -> dict[str, float]:
        """Σ w·v / Σ w of every figure over all devices (which add the same names); those without weight left out."""
        if not self._sums:
            return {}
        names = sorted(self._sums)
        table = reduce(torch.stack([torch.stack(self._sums[name]).sum(0) for name in names])).tolist()
        return {name: total / weight for name, (total, weight) in zip(names, table, strict=True) if weight > 0}
