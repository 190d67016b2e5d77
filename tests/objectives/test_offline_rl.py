"""OREO against the exact optimum of a small tree."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives import OREO


@pytest.fixture
def two_tokens(make_batch):
    """ℓ = (0.2, −0.1), V = (0.4, 0.6), R = 1."""
    return make_batch(
        [[-1.0, -1.0]],
        ref=[[-1.2, -0.9]],
        groups=[0],
        scores=[1.0],
        token_step=[0, 1],
        step_response=[0, 0],
        extra={"value": ("tokens", [0.4, 0.6]), "kl:ref:reverse": ("tokens", [0.3, 0.5])},
    )


@pytest.mark.parametrize(
    ("action", "expected"), [("token", [-0.275, -0.225]), ("step", [-0.275, -0.225]), ("response", [-0.55, -0.55])]
)
def test_policy_gradient_computed_by_hand(two_tokens, action: str, expected: list[float]) -> None:
    logps = two_tokens.logps.clone().requires_grad_()
    objective = OREO(beta=0.5, alpha=0.0, action=action)
    policy, value = objective(two_tokens.with_(logps=logps))
    (gradient,) = torch.autograd.grad(policy.each.sum(), logps)
    assert gradient.tolist() == pytest.approx(expected)
    assert not value.each.requires_grad


def test_value_loss_computed_by_hand(two_tokens) -> None:
    policy, value = OREO(beta=0.5, alpha=0.0)(two_tokens)
    assert float(value.each) == pytest.approx(0.2525)
    assert float(policy.each) == pytest.approx(0.2525)  # only the gradients differ


def test_no_policy_gradient_reaches_the_value_head(two_tokens) -> None:
    value = torch.tensor([0.4, 0.6], dtype=torch.float64, requires_grad=True)
    batch = two_tokens.with_(extra={**two_tokens.extra, "value": ("tokens", value)})
    policy, values = OREO(beta=0.5)(batch)
    assert not policy.each.requires_grad
    (gradient,) = torch.autograd.grad(values.each.sum(), value)
    assert gradient.tolist() == pytest.approx([-0.55, -0.45])


def test_regulariser_is_the_mean_kl_of_the_tokens(two_tokens) -> None:
    with_kl, without = OREO(beta=0.5, alpha=0.1)(two_tokens), OREO(beta=0.5, alpha=0.0)(two_tokens)
    assert float(with_kl.terms[0].each - without.terms[0].each) == pytest.approx(0.1 * 0.4)


def test_losses_vanish_at_the_exact_optimum_of_a_tree(make_batch) -> None:
    # s0 → L (0.3) or R (0.7); L → reward 1 or 0, R → 0 or 0, each ½; β = ½
    beta = 0.5
    v_left = beta * math.log(0.5 * math.exp(1 / beta) + 0.5)
    v_root = beta * math.log(0.3 * math.exp(v_left / beta) + 0.7)
    assert (v_left, v_root) == (pytest.approx(0.716890, abs=1e-6), pytest.approx(0.336053, abs=1e-6))
    left = math.log(0.3) + (v_left - v_root) / beta
    right = math.log(0.7) - v_root / beta
    assert math.exp(left) == pytest.approx(0.642558, abs=1e-6)
    hit, miss = math.log(0.5) + (1 - v_left) / beta, math.log(0.5) - v_left / beta
    assert math.exp(hit) == pytest.approx(0.880797, abs=1e-6)
    half = math.log(0.5)
    batch = make_batch(
        [[left, hit], [left, miss], [right, half], [right, half]],
        ref=[[math.log(0.3), half]] * 2 + [[math.log(0.7), half]] * 2,
        groups=[0, 0, 0, 0],
        scores=[1.0, 0.0, 0.0, 0.0],
        extra={"value": ("tokens", [v_root, v_left] * 2 + [v_root, 0.0] * 2)},
    )
    for action in ("token", "response"):
        for item in OREO(beta=beta, alpha=0.0, action=action)(batch):
            assert item.each.tolist() == pytest.approx([0.0] * 4, abs=1e-12)


def test_tokens_of_a_tool_are_no_actions(two_tokens, make_batch) -> None:
    longer = make_batch(
        [[-1.0, -9.0, -1.0]],
        ref=[[-1.2, -1.0, -0.9]],
        groups=[0],
        scores=[1.0],
        token_weight=[1.0, 0.0, 1.0],
        extra={"value": ("tokens", [0.4, 7.0, 0.6])},
    )
    objective = OREO(beta=0.5, alpha=0.0)
    for ours, short in zip(objective(longer), objective(two_tokens), strict=True):
        torch.testing.assert_close(ours.each, short.each)


def test_trajectories_without_a_reward_are_left_out(make_batch) -> None:
    batch = make_batch(
        [[-1.0], [-1.0]], ref=[[-1.0], [-1.0]], scores=[float("nan"), 1.0], extra={"value": ("tokens", [0.0, 0.0])}
    )
    assert OREO(alpha=0.0)(batch).terms[0].index.tolist() == [1]
