"""Contrast of hidden states and MetaRM: numbers by hand, limits, and that looking ahead pays under a shift."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives.reward_states import difference_of_rewards, meta_step, simcse_loss, sinkhorn, swav_loss


def test_the_difference_of_three_rewards_by_hand() -> None:
    found = difference_of_rewards(torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]]))
    assert found[0].item() == pytest.approx(0.569873, abs=1e-6)
    assert found[1].item() == pytest.approx((3 - 1) / (2 * 3))


def test_a_meta_step_without_looking_ahead_is_a_plain_step() -> None:
    torch.manual_seed(0)
    x, s = torch.randn(40, 5), torch.randn(10, 4, 5)
    steps = []
    for plain in (True, False):
        w = torch.zeros(5).add(0.1).requires_grad_()
        optimiser = torch.optim.SGD([w], lr=0.3)
        for _ in range(3):
            if plain:
                optimiser.zero_grad()
                torch.nn.functional.softplus(-x @ w).mean().backward()
                optimiser.step()
            else:
                meta_step([w], lambda: difference_of_rewards(s @ w).mean(), lambda: _loss(x, w), optimiser, eta=0.0)  # noqa: B023
        steps.append(w.detach().clone())
    assert torch.equal(*steps)


def _loss(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.softplus(-x @ w).mean()


def test_the_gradient_is_taken_ahead_and_applied_where_one_stands() -> None:
    w = torch.tensor([0.5], requires_grad=True)
    x, s = torch.tensor([[1.0]]), torch.tensor([[[0.0], [1.0]]])  # J = ½ σ(w), L = softplus(−w)
    j, loss = meta_step(
        [w], lambda: difference_of_rewards(s @ w).mean(), lambda: _loss(x, w), torch.optim.SGD([w], lr=0.1), eta=2.0
    )
    sigma = 1 / (1 + math.exp(-0.5))
    ahead = 0.5 + 2.0 * 0.5 * sigma * (1 - sigma)
    assert j == pytest.approx(0.5 * sigma) and loss == pytest.approx(math.log1p(math.exp(-ahead)))
    assert w.item() == pytest.approx(0.5 + 0.1 / (1 + math.exp(ahead)))


def test_simcse_by_hand_and_at_its_best() -> None:
    h = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert simcse_loss(h, h, tau=1.0).tolist() == pytest.approx([math.log(1 + math.exp(-1))] * 2)
    assert simcse_loss(h, h).max().item() < 1e-6  # τ = 0.05: sure
    assert simcse_loss(5 * h, h).tolist() == pytest.approx(simcse_loss(h, 7 * h).tolist())
    assert (simcse_loss(h, h.flip(0)) > 10).all()
    with pytest.raises(SettingError):
        simcse_loss(h, h, tau=0.0)


def test_sinkhorn_uses_every_prototype_alike() -> None:
    torch.manual_seed(1)
    q = sinkhorn(torch.rand(64, 8), epsilon=0.5, rounds=50) / 64
    assert q.sum(dim=1).tolist() == pytest.approx([1 / 64] * 64, abs=1e-5)
    assert q.sum(dim=0).tolist() == pytest.approx([1 / 8] * 8, abs=1e-3)
    assert torch.isfinite(sinkhorn(1e4 * torch.rand(4, 3))).all()


def test_swav_is_the_same_for_both_passes_and_smallest_where_they_agree() -> None:
    torch.manual_seed(2)
    h, other, c = torch.randn(32, 6), torch.randn(32, 6), torch.randn(4, 6)
    assert torch.allclose(swav_loss(h, other, c), swav_loss(other, h, c))
    assert swav_loss(h, h, c).mean() < swav_loss(h, other, c).mean()
