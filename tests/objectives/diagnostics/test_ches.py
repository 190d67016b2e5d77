"""CHES against numbers by hand, its invariances, and the case it was made for."""

from __future__ import annotations

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives.diagnostics import ches_scores, keep_lowest

CHOSEN = [[1.0, 0.0], [0.5, 0.5]]
REJECTED = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]


def scores(chosen: list[list[float]], rejected: list[list[float]], rotate: torch.Tensor | None = None):
    hidden = torch.tensor(chosen + rejected, dtype=torch.float64)
    hidden = hidden if rotate is None else hidden @ rotate
    response = torch.tensor([0] * len(chosen) + [1] * len(rejected))
    found = ches_scores(hidden, token_response=response, pairs=torch.tensor([[0, 1]]))
    return float(found.ches), float(found.ln_ches)


def test_score_computed_by_hand() -> None:
    assert scores(CHOSEN, REJECTED) == (pytest.approx(1.5), pytest.approx(0.0416667, abs=1e-7))


def test_equal_sides_score_zero_and_orthogonal_ones_the_negative_square() -> None:
    assert scores(CHOSEN, CHOSEN) == (pytest.approx(0.0), pytest.approx(0.0))
    assert scores([[1.0, 0.0]], [[0.0, 3.0]]) == (pytest.approx(-1.0), pytest.approx(-1.0))


def test_rotation_changes_nothing_and_scale_its_square() -> None:
    angle = torch.tensor(0.7, dtype=torch.float64)
    rotate = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    assert scores(CHOSEN, REJECTED, rotate) == pytest.approx(scores(CHOSEN, REJECTED))
    assert scores(CHOSEN, REJECTED, 3 * rotate) == pytest.approx([9 * x for x in scores(CHOSEN, REJECTED)])


def test_filter_keeps_the_lowest_share() -> None:
    values = torch.tensor([0.3, -1.0, 2.0, -0.5, 0.0])
    assert keep_lowest(values, 0.4).tolist() == [1, 3]
    assert keep_lowest(values, 0.01).tolist() == [1]
    assert keep_lowest(values[:0], 0.5).tolist() == []
    with pytest.raises(SettingError, match="fraction"):
        keep_lowest(values, 0.0)


@pytest.mark.parametrize(
    ("other", "hidden", "nll", "falls"),
    [((10, 5), (0.8, -1.2), 0.0, True), ((-3, 5), (0.8, -0.2), 0.0, False), ((10, 5), (0.8, -1.2), 0.5, False)],
)
def test_three_tokens_are_enough_for_displacement(other, hidden, nll: float, falls: bool) -> None:
    w = torch.tensor([(5.0, 0.0), other, (-5.0, -5.0)], dtype=torch.float64, requires_grad=True)
    h = torch.tensor(hidden, dtype=torch.float64, requires_grad=True)
    start = (w @ h).log_softmax(0).detach()
    first = None
    for _ in range(1000):
        now = (w @ h).log_softmax(0)
        loss = torch.nn.functional.softplus(-0.1 * ((now[0] - start[0]) - (now[1] - start[1]))) - nll * now[0]
        first = float(loss.detach()) if first is None else first
        grads = torch.autograd.grad(loss, [w, h])
        with torch.no_grad():
            w -= 0.002 * grads[0]
            h -= 0.002 * grads[1]
    assert float(loss.detach()) < first
    p = float((w @ h).softmax(0)[0].detach())
    assert p == pytest.approx(0.013, abs=2e-3) if falls else p > float(start[0].exp())
