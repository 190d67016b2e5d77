"""Ranking accuracy, its idealised value and the difficulty of pairs."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zermelo.objectives.diagnostics import difficulty, flips, idealised_margin, ranking_accuracy, required_loss

LOGS = st.floats(-60, -1)


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.parametrize(
    ("win", "lose", "votes", "beta", "margin"),
    [
        (-10, -8, 0.75, 0.1, 8.9861),
        (-10, -8, 0.75, 1, -0.9014),
        (-40, -10, 0.75, 0.1, -19.0139),
        (-10, -8, 0.999, 5, -0.6186),
        (-10, -8, 1.0, 5, -0.6186),  # unanimous votes are taken as 0.999
    ],
)
def test_idealised_margins_computed_by_hand(win, lose, votes, beta, margin) -> None:
    assert float(idealised_margin(one(win), one(lose), votes=votes, beta=beta)) == pytest.approx(margin, abs=1e-4)


@pytest.mark.parametrize(("c", "loss"), [(-5, 0.974077), (0, 0.693147), (5, 0.474077), (30, 0.048587)])
def test_required_losses_computed_by_hand(c: float, loss: float) -> None:
    assert float(required_loss(one(c), beta=0.1)) == pytest.approx(loss, abs=1e-6)


@given(LOGS, LOGS, LOGS, LOGS, st.floats(0.01, 2))
def test_a_pair_is_ranked_rightly_exactly_when_its_loss_is_low_enough(a, b, ref_a, ref_b, beta) -> None:
    h = (a - ref_a) - (b - ref_b)
    z = -beta * h
    loss = max(z, 0) + math.log1p(math.exp(-abs(z)))
    threshold = float(required_loss(difficulty(one(ref_a), one(ref_b)), beta=beta))
    if abs(a - b) > 1e-6:  # where they are equal both sides of the equivalence are equal up to rounding
        assert (a >= b) == (loss <= threshold)


def test_limits_of_the_idealised_accuracy() -> None:
    ref_w, ref_l = torch.tensor([-10.0, -8, -7], dtype=torch.float64), torch.tensor([-8.0, -9, -5], dtype=torch.float64)
    votes = torch.tensor([0.8, 0.7, 0.4], dtype=torch.float64)

    def ideal(beta: float) -> float:
        ones = torch.ones(3)
        found = ranking_accuracy(
            ref_w, ref_l, ref_w, ref_l, length_chosen=ones, length_rejected=ones, beta=beta, votes=votes
        )
        return found.idealised

    assert ideal(1e-6) == pytest.approx(2 / 3)  # the share with α > ½
    assert ideal(1e6) == pytest.approx(1 / 3)  # the reference's own


def test_policy_reward_and_reference_are_kept_apart() -> None:
    chosen, rejected = (
        torch.tensor([-10.0, -6, -9], dtype=torch.float64),
        torch.tensor([-9.0, -8, -9], dtype=torch.float64),
    )
    ref_w, ref_l = (
        torch.tensor([-14.0, -7, -8], dtype=torch.float64),
        torch.tensor([-9.0, -6.5, -9.5], dtype=torch.float64),
    )
    found = ranking_accuracy(
        chosen,
        rejected,
        ref_w,
        ref_l,
        length_chosen=torch.tensor([10.0, 3, 2]),
        length_rejected=torch.tensor([8.0, 4, 3]),
        beta=0.1,
    )
    assert found.policy == pytest.approx(2 / 3)  # a tie counts as right
    assert found.ties == pytest.approx(1 / 3)
    assert found.normalised == pytest.approx(2 / 3)
    assert found.reference == pytest.approx(1 / 3)
    assert found.reward == pytest.approx(2 / 3)
    assert found.flipped == pytest.approx(1 / 2)
    assert found.gap == pytest.approx(found.idealised - found.policy)
    assert sum(flips(chosen, rejected, ref_w, ref_l).values()) == pytest.approx(1.0)
    assert flips(chosen, rejected, ref_w, ref_l)["flipped"] == pytest.approx(1 / 3)


def test_optimising_soft_labels_reaches_the_closed_form() -> None:
    votes, beta = 0.75, 0.5
    ref = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64).log()
    logits = ref.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([logits], max_iter=100, tolerance_grad=1e-12)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        ratio = logits.log_softmax(0) - ref
        z = beta * (ratio[0] - ratio[1])
        loss = votes * torch.nn.functional.softplus(-z) + (1 - votes) * torch.nn.functional.softplus(z)
        loss.backward()
        return loss

    optimiser.step(closure)
    now = logits.detach().log_softmax(0)
    ideal = idealised_margin(ref[:1], ref[1:2], votes=votes, beta=beta)
    assert float(now[0] - now[1]) == pytest.approx(float(ideal), abs=1e-5)
