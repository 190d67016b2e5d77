"""Momentum over rounds of preference optimisation."""

from __future__ import annotations

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import AcceleratedPO

REF = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
REWARD = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)


def rounds(alpha: float, n: int) -> torch.Tensor:
    """Exact rounds with β = 1: the optimum of each is π_t·e^r/Z; logits are the parameters."""
    momentum = AcceleratedPO(alpha)
    now = previous = {"logits": REF.log()}
    for _ in range(n):
        best = {"logits": now["logits"] + REWARD}
        now, previous = momentum.extrapolate(best, previous), best
    return now["logits"].softmax(0)


def test_momentum_over_exact_rounds_computed_by_hand() -> None:
    assert rounds(0.0, 3).tolist() == pytest.approx([0.68532, 0.22937, 0.08530], abs=1e-5)
    assert rounds(0.3, 3).tolist() == pytest.approx([0.81066, 0.15599, 0.03335], abs=1e-5)
    assert float(1 - (rounds(0.0, 5) * REWARD).sum()) == pytest.approx(0.06878, abs=1e-5)
    assert float(1 - (rounds(0.3, 5) * REWARD).sum()) == pytest.approx(0.02430, abs=1e-5)


def test_effective_steps_follow_the_recursion() -> None:
    for n, c in enumerate([1.3, 2.69, 4.107, 5.5321, 6.95963], start=1):
        torch.testing.assert_close(rounds(0.3, n), (REF.log() + c * REWARD).softmax(0))


def test_without_momentum_nothing_changes_and_integers_are_kept() -> None:
    current = {"w": torch.tensor([1.0, 2.0]), "steps": torch.tensor([3])}
    previous = {"w": torch.tensor([0.0, 0.0]), "steps": torch.tensor([1])}
    plain = AcceleratedPO(0.0).extrapolate(current, previous)
    assert torch.equal(plain["w"], current["w"])
    moved = AcceleratedPO(0.5).extrapolate(current, previous)
    assert moved["w"].tolist() == [1.5, 3.0]
    assert moved["steps"].tolist() == [3]


def test_momentum_of_one_is_refused() -> None:
    with pytest.raises(SettingError, match=r"AcceleratedPO.alpha must be in \[0, 1\)"):
        AcceleratedPO(1.0)
