"""DCO: the probability that one of n samples hits."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize_scalar

from zermelo.objectives import DCO, SFT, coverage_factor, coverage_loss


@pytest.mark.parametrize(
    ("p", "n", "loss", "factor"),
    [(0.3, 4, 0.2745684333, 0.5416502171), (0.3, 1, 1.2039728043, 1.0), (0.01, 16, 1.9068859914, 0.9263987605)],
)
def test_coverage_loss_computed_by_hand(p: float, n: int, loss: float, factor: float) -> None:
    log_p = torch.tensor(math.log(p), dtype=torch.float64, requires_grad=True)
    ours = coverage_loss(log_p, n)
    assert float(ours.detach()) == pytest.approx(loss, abs=1e-9)
    assert float(coverage_factor(log_p.detach().exp(), n)) == pytest.approx(factor, abs=1e-9)
    (gradient,) = torch.autograd.grad(ours, log_p)  # F times the gradient of −log p
    assert float(gradient) == pytest.approx(-factor, abs=1e-9)


def test_what_is_surely_hit_has_no_pull() -> None:
    log_p = torch.tensor(math.log(0.5), dtype=torch.float64)
    assert float(coverage_loss(log_p, 256)) == pytest.approx(0.0, abs=1e-12)
    assert float(coverage_factor(log_p.exp(), 256)) == pytest.approx(2.2e-75, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_p", [-1e4, -100.0, -59.0, -61.0, -20.0, -1e-7, 0.0])
def test_no_probability_breaks_it(log_p: float, dtype: torch.dtype) -> None:
    x = torch.tensor(log_p, dtype=dtype, requires_grad=True)
    loss = coverage_loss(x, 64)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(x.grad)
    if log_p <= -20:
        assert float(loss.detach()) == pytest.approx(-math.log(64) - log_p, rel=1e-5)
        assert float(x.grad) == pytest.approx(-1.0, rel=1e-5)


@pytest.mark.parametrize(("n", "best"), [(1, 0.7), (2, 0.623985), (3, 0.586130), (8, 0.530085)])
def test_more_attempts_ask_for_less_confidence(n: int, best: float) -> None:
    # two answers, right with probability 0.7 and 0.3
    def risk(q: float) -> float:
        pair = torch.tensor([q, 1 - q], dtype=torch.float64).log()
        return float((torch.tensor([0.7, 0.3], dtype=torch.float64) * coverage_loss(pair, n)).sum())

    found = minimize_scalar(risk, bounds=(0.5, 0.99), method="bounded", options={"xatol": 1e-9}).x
    assert found == pytest.approx(best, abs=1e-5)


def test_one_attempt_is_plain_fine_tuning(make_batch) -> None:
    batch = make_batch([(-12.0, 6), (-4.0, 1)], groups=[0, 1], labels=[1.0, 1.0])
    torch.testing.assert_close(DCO(n=1)(batch).terms[0].each, SFT(nll="sum", of="good")(batch).terms[0].each)


def test_steps_are_hit_one_by_one(make_batch) -> None:
    batch = make_batch(
        [[-0.1, -0.2, -0.3], [-1.0]], groups=[0, 1], labels=[1.0, 0.0], token_step=[0, 0, 1, 2], step_response=[0, 0, 1]
    )
    item = DCO(n=4, per="step")(batch).terms[0]
    assert item.index.tolist() == [0, 1]
    torch.testing.assert_close(item.each, coverage_loss(torch.tensor([-0.3, -0.3], dtype=torch.float64), 4))


def test_answers_are_weighed_by_their_frequency(make_batch) -> None:
    batch = make_batch([(-12.0, 6), (-4.0, 2)], groups=[0, 1], scores=[0.3, 0.01])
    item = DCO(n=4, per="answer", of="all")(batch).terms[0]
    factor = coverage_factor(torch.tensor([0.3, 0.01], dtype=torch.float64), 4)
    torch.testing.assert_close(item.each, factor * 2.0)
