"""MaPO on denoising errors."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives import MaPO, win_score


def images(make_batch, win: float, lose: float):
    return make_batch([(-1.0, 1), (-1.0, 1)], extra={"denoising_error": ("responses", [win, lose])})


@pytest.mark.parametrize(
    ("steps", "margin", "loss"),
    [(1, 0.0243751, 0.1681033882), (100, 2.4375130, 0.1083769191), (1000, 24.3751302, 0.1000000000026)],
)
def test_margin_aware_loss_computed_by_hand(make_batch, steps: float, margin: float, loss: float) -> None:
    item = MaPO(steps=steps)(images(make_batch, 0.1, 0.2)).terms[0]
    assert float(item.each) == pytest.approx(loss, abs=1e-10)
    assert steps * float(item.metrics["margins"]) == pytest.approx(margin, abs=1e-6)


def test_win_score_computed_by_hand_and_one_at_zero() -> None:
    error = torch.tensor([0.1, 0.2, 0.0], dtype=torch.float64, requires_grad=True)
    score = win_score(error)
    assert score.tolist() == pytest.approx([0.975208324653, 0.950833194478, 1.0])
    (slope,) = torch.autograd.grad(score.sum(), error)
    assert float(slope[2]) == pytest.approx(-0.25)  # −s/2: a 0/0 would be NaN


def test_limits(make_batch) -> None:
    assert float(MaPO()(images(make_batch, 0.3, 0.3)).terms[0].each) == pytest.approx(0.3 + 0.1 * math.log(2))
    assert float(MaPO(beta=0.0)(images(make_batch, 0.3, 0.9)).terms[0].each) == pytest.approx(0.3)
    one, two = (MaPO()(images(make_batch, *pair)).terms[0].metrics["margins"] for pair in [(0.1, 0.2), (0.2, 0.1)])
    torch.testing.assert_close(one, -two)
