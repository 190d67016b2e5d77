"""SFT under other f-divergences."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives import FSFT, SFT, utility

KINDS = ("total_variation", "pearson", "hellinger", "jensen_shannon")


@pytest.mark.parametrize(
    ("kind", "at_half", "below", "slope"),
    [
        ("total_variation", 0.5, -0.2, 1.0),
        ("pearson", 0.4375, -0.21, 0.75),
        ("hellinger", 0.3333333, -0.25, 0.4444444),
        ("jensen_shannon", 0.3317966, -0.2502614, 0.4352666),
    ],
)
def test_utilities_computed_by_hand(kind, at_half: float, below: float, slope: float) -> None:
    r = torch.tensor([0.5, -0.2, 0.0], dtype=torch.float64, requires_grad=True)
    values = utility(r, kind)
    assert values.tolist() == pytest.approx([at_half, below, 0.0], abs=1e-7)
    (gradient,) = torch.autograd.grad(values.sum(), r)
    assert float(gradient[0]) == pytest.approx(slope, abs=1e-7)
    assert float(gradient[2]) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_far_below_the_reference_the_pull_goes_on(kind) -> None:
    r = torch.tensor([-0.599, -0.601, -5.0, -1e4], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(utility(r, kind).sum(), r)
    assert torch.isfinite(gradient).all()
    assert (gradient >= 1.0).all()
    assert float(gradient[0]) == pytest.approx(float(gradient[1]), rel=2e-2)  # no jump where the tangent begins


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per", ["token", "sequence"])
def test_at_the_reference_every_divergence_has_the_gradient_of_fine_tuning(pairs_abc, kind, per) -> None:
    logps = pairs_abc.logps.clone().requires_grad_()
    batch = pairs_abc.with_(logps=logps, logps_of={"ref": pairs_abc.logps})
    sft = SFT(nll="token_mean" if per == "token" else "sequence_mean")
    ours = torch.autograd.grad(FSFT(kind, per=per)(batch).terms[0].each.sum(), logps)[0]
    torch.testing.assert_close(ours, torch.autograd.grad(sft(batch).terms[0].each.sum(), logps)[0])


def test_plain_fine_tuning_is_the_one_whose_regulariser_cancels() -> None:
    # max over r of E_demo[r] − β log Σ π_ref e^{r/β}: its policy is the demonstrations, its value β KL(demo ‖ π_ref)
    beta = 0.7
    ref = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    demo = torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)
    r = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([r], max_iter=200, tolerance_grad=1e-10)

    def negative() -> torch.Tensor:
        optimiser.zero_grad()
        loss = -(demo * r).sum() + beta * torch.logsumexp(ref.log() + r / beta, 0)
        loss.backward()
        return loss

    optimiser.step(negative)
    policy = torch.softmax(ref.log() + r.detach() / beta, 0)
    torch.testing.assert_close(policy, demo, atol=1e-5, rtol=0)
    assert -float(negative().detach()) == pytest.approx(0.2763713436, abs=1e-8)
    assert float(beta * (demo * (demo / ref).log()).sum()) == pytest.approx(0.2763713436, abs=1e-9)
    assert math.isfinite(float(r.detach().sum()))
