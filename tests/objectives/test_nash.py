"""Losses of preference games against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import DNO, DPO, INPO, IPO, SPPO


def test_self_play_losses_computed_by_hand(make_batch, pairs_abc) -> None:
    soft = SPPO(eta=2.0, wins="soft")
    batch = pairs_abc.with_(scores=torch.tensor([0.8, float("nan")] * 3, dtype=torch.float64))
    item = soft(batch).terms[0]
    assert item.index.tolist() == [0, 2, 4]
    assert item.each.tolist() == pytest.approx([0.16, 2.56, 0.36])
    hard = SPPO(eta=2.0)(pairs_abc).terms[0]
    assert hard.each.tolist() == pytest.approx([0.0, 6.25, 2.0])


def test_hard_wins_are_soft_wins_of_one_and_zero(pairs_abc) -> None:
    scored = pairs_abc.with_(scores=torch.tensor([1.0, 0.0] * 3, dtype=torch.float64))
    soft = SPPO(eta=3.0, wins="soft")(scored).terms[0].each.reshape(3, 2).sum(1)
    torch.testing.assert_close(soft, SPPO(eta=3.0)(pairs_abc).terms[0].each)


def test_direct_nash_loss_computed_by_hand(make_batch) -> None:
    batch = make_batch([(-3.0, 1), (-4.0, 1)], ref=[-3.2, -3.6], scores=[0.7, 0.4])
    assert float(DNO(eta=1.0)(batch).terms[0].each) == pytest.approx(0.692822, abs=1e-6)


def test_direct_nash_loss_is_lowest_at_the_difference_of_win_rates(make_batch) -> None:
    def loss(d: float) -> float:
        return float(DNO()(make_batch([(d, 1), (0.0, 1)], ref=[0.0, 0.0], scores=[0.7, 0.4])).terms[0].each)

    q = 1 / (1 + math.exp(-0.3))
    assert loss(0.3) == pytest.approx(-q * math.log(q) - (1 - q) * math.log(1 - q))
    assert loss(0.3) < min(loss(0.25), loss(0.35))


def test_certain_win_rates_give_dpo(make_batch) -> None:
    batch = make_batch([(-3.0, 2), (-4.0, 2)], ref=[-3.2, -3.6], scores=[500.0, 0.0])
    torch.testing.assert_close(DNO(eta=0.1)(batch).terms[0].each, DPO(beta=0.1)(batch).terms[0].each)


def test_pairs_without_both_win_rates_are_left_out(make_batch) -> None:
    batch = make_batch([(-3.0, 1), (-4.0, 1)] * 2, ref=[-3.0] * 4, scores=[0.7, float("nan"), 0.6, 0.1])
    assert DNO()(batch).terms[0].index.tolist() == [1]


def test_iterative_nash_loss_computed_by_hand(make_batch) -> None:
    batch = make_batch([(-3.0, 1), (-4.0, 1)], ref=[-3.5, -3.8], policies={"prev": [-3.2, -3.6]})
    item = INPO(eta=0.5, tau=0.2)(batch).terms[0]
    assert float(item.each) == pytest.approx(0.1296)
    assert float(item.metrics["margins"]) == pytest.approx(0.5 * 0.64)


@pytest.mark.parametrize(("tau", "name"), [(0.0, "prev"), (0.5, "ref")])
def test_at_its_ends_it_is_ipo(make_batch, tau: float, name: str) -> None:
    policies = {"ref": [-3.5, -3.8], "prev": [-3.2, -3.6]}
    batch = make_batch([(-3.0, 1), (-4.0, 1)], policies=policies)
    ipo = IPO(tau=0.5, log_ratios="sum")(batch.with_(logps_of={"ref": batch.logps_of[name]}))
    torch.testing.assert_close(INPO(eta=0.5, tau=tau)(batch).terms[0].each, ipo.terms[0].each)


def test_population_optimum_of_the_regression_is_the_mirror_descent_step() -> None:
    rng = np.random.default_rng(0)
    current = rng.dirichlet(np.ones(4))
    wins = rng.random((4, 4))
    wins = np.triu(wins, 1) + np.tril(1 - wins.T, -1) + 0.5 * np.eye(4)
    eta = 0.5
    # E over pairs y, y' ~ π_t and Bernoulli labels of (±h − 1/(2η))²; the minimiser over h = f(y) − f(y')
    rows, target, weight = [], [], []
    for y in range(4):
        for other in range(4):
            rows.append(np.eye(4)[y] - np.eye(4)[other])
            target.append((2 * wins[y, other] - 1) / (2 * eta))
            weight.append(current[y] * current[other])
    root = np.sqrt(np.array(weight))
    f = np.linalg.lstsq(np.array(rows) * root[:, None], np.array(target) * root, rcond=None)[0]
    rate = wins @ current
    assert np.allclose(f[:, None] - f[None, :], (rate[:, None] - rate[None, :]) / eta, atol=1e-10)


def test_the_regularised_game_converges_to_its_nash_policy() -> None:
    wins = np.array([[0.5, 0.9, 0.2], [0.1, 0.5, 0.8], [0.8, 0.2, 0.5]])
    ref, eta, tau = np.array([0.6, 0.3, 0.1]), 1.0, 0.3333
    policy = ref.copy()
    for _ in range(400):
        policy = ref ** (tau / eta) * policy ** (1 - tau / eta) * np.exp(wins @ policy / eta)
        policy /= policy.sum()
    assert policy == pytest.approx([0.667771, 0.165715, 0.166514], abs=1e-6)
    fixed = ref * np.exp(wins @ policy / tau)
    assert policy == pytest.approx(fixed / fixed.sum(), abs=1e-6)


def test_a_game_weight_beyond_the_step_is_refused() -> None:
    with pytest.raises(SettingError, match=r"INPO.tau must be in \[0, eta\]"):
        INPO(eta=0.1, tau=0.2)
