"""The degree loss of SPO."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives import DegreeLoss


def degrees(make_batch, logits: torch.Tensor, degree: list[float]):
    n = len(degree)
    return make_batch(
        [(-1.0, 1)] * n, groups=[0] * n, extra={"degree_logits": ("responses", logits), "degree": ("responses", degree)}
    )


def test_a_zero_head_gives_log_of_the_classes(make_batch) -> None:
    item = DegreeLoss()(degrees(make_batch, torch.zeros(4, 3), [0.0, 2.0, -1.0, 1.0])).terms[0]
    assert item.index.tolist() == [0, 1, 3]
    assert item.each.tolist() == pytest.approx([math.log(3)] * 3)


def test_gradient_of_the_logits_is_probability_less_one_hot(make_batch) -> None:
    logits = torch.tensor([[0.3, -0.2, 1.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(DegreeLoss()(degrees(make_batch, logits, [1.0])).terms[0].each.sum(), logits)
    torch.testing.assert_close(gradient, logits.softmax(-1) - torch.tensor([[0.0, 1.0, 0.0]]))


def test_thresholds_are_passed_up_to_the_class(make_batch) -> None:
    logits = torch.tensor([[50.0, -50.0], [50.0, -50.0]], dtype=torch.float64)
    item = DegreeLoss("ordinal")(degrees(make_batch, logits, [1.0, 0.0])).terms[0]
    assert item.each.tolist() == pytest.approx([0.0, 50.0], abs=1e-9)
    assert item.metrics["accuracy"].tolist() == [1.0, 0.0]
