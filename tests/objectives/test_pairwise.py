"""Identities of the losses over pairs."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.objectives import (
    CDPO,
    CPO,
    DPO,
    DPONLL,
    FDPO,
    IPO,
    KTO,
    LNDPO,
    SPPO,
    DPOGamma,
    EXOPair,
    NCAPair,
    RaggedBatch,
    RobustDPO,
    SimPO,
    SLiC,
)

FLOATS = st.floats(-30, 30)


def pair(win: float, lose: float, ref_win: float = 0.0, ref_lose: float = 0.0) -> RaggedBatch:
    """One pair of one-token responses, float64."""

    def two(a: float, b: float) -> torch.Tensor:
        return torch.tensor([a, b], dtype=torch.float64)

    return RaggedBatch(
        two(win, lose),
        torch.tensor([0, 1]),
        torch.tensor([0, 0]),
        pairs=torch.tensor([[0, 1]]),
        logps_of={"ref": two(ref_win, ref_lose)},
    )


def value(objective, *numbers: float) -> float:
    return sum(item.scale * float(item.each.sum()) for item in objective(pair(*numbers)))


@given(FLOATS, FLOATS, st.floats(0.01, 5))
def test_without_a_margin_dpo_is_log_two(win: float, lose: float, beta: float) -> None:
    assert value(DPO(beta=beta), win, lose, win, lose) == pytest.approx(math.log(2), abs=1e-12)


@given(FLOATS, FLOATS, FLOATS, FLOATS, FLOATS)
def test_dpo_depends_on_the_margin_alone(a: float, b: float, c: float, d: float, shift: float) -> None:
    moved = value(DPO(), a + shift, b + shift, c + shift, d + shift)
    assert moved == pytest.approx(value(DPO(), a, b, c, d), abs=1e-9)
    assert value(DPO(), a + shift, b + shift, c, d) == pytest.approx(value(DPO(), a, b, c, d), abs=1e-9)


@pytest.mark.parametrize("objective", [NCAPair(), SPPO(eta=1.0), DPONLL()], ids=repr)
def test_losses_that_look_at_each_side_feel_a_common_shift(objective) -> None:
    assert value(objective, -3, -4, -3, -3.5) != pytest.approx(value(objective, -4, -5, -3, -3.5), abs=1e-3)


@given(FLOATS, FLOATS, FLOATS, FLOATS)
def test_smoothing_and_debiasing_of_nothing_are_dpo(a: float, b: float, c: float, d: float) -> None:
    plain = value(DPO(), a, b, c, d)
    assert value(CDPO(epsilon=0.0), a, b, c, d) == pytest.approx(plain, abs=1e-12)
    assert value(RobustDPO(epsilon=0.0), a, b, c, d) == pytest.approx(plain, abs=1e-12)


@given(FLOATS, FLOATS, st.floats(0, 0.45))
def test_robust_dpo_averaged_over_flips_is_clean_dpo(win: float, lose: float, epsilon: float) -> None:
    robust = RobustDPO(epsilon=epsilon)
    mean = (1 - epsilon) * value(robust, win, lose) + epsilon * value(robust, lose, win)
    assert mean == pytest.approx(value(DPO(), win, lose), abs=1e-9)


def test_ipo_pulls_back_beyond_its_target_and_dpo_never_does() -> None:
    def slope(objective, h: float) -> float:
        return (value(objective, h + 1e-4, 0) - value(objective, h - 1e-4, 0)) / 2e-4

    ipo = IPO(tau=0.1, log_ratios="sum")
    assert slope(ipo, 4.0) == pytest.approx(2 * (4 - 5))
    assert slope(ipo, 6.0) == pytest.approx(2 * (6 - 5))
    assert all(slope(DPO(), h) < 0 for h in (-50.0, 0.0, 50.0))


@given(FLOATS, FLOATS, FLOATS)
def test_cpo_is_dpo_under_a_constant_reference(win: float, lose: float, constant: float) -> None:
    cpo = value(CPO(alpha=0.0), win, lose)
    assert cpo == pytest.approx(value(DPO(), win, lose, constant, constant), abs=1e-9)


@given(FLOATS, FLOATS, FLOATS, FLOATS)
def test_dpo_with_likelihood_less_dpo_is_the_likelihood(a: float, b: float, c: float, d: float) -> None:
    difference = value(DPONLL(), a, b, c, d) - value(DPO(), a, b, c, d)
    assert difference == pytest.approx(-a, abs=1e-9)


@given(st.floats(-3, 3), st.floats(0, 2), st.floats(-3, 3))
def test_kto_is_unchanged_when_baseline_and_log_ratio_move_together(delta: float, z0: float, shift: float) -> None:
    def loss(log_ratio: float, baseline: float) -> float:
        batch = pair(log_ratio, log_ratio).with_(
            labels=torch.tensor([1.0, 0.0], dtype=torch.float64), stats={"z0": baseline}
        )
        return float(KTO()(batch).terms[0].each.sum())

    assert loss(delta + shift, z0 + shift) == pytest.approx(loss(delta, z0), abs=1e-12)


@given(FLOATS, st.floats(0.01, 0.4))
def test_exo_is_never_negative_and_zero_at_the_smoothed_label(h: float, epsilon: float) -> None:
    exo = EXOPair(beta=1.0, epsilon=epsilon)
    target = math.log((1 - epsilon) / epsilon)
    assert value(exo, h, 0) >= -1e-12
    assert value(exo, target, 0) == pytest.approx(0.0, abs=1e-12)
    assert value(exo, target + 0.5, 0) > 1e-5


@given(FLOATS, FLOATS)
def test_swapping_the_sides_changes_dpo_by_the_margin(win: float, lose: float) -> None:
    assert value(DPO(beta=0.1), lose, win) - value(DPO(beta=0.1), win, lose) == pytest.approx(
        0.1 * (win - lose), abs=1e-9
    )


def test_normalising_by_length_on_unequal_lengths(make_batch) -> None:
    batch = make_batch(
        [[-1.0, -2.0, -0.5, -1.5, -1.0], [-1.5, -1.0, -2.0]],
        ref=[[-1.2, -1.8, -0.7, -1.2, -1.1], [-1.4, -1.1, -1.7]],
    )
    assert float(DPO(beta=0.1)(batch).terms[0].each) == pytest.approx(0.678260, abs=1e-6)
    assert float(LNDPO(beta=2.0)(batch).terms[0].each) == pytest.approx(0.598139, abs=1e-6)


@given(st.lists(st.floats(-3, -0.1), min_size=4, max_size=4), st.floats(-1, 1))
@settings(deadline=None)
def test_a_drift_of_every_token_moves_dpo_but_not_its_normalised_form(logps: list[float], drift: float) -> None:
    def loss(objective, shift: float) -> float:
        tokens = torch.tensor(logps, dtype=torch.float64)
        batch = RaggedBatch(
            tokens + shift,
            torch.tensor([0, 0, 0, 1]),
            torch.tensor([0, 0]),
            pairs=torch.tensor([[0, 1]]),
            logps_of={"ref": torch.full((4,), -1.0, dtype=torch.float64)},
        )
        return float(objective(batch).terms[0].metrics["margins"])

    assert loss(LNDPO(beta=1.0), drift) == pytest.approx(loss(LNDPO(beta=1.0), 0), abs=1e-12)
    assert loss(DPO(beta=1.0), drift) - loss(DPO(beta=1.0), 0) == pytest.approx(drift * (3 - 1), abs=1e-12)


@given(st.integers(1, 9), st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 3))
def test_for_equal_lengths_the_normalised_form_is_dpo_with_beta_over_length(n, win, lose, beta) -> None:
    batch = RaggedBatch(
        torch.tensor([win / n] * n + [lose / n] * n, dtype=torch.float64),
        torch.tensor([0] * n + [1] * n),
        torch.tensor([0, 0]),
        pairs=torch.tensor([[0, 1]]),
        logps_of={"ref": torch.zeros(2 * n, dtype=torch.float64)},
    )
    torch.testing.assert_close(LNDPO(beta=beta)(batch).terms[0].each, DPO(beta=beta / n)(batch).terms[0].each)


def test_divergences_computed_by_hand() -> None:
    # Δ = 1, −1: forward −e^{−Δ} margin 2 sinh 1; JS log σ(1) − log σ(−1) = 1; α = 2: e^Δ margin 2 sinh 1
    def softplus(z: float) -> float:
        return math.log1p(math.exp(z))

    assert value(FDPO("forward_kl", beta=0.1), 1, -1) == pytest.approx(softplus(-0.1 * 2 * math.sinh(1)))
    assert value(FDPO("jensen_shannon", beta=0.1), 1, -1) == pytest.approx(softplus(-0.1))
    assert value(FDPO("alpha", alpha=2.0, beta=0.1), 1, -1) == pytest.approx(softplus(-0.2 * math.sinh(1)))
    assert value(FDPO("alpha", alpha=1 + 1e-7, beta=0.1), 1, -1) == pytest.approx(softplus(-0.2), abs=1e-6)


def test_without_weight_on_the_reference_dpo_is_reference_free() -> None:
    assert value(DPOGamma(gamma=0.0), -3, -5, -9, -1) == pytest.approx(value(CPO(alpha=0.0), -3, -5))


def test_tokens_of_weight_zero_do_not_count(make_batch) -> None:
    long = make_batch([[-1.0, -7.0, -2.0], [-1.0, -3.0]], ref=[[-1.5, -1.0, -2.5], [-0.5, -2.0]])
    long = long.with_(token_weight=torch.tensor([1, 0, 1, 1, 1], dtype=torch.float64))
    short = make_batch([[-1.0, -2.0], [-1.0, -3.0]], ref=[[-1.5, -2.5], [-0.5, -2.0]])
    for objective in (DPO(), IPO(), LNDPO(), SimPO()):
        torch.testing.assert_close(objective(long).terms[0].each, objective(short).terms[0].each)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DPO(beta=0), "DPO.beta must be a positive number"),
        (lambda: DPO(beta=float("nan")), "DPO.beta must be a positive number"),
        (lambda: IPO(log_ratios="median"), "IPO.log_ratios must be one of 'mean', 'sum'"),
        (lambda: CDPO(epsilon=0.5), r"CDPO.epsilon must be in \[0, 0.5\)"),
        (lambda: EXOPair(epsilon=0.5), "EXOPair.epsilon must be below ½"),
        (lambda: SimPO(loss="hinge", epsilon=0.1), "no meaning with loss='hinge'"),
        (lambda: FDPO("alpha", alpha=1.0), "must not be 1"),
        (lambda: SLiC(lam=-1.0), "must be ≥ 0"),
    ],
)
def test_bad_settings_are_refused_when_made(make, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make()
