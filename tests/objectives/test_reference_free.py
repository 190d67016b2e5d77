"""SimPO, TPO and the likelihood terms of reference-free losses."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives import CPO, ORPO, TPO, SimPO


def test_simpo_computed_by_hand(make_batch) -> None:
    batch = make_batch([(-6.0, 4), (-15.0, 8)])
    assert float(SimPO(beta=2.0, gamma=0.5)(batch).terms[0].each) == pytest.approx(0.5759394198788436)


def test_repeating_every_token_leaves_simpo_unchanged_and_sums_not(make_batch) -> None:
    once, twice = make_batch([(-6.0, 4), (-15.0, 8)]), make_batch([(-12.0, 8), (-30.0, 16)])
    torch.testing.assert_close(SimPO()(once).terms[0].each, SimPO()(twice).terms[0].each)
    assert float(CPO()(once).terms[0].each) != pytest.approx(float(CPO()(twice).terms[0].each))


def test_gradient_weight_of_simpo(make_batch) -> None:
    batch = make_batch([(-6.0, 4), (-15.0, 8)])
    logps = batch.logps.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(SimPO()(batch.with_(logps=logps)).terms[0].each.sum(), logps)
    weight = 2.0 * torch.sigmoid(torch.tensor(-2.0 * (-1.5 + 1.875 - 0.25), dtype=torch.float64))
    torch.testing.assert_close(gradient[0], -weight / 4)
    torch.testing.assert_close(gradient[-1], weight / 8)


def test_triple_loss_computed_by_hand(make_batch) -> None:
    # three responses: gold with −9 in 6 tokens, chosen −12, rejected −20
    batch = make_batch([(-9.0, 6), (-12.0, 6), (-20.0, 8)], groups=[0, 0, 0], pairs=[(1, 2)], scores=[9.0, 7.0, 2.0])
    contrast, gold = TPO(beta=0.1, alpha=1.0)(batch)
    assert float(contrast.each) + float(gold.each.mean()) == pytest.approx(1.8711006659)
    contrast, gold = TPO(beta=2.0, alpha=1.0, pool="mean", gamma=0.5)(batch)
    assert float(contrast.each) + float(gold.each.mean()) == pytest.approx(1.9740769842)
    assert gold.index.tolist() == list(range(6))


def test_without_scores_the_gold_response_is_the_chosen_one(make_batch) -> None:
    batch = make_batch([(-12.0, 6), (-20.0, 8)])
    ours, cpo = TPO(nll="sequence_mean")(batch), CPO()(batch)
    torch.testing.assert_close(ours.terms[0].each, cpo.terms[0].each)
    torch.testing.assert_close(ours.terms[1].each, cpo.terms[1].each)


def test_normalised_triple_loss_without_its_gold_term_is_simpo(make_batch) -> None:
    batch = make_batch([(-6.0, 4), (-15.0, 8)])
    ours = TPO(beta=2.0, gamma=0.5, pool="mean")(batch).terms[0].each
    torch.testing.assert_close(ours, SimPO(beta=2.0, gamma=0.5)(batch).terms[0].each)


def test_pooled_likelihood_counts_a_chosen_response_once(make_batch) -> None:
    batch = make_batch([(-4.0, 2), (-9.0, 3), (-8.0, 2)], groups=[0, 0, 0], pairs=[(0, 1), (0, 2)])
    pooled = ORPO(nll="token_mean")(batch).terms[1]
    assert pooled.over == "tokens"
    assert pooled.index.tolist() == [0, 1]


def test_label_smoothing_of_simpo_weighs_both_orders(make_batch) -> None:
    batch = make_batch([(-6.0, 4), (-15.0, 8)])
    z = 2 * (-1.5 + 1.875) - 0.5
    expected = 0.8 * math.log1p(math.exp(-z)) + 0.2 * math.log1p(math.exp(z))
    assert float(SimPO(epsilon=0.2)(batch).terms[0].each) == pytest.approx(expected)
    assert float(SimPO(loss="hinge")(batch).terms[0].each) == pytest.approx(1 - z)
