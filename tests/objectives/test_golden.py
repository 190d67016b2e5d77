"""Every pairwise objective on the catalogue's three pairs, against numbers computed by hand."""

from __future__ import annotations

import pytest
import torch

from zermelo.objectives import (
    CDPO,
    CPO,
    DPO,
    DPONLL,
    DPOP,
    FDPO,
    IPO,
    LCPO,
    LNDPO,
    ORPO,
    SPPO,
    APODown,
    APOZero,
    BCOPair,
    DPOGamma,
    EXOPair,
    HingeDPO,
    NCAPair,
    RobustDPO,
    SLiC,
    SoftDPO,
)

GOLDEN = [
    (DPO(beta=0.1), [0.598139, 0.770957, 0.693147]),
    (SoftDPO(beta=0.1), [0.598139, 0.770957, 0.693147]),
    (DPOGamma(beta=0.1, gamma=1.0), [0.598139, 0.770957, 0.693147]),
    (FDPO("reverse_kl", beta=0.1), [0.598139, 0.770957, 0.693147]),
    (CDPO(beta=0.1, epsilon=0.1), [0.618139, 0.755957, 0.693147]),
    (RobustDPO(beta=0.1, epsilon=0.1), [0.573139, 0.789707, 0.693147]),
    (HingeDPO(beta=0.1), [0.8, 1.15, 1.0]),
    (0.1 * SLiC(delta=10.0), [0.7, 1.2, 0.85]),
    (IPO(tau=0.1, log_ratios="sum"), [9.0, 42.25, 25.0]),
    (IPO(tau=0.1), [22.168403, 26.579753, 25.0]),
    (LNDPO(beta=2.0), [0.443426, 0.860753, 0.693147]),
    (EXOPair(beta=0.1, epsilon=1e-3), [2.422015, 3.022554, 2.761231]),
    (NCAPair(beta=0.1), [1.338793, 1.425825, 1.386294]),
    (BCOPair(beta=0.1), [1.288793, 1.462856, 1.386294]),
    (SPPO(eta=2.0), [0.0, 6.25, 2.0]),
    (ORPO(lam=0.1), [2.076884, 2.069315, 1.569315]),
    (CPO(beta=0.1, alpha=0.0), [0.554355, 0.798139, 0.620957]),
    (CPO(beta=0.1, alpha=1.0), [2.554355, 2.798139, 2.120957]),
    (DPONLL(beta=0.1, alpha=1.0), [2.598139, 2.770957, 2.193147]),
    (DPOP(beta=0.1, lam=50.0), [0.598139, 5.155783, 0.693147]),
    # 1 − σ(βΔ_w) + σ(βΔ_l) and σ(βΔ_w) + σ(−βh) with Δ_w = 1, −1, 0 and Δ_l = −1, ½, 0
    (APOZero(beta=0.1), [0.950042, 1.037477, 1.0]),
    (APODown(beta=0.1), [0.975145, 1.012451, 1.0]),
    # smoothing by η₀ at p = ½; by the posterior of the label elsewhere
    (LCPO(DPO(beta=0.1)), [0.614816, 0.753807, 0.693147]),
]


@pytest.mark.parametrize(("objective", "expected"), GOLDEN, ids=repr)
def test_gives_the_losses_computed_by_hand(objective, expected, pairs_abc, per_pair) -> None:
    # 1e-6: the hand-computed numbers have six decimals
    torch.testing.assert_close(
        per_pair(objective, pairs_abc), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=6e-7
    )


def test_odds_term_of_orpo_alone(pairs_abc) -> None:
    odds = ORPO()(pairs_abc).terms[0]
    assert odds.scale == 0.1
    torch.testing.assert_close(
        odds.each, torch.tensor([0.768842, 0.693147, 0.693147], dtype=torch.float64), rtol=0, atol=6e-7
    )


def test_gradient_weight_of_dpo(pairs_abc) -> None:
    logps = pairs_abc.logps.clone().requires_grad_()
    DPO(beta=0.1)(pairs_abc.with_(logps=logps)).terms[0].each.sum().backward()
    first = torch.tensor([0, 14, 33])  # a token of each chosen response; of each rejected one
    other = torch.tensor([6, 24, 38])
    weight = torch.tensor([0.450166, 0.537430, 0.5], dtype=torch.float64)
    torch.testing.assert_close(logps.grad[first], -0.1 * weight, rtol=0, atol=1e-7)
    torch.testing.assert_close(logps.grad[other], 0.1 * weight, rtol=0, atol=1e-7)


def test_reports_rewards_under_the_names_that_logs_share(pairs_abc) -> None:
    metrics = DPO(beta=0.1)(pairs_abc).terms[0].metrics
    assert set(metrics) == {"chosen", "rejected", "margins", "accuracies"}
    torch.testing.assert_close(metrics["chosen"], torch.tensor([0.1, -0.1, 0.0], dtype=torch.float64))
    torch.testing.assert_close(metrics["margins"], torch.tensor([0.2, -0.15, 0.0], dtype=torch.float64))
    assert metrics["accuracies"].tolist() == [1.0, 0.0, 0.0]
