"""Entanglement: regimes by hand, against autograd, and against a real step."""

from __future__ import annotations

import pytest
import torch

from zermelo.objectives.diagnostics import entanglement, head_products


def of(g_w: list[float], g_l: list[float], **weights: float):
    a, b = torch.tensor([g_w], dtype=torch.float64), torch.tensor([g_l], dtype=torch.float64)
    return entanglement((a * b).sum(1), (a * a).sum(1), (b * b).sum(1), **weights)


def test_regimes_computed_by_hand() -> None:
    wanted = of([2.0, 0.0], [1.5, 1.0])
    assert (float(wanted.inner), float(wanted.square_win), float(wanted.square_lose)) == (3.0, 4.0, 3.25)
    assert bool(wanted.wanted) and not bool(wanted.both_down)
    fall = of([2.0, 0.0], [3.0, 1.0])
    assert (float(fall.inner), float(fall.square_win), float(fall.square_lose)) == (6.0, 4.0, 10.0)
    assert bool(fall.both_down)
    rise = of([3.0, 1.0], [2.0, 0.0])
    assert bool(rise.both_up)
    assert fall.shares()["both_down"] == 1.0


def test_a_likelihood_term_makes_the_chosen_rise() -> None:
    assert float(of([2.0, 0.0], [3.0, 1.0], weight_win=2.0).change_win) > 0


def test_equal_responses_do_not_move() -> None:
    same = of([1.0, -2.0], [1.0, -2.0])
    assert (float(same.change_win), float(same.change_lose), float(same.cosine)) == (0.0, 0.0, pytest.approx(1.0))


def test_one_token_responses_have_the_closed_form_and_predict_a_step() -> None:
    logits = torch.tensor([0.3, -0.4, 1.1, 0.0], dtype=torch.float64, requires_grad=True)
    log_p = logits.log_softmax(0)
    g_w, g_l = (torch.autograd.grad(log_p[i], logits, retain_graph=True)[0] for i in (0, 1))
    p = log_p.detach().exp()
    assert float(g_w @ g_l) == pytest.approx(float(-p[0] - p[1] + (p**2).sum()))
    found = entanglement((g_w @ g_l)[None], (g_w @ g_w)[None], (g_l @ g_l)[None])
    moved = (logits.detach() + 1e-4 * (g_w - g_l)).log_softmax(0)
    assert float(moved[0] - log_p[0].detach()) == pytest.approx(1e-4 * float(found.change_win), rel=1e-2)
    assert float(moved[1] - log_p[1].detach()) == pytest.approx(1e-4 * float(found.change_lose), rel=1e-2)


def test_products_of_the_output_layer_are_those_of_its_gradients() -> None:
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(7, 5, generator=rng, dtype=torch.float64)
    head = torch.randn(11, 5, generator=rng, dtype=torch.float64).requires_grad_()
    token, response = torch.tensor([1, 4, 2, 4, 0, 9, 4]), torch.tensor([0, 0, 0, 1, 1, 2, 2])
    log_p = (hidden @ head.T).log_softmax(-1)
    error = torch.nn.functional.one_hot(token, 11) - log_p.detach().exp()
    picked = log_p[torch.arange(7), token]
    grads = [torch.autograd.grad(picked[response == i].sum(), head, retain_graph=True)[0].flatten() for i in range(3)]
    pairs = torch.tensor([[0, 1], [2, 0]])
    inner, win, lose = head_products(hidden, error, token_response=response, pairs=pairs)
    torch.testing.assert_close(inner, torch.stack([grads[0] @ grads[1], grads[2] @ grads[0]]))
    torch.testing.assert_close(win, torch.stack([grads[0] @ grads[0], grads[2] @ grads[2]]))
    torch.testing.assert_close(lose, torch.stack([grads[1] @ grads[1], grads[0] @ grads[0]]))
