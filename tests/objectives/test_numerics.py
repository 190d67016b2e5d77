"""Delicate numbers: each test has the input that breaks the naive form."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives.numerics import capped_exp, log1mexp, logit, softplus


def test_softplus_does_not_overflow_at_ninety() -> None:
    x = torch.tensor([-1000.0, 0.0, 89.0, 1e6])
    assert softplus(x).tolist() == pytest.approx([0.0, math.log(2), 89.0, 1e6])
    assert torch.log(1 + torch.exp(x))[3] == torch.inf  # the naive form
    assert softplus(torch.tensor(1.0, dtype=torch.bfloat16)).dtype == torch.float32


@pytest.mark.parametrize("a", [-1e-5, -0.1, -math.log(2), -1.0, -50.0, -1e4])
def test_log_of_one_minus_exp_keeps_its_digits_and_its_gradient(a: float) -> None:
    x = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    y = log1mexp(x)
    (slope,) = torch.autograd.grad(y, x)
    assert float(y.detach()) == pytest.approx(math.log(-math.expm1(a)) if a > -700 else 0.0, rel=1e-12)
    assert float(slope) == pytest.approx(-1 / math.expm1(-a) if a > -700 else 0.0, rel=1e-9)


def test_log_of_one_minus_exp_is_finite_at_certainty() -> None:
    x = torch.tensor(0.0, requires_grad=True)
    y = log1mexp(x)
    y.backward()
    assert torch.isfinite(y) and torch.isfinite(x.grad)


def test_capped_exp_is_exp_then_its_tangent() -> None:
    x = torch.tensor([-5.0, 2.0, 30.0, 1000.0], requires_grad=True)
    y = capped_exp(x)
    y.sum().backward()
    assert y[:3].tolist() == pytest.approx([math.exp(-5), math.exp(2), math.exp(30)], rel=1e-5)
    assert torch.isfinite(y).all()
    assert float(x.grad[3]) > 0  # a clamp would switch the gradient off


def test_logit_is_finite_at_zero_and_one() -> None:
    assert logit(torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx([-13.8155, 0.0, 13.8155], rel=2e-2)
