"""EM over label correctness."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import CDPO, DPO, IPO, LCPO, SFT, SimPO, SoftDPO
from zermelo.objectives.label_noise import label_posterior


@pytest.mark.parametrize(
    ("p", "eta", "w"), [(0.8, 0.9, 0.972973), (0.5, 0.9, 0.9), (0.2, 0.9, 0.692308), (0.2, 0.6, 0.272727), (0.3, 1, 1)]
)
def test_posterior_of_a_label_computed_by_hand(p: float, eta: float, w: float) -> None:
    assert float(label_posterior(torch.tensor(p, dtype=torch.float64), eta)) == pytest.approx(w, abs=1e-6)


def test_gibbs_probability_of_ipo_is_a_logistic_of_its_margin(make_batch) -> None:
    batch = make_batch([(0.3, 1), (0.0, 1)], ref=[0.0, 0.0])
    ours = LCPO(IPO(tau=0.1, log_ratios="sum"), eta=1.0)(batch).terms[0].each
    assert float(torch.exp(-ours)) == pytest.approx(0.9975273768, abs=1e-9)


def test_gibbs_probability_of_simpo(make_batch) -> None:
    # ℓ(l ≻ w) − ℓ(w ≻ l) = softplus(βΔ + γ) − softplus(−βΔ + γ) with βΔ = 0.8, γ = 1
    batch = make_batch([(0.4, 1), (0.0, 1)])
    ours = LCPO(SimPO(beta=2.0, gamma=1.0), eta=1.0)(batch).terms[0].each
    assert float(torch.exp(-ours)) == pytest.approx(0.7603936, abs=1e-7)


def test_with_certain_annotators_it_is_the_base(pairs_abc, per_pair) -> None:
    torch.testing.assert_close(per_pair(LCPO(DPO(), eta=1.0), pairs_abc), per_pair(DPO(), pairs_abc))


def test_for_dpo_both_forms_are_equal(pairs_abc, per_pair) -> None:
    torch.testing.assert_close(per_pair(LCPO(DPO(), form="loss"), pairs_abc), per_pair(LCPO(DPO()), pairs_abc))


def test_constant_posteriors_give_label_smoothing(make_batch, per_pair) -> None:
    # without a margin p = ½, and then w = η for every pair
    batch = make_batch([(-2.0, 1), (-2.0, 1)], ref=[-2.0, -2.0])
    torch.testing.assert_close(per_pair(LCPO(DPO(), eta=0.9), batch), per_pair(CDPO(epsilon=0.1), batch))
    logps = batch.logps.requires_grad_()
    ours = torch.autograd.grad(per_pair(LCPO(DPO(), eta=0.9), batch.with_(logps=logps)).sum(), logps)[0]
    smooth = torch.autograd.grad(per_pair(CDPO(epsilon=0.1), batch.with_(logps=logps)).sum(), logps)[0]
    torch.testing.assert_close(ours, smooth)


def test_reliability_converges_to_the_share_of_right_labels() -> None:
    rng = np.random.default_rng(0)
    truth = rng.beta(0.5, 0.5, 200_000)
    label = rng.random(truth.size) < truth
    flipped = rng.random(truth.size) < 0.25
    p = torch.as_tensor(np.where(label ^ flipped, truth, 1 - truth))
    eta = 0.9
    for _ in range(60):
        eta = float(label_posterior(p, eta).mean())
    assert eta == pytest.approx(0.75, abs=0.005)


def test_state_follows_each_annotator_and_keeps_the_absent_one() -> None:
    objective = LCPO(DPO(), n_annotators=3)
    state = objective.init_state()
    assert state["eta"] == [0.9, 0.9, 0.9]
    sums = {"lcpo/share_0": 0.5, "lcpo/correct_0": 0.3, "lcpo/share_1": 0.5, "lcpo/correct_1": 0.5}
    after = objective.update(state, {**sums, "lcpo/share_2": 0.0, "lcpo/correct_2": 0.0})
    assert after["eta"] == pytest.approx([0.9 * 0.9 + 0.1 * 0.6, 0.91, 0.9])


def test_reliability_never_falls_below_its_bound() -> None:
    objective = LCPO(DPO(), alpha=1.0)
    after = objective.update(objective.init_state(), {"lcpo/share_0": 1.0, "lcpo/correct_0": 0.1})
    assert after["eta"] == [0.5]


def test_each_pair_is_weighed_by_its_own_annotator(make_batch) -> None:
    batch = make_batch(
        [(-1.0, 1), (-2.0, 1)] * 3, ref=[-1.0, -2.0] * 3, annotator=[0, 1, -1], state={"eta": [0.95, 0.6], "base": {}}
    )
    weights = LCPO(DPO(), n_annotators=2)(batch).terms[0].metrics["label_correct"]
    torch.testing.assert_close(weights, torch.tensor([0.95, 0.6, 0.775], dtype=torch.float64))


def test_the_posterior_gets_no_gradient(make_batch) -> None:
    batch = make_batch([(-1.0, 1), (-2.5, 1)], ref=[-1.5, -2.0])
    logps = batch.logps.clone().requires_grad_()
    first = LCPO(DPO(beta=1.0))(batch.with_(logps=logps)).terms[0]
    (gradient,) = torch.autograd.grad(first.each.sum(), logps)
    p = torch.sigmoid(torch.tensor(1.0, dtype=torch.float64))
    w = label_posterior(p, 0.9)
    torch.testing.assert_close(gradient, torch.stack([p - w, w - p]))


def test_stated_probability_interpolates_between_the_two_labels(make_batch, per_pair) -> None:
    batch = make_batch([(-12.0, 6), (-15.0, 8)], ref=[-13.0, -14.0])
    right, wrong = per_pair(SoftDPO(), batch), per_pair(SoftDPO(), batch.with_(pairs=batch.pairs.flip(1)))
    mixed = per_pair(SoftDPO(), batch.with_(prob=torch.tensor([0.7], dtype=torch.float64)))
    torch.testing.assert_close(mixed, 0.7 * right + 0.3 * wrong)


def test_a_base_that_is_not_over_pairs_is_refused(pairs_abc) -> None:
    with pytest.raises(SettingError, match="first term over all pairs"):
        LCPO(SFT())(pairs_abc)
