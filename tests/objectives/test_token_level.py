"""Losses on marked tokens: phrases, faults, gates."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives import DPO, FAIT, RRPO, SFT, SparseDPO


def phrases(make_batch, kl: float = 0.0):
    # chosen phrases .3 and .1, rejected −.4 and .05, shared tokens drift by 9
    return make_batch(
        [[-1.0, 0.3, 0.1], [-1.0, -0.4, 0.05]],
        ref=[[-10.0, 0.0, 0.0], [-10.0, 0.0, 0.0]],
        extra={
            "phrase": ("tokens", [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]),
            "kl:ref:forward": ("tokens", [kl, 0.0, 0.0, 5.0, 5.0, 5.0]),
        },
    )


def test_phrase_loss_computed_by_hand(make_batch) -> None:
    item = RRPO(beta=0.5, alpha=0.1)(phrases(make_batch, kl=0.02)).terms[0]
    assert float(item.each) == pytest.approx(0.52512326413984)
    assert float(item.metrics["kl"]) == pytest.approx(0.02)


def test_shared_tokens_get_no_gradient(make_batch) -> None:
    batch = phrases(make_batch)
    logps = batch.logps.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(RRPO(alpha=0.0)(batch.with_(logps=logps)).terms[0].each.sum(), logps)
    assert gradient[[0, 3]].tolist() == [0.0, 0.0]
    assert (gradient[[1, 2]] < 0).all()
    assert (gradient[[4, 5]] > 0).all()


def test_if_every_token_is_marked_it_is_dpo(make_batch) -> None:
    batch = phrases(make_batch).with_(extra={"phrase": ("tokens", torch.ones(6))})
    torch.testing.assert_close(RRPO(alpha=0.0)(batch).terms[0].each, DPO()(batch).terms[0].each)


def faults(make_batch, right: float, faulty: float, marks: list[float]):
    return make_batch([[-0.5, right, -0.7], [-0.5, faulty]], extra={"fault": ("tokens", marks)})


def test_fault_weight_computed_by_hand(make_batch) -> None:
    batch = faults(make_batch, -2.0, -0.5, [0.0, 1.0, 0.0, 0.0, 1.0])
    item = FAIT(lam=2.0, tau=1.0)(batch).terms[0]
    weight = 1 + 2 / (1 + math.exp(-(2.0 - 0.5)))
    assert float(item.metrics["fault_weight"]) == pytest.approx(weight)
    assert float(item.each) == pytest.approx((0.5 + weight * 2.0 + 0.7) / 3)


def test_at_equal_likelihoods_or_without_marks_on_one_side_the_weight_is_neutral(make_batch) -> None:
    for marks in ([0.0, 1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0, 0.0]):
        item = FAIT(lam=2.0)(faults(make_batch, -1.5, -1.5, marks)).terms[0]
        assert float(item.metrics["fault_weight"]) == pytest.approx(2.0)


def test_without_marks_or_weight_it_is_plain_fine_tuning(make_batch) -> None:
    marked = faults(make_batch, -2.0, -0.5, [0.0, 1.0, 0.0, 0.0, 1.0])
    plain = SFT(nll="sequence_mean")(marked).terms[0].each
    torch.testing.assert_close(FAIT(lam=0.0)(marked).terms[0].each, plain)
    torch.testing.assert_close(FAIT()(faults(make_batch, -2.0, -0.5, [0.0] * 5)).terms[0].each, plain)


def test_the_fault_weight_gets_no_gradient(make_batch) -> None:
    batch = faults(make_batch, -2.0, -0.5, [0.0, 1.0, 0.0, 0.0, 1.0])
    logps = batch.logps.clone().requires_grad_()
    item = FAIT()(batch.with_(logps=logps)).terms[0]
    (gradient,) = torch.autograd.grad(item.each.sum(), logps)
    weight = float(item.metrics["fault_weight"])
    assert gradient.tolist() == pytest.approx([-1 / 3, -weight / 3, -1 / 3, 0.0, 0.0])


def test_open_gates_give_dpo_and_cost_their_price(make_batch) -> None:
    batch = make_batch([(-12.0, 2), (-15.0, 3)], ref=[-13.0, -14.0])
    wide = batch.with_(extra={"gate": ("tokens", torch.full((5,), 50.0, dtype=torch.float64))})
    torch.testing.assert_close(SparseDPO(lam=0.3)(wide).terms[0].each, DPO()(batch).terms[0].each + 0.3)
    shut = batch.with_(extra={"gate": ("tokens", torch.full((5,), -50.0, dtype=torch.float64))})
    assert float(SparseDPO(lam=0.3)(shut).terms[0].each) == pytest.approx(math.log(2))
