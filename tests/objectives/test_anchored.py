"""VPO and HyPO against closed forms on finite response sets."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from zermelo.objectives import DPO, SFT, VPO, HyPO, RaggedBatch


def test_value_term_is_the_optimal_value() -> None:
    beta = 0.5
    ref, cal = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    reward = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    reward = reward - (cal * reward).sum()
    policy = torch.softmax(ref.log() + reward / beta, 0)
    assert policy.tolist() == pytest.approx([0.91867231, 0.07459727, 0.00673043], abs=1e-8)
    kl = (policy * (policy / ref).log()).sum()
    value = float((policy * reward).sum() - beta * kl)
    assert value == pytest.approx(0.7958393082474566, abs=1e-12)
    # three calibration responses of one group, weighted by π_cal: the term, as the loop averages it
    batch = RaggedBatch(
        policy.log(),
        torch.arange(3),
        torch.zeros(3, dtype=torch.long),
        logps_of={"ref": ref.log()},
        response_weight=cal,
        extra={"origin": ("responses", torch.full((3,), 2.0))},
    )
    item = VPO(beta=beta, alpha=1.0, mode="online", calibration="calibration")(batch).terms[1]
    assert item.scale * float((cal * item.each).sum()) == pytest.approx(-value, abs=1e-12)


def test_without_weight_vpo_is_dpo(pairs_abc) -> None:
    assert len(VPO(alpha=0.0)(pairs_abc).terms) == 1
    torch.testing.assert_close(VPO(alpha=0.0)(pairs_abc).terms[0].each, DPO()(pairs_abc).terms[0].each)


def test_pessimism_on_the_chosen_is_dpo_with_a_likelihood_term(pairs_abc) -> None:
    logps = pairs_abc.logps.clone().requires_grad_()
    batch = pairs_abc.with_(logps=logps)

    def gradient(objective) -> torch.Tensor:
        total = sum(item.scale * item.each.sum() for item in objective(batch))
        return torch.autograd.grad(total, logps)[0]

    torch.testing.assert_close(gradient(VPO(beta=0.1, alpha=2.0)), gradient(DPO() + 0.2 * SFT(nll="sum")))


def test_optimism_has_the_opposite_sign_and_a_floor(pairs_abc) -> None:
    offline, online = (VPO(mode=mode)(pairs_abc).terms[1] for mode in ("offline", "online"))
    torch.testing.assert_close(online.each, -offline.each)
    floored = VPO(mode="online", floor=-0.5)(pairs_abc).terms[1].each
    assert floored.tolist() == pytest.approx([1.0, -0.5, 0.0])


def test_offline_term_of_hypo_computed_by_hand(make_batch) -> None:
    batch = make_batch([(0.5, 1), (-0.2, 1)], ref=[0.0, 0.0], extra={"origin": ("responses", [0.0, 0.0])})
    assert float(HyPO(beta=0.1)(batch).terms[0].each) == pytest.approx(0.6587595555486971)
    assert HyPO()(batch).terms[1].each.shape == (0,)


def test_online_term_is_an_unbiased_gradient_of_the_kl() -> None:
    logits = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log().requires_grad_()
    ref = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    expected = torch.zeros(3).double()
    for a, b in itertools.product(range(3), repeat=2):
        log_p = logits.log_softmax(0)
        batch = RaggedBatch(
            log_p[[a, b]],
            torch.arange(2),
            torch.zeros(2, dtype=torch.long),
            logps_of={"ref": ref[[a, b]]},
            extra={"origin": ("responses", torch.ones(2))},
        )
        item = HyPO(lam=1.0)(batch).terms[1]
        (gradient,) = torch.autograd.grad(item.each.mean(), logits)
        expected += (log_p[a] + log_p[b]).exp().detach() * gradient
    policy = logits.detach().softmax(0)
    kl = (policy * (policy.log() - ref)).sum()
    assert float(kl) == pytest.approx(0.0851228259572216, abs=1e-12)
    torch.testing.assert_close(expected, policy * (policy.log() - ref - kl), rtol=0, atol=1e-12)
    assert expected.tolist() == pytest.approx([0.17594459, -0.09811759, -0.07782700], abs=1e-8)


def test_a_single_fresh_sample_has_no_baseline_and_is_left_out(make_batch) -> None:
    batch = make_batch(
        [(-1.0, 1)] * 3, ref=[-2.0] * 3, groups=[0, 0, 1], extra={"origin": ("responses", [1.0, 1.0, 1.0])}
    )
    assert HyPO()(batch).terms[1].index.tolist() == [0, 1]


def test_baseline_of_a_sample_is_the_mean_of_the_other_fresh_samples(make_batch) -> None:
    batch = make_batch(
        [(-1.0, 1), (-2.0, 1), (-4.0, 1), (-9.0, 1)],
        ref=[-2.0, -2.5, -2.0, -1.0],
        groups=[0, 0, 0, 0],
        extra={"origin": ("responses", [1.0, 1.0, 1.0, 0.0])},
    )
    item = HyPO()(batch).terms[1]
    assert item.metrics["kl"].tolist() == [1.0, 0.5, -2.0]
    assert item.each.tolist() == pytest.approx([(1 + 0.75) * -1, (0.5 + 0.5) * -2, (-2 - 0.75) * -4])


def test_without_weight_hypo_is_dpo(pairs_abc) -> None:
    batch = pairs_abc.with_(extra={"origin": ("responses", torch.zeros(6))})
    ours = HyPO(beta=0.1, lam=0.0)(batch)
    assert len(ours.terms) == 1
    assert torch.equal(ours.terms[0].each, DPO(beta=0.1)(batch).terms[0].each)
    assert math.isfinite(float(ours.terms[0].each.sum()))
