"""BRAIn: posterior weights, the DPO special case, and the variance of its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zermelo.objectives import DPO, BRAIn


@pytest.fixture
def three(make_batch):
    return make_batch(
        [(-4.5, 1), (-6.2, 1), (-4.4, 1)],
        groups=[0, 0, 0],
        scores=[1.0, 0.2, -0.5],
        policies={"ref": [-5.0, -6.0, -4.0], "old": [-4.8, -6.1, -4.2]},
    )


def test_posterior_weights_computed_by_hand(three) -> None:
    logps = three.logps.clone().requires_grad_()
    item = BRAIn(gamma=0.5, proposal="old")(three.with_(logps=logps)).terms[0]
    assert float(item.each.detach()) == pytest.approx(0.227128, abs=1e-6)
    (gradient,) = torch.autograd.grad(item.each.sum(), logps)
    assert (-gradient).tolist() == pytest.approx([0.303295, -0.092052, -0.211242], abs=1e-6)
    alpha = np.array([0.742498, 0.202354, 0.055148])
    assert float(item.metrics["ess"]) == pytest.approx(1 / (alpha**2).sum(), rel=1e-5)


def test_two_samples_of_the_prior_with_a_certain_winner_give_dpo(make_batch) -> None:
    batch = make_batch([(-4.5, 1), (-6.2, 1)], ref=[-5.0, -6.0], scores=[1000.0, 0.0])
    ours = BRAIn()(batch).terms[0].each
    torch.testing.assert_close(ours, DPO(beta=1.0)(batch).terms[0].each)
    assert float(ours) == pytest.approx(0.403186, abs=1e-6)


def test_the_level_of_the_policy_does_not_matter(three) -> None:
    objective = BRAIn(proposal="old")
    moved = objective(three.with_(logps=three.logps + 3.0)).terms[0].each
    torch.testing.assert_close(moved, objective(three).terms[0].each)


def test_it_is_zero_at_the_posterior(three) -> None:
    posterior = three.logps_of["ref"] + three.scores / 0.5
    item = BRAIn(gamma=0.5, proposal="old")(three.with_(logps=posterior)).terms[0]
    assert float(item.each) == pytest.approx(0.0, abs=1e-12)


def test_its_gradient_varies_far_less_than_the_unnormalised_one() -> None:
    # posterior N(0, 1), policy and proposal N(1, 1), eight samples: Var DPG 1.62, BRAIn 0.17
    y = np.random.default_rng(0).normal(1.0, 1.0, (20_000, 8))
    log_weight = -(y**2) / 2 + (y - 1) ** 2 / 2  # posterior over proposal
    score = y - 1.0  # ∂ log q/∂ mean
    dpg = (np.exp(log_weight) * score).mean(1)
    alpha = np.exp(log_weight) / np.exp(log_weight).sum(1, keepdims=True)
    brain = ((alpha - 1 / 8) * score).sum(1)
    assert brain.var() == pytest.approx(0.17, abs=0.02)
    assert brain.var() < 0.25 * dpg.var()
    assert brain.mean() == pytest.approx(-0.77, abs=0.02)
