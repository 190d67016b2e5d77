"""The tabular world: closed forms against independent numerical paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from zermelo.errors import DataError, SettingError
from zermelo.worlds.tabular import Tabular, kl, log_softmax, nash

WORLD = Tabular.random(3, 4, seed=0)
seeds = st.integers(0, 10**6)
CYCLE = np.array([[[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]]])


@given(seed=seeds, beta=st.floats(0.05, 5))
@settings(max_examples=30)
def test_no_policy_is_worth_more_than_the_optimum(seed: int, beta: float) -> None:
    world = Tabular.random(2, 5, seed=seed)
    best = world.value(world.optimum(beta), beta)
    assert best == pytest.approx(world.optimal_value(beta), abs=1e-9)
    other = log_softmax(world.optimum(beta) + 0.3 * np.random.default_rng(seed).normal(size=(2, 5)))
    assert world.value(other, beta) <= best + 1e-12


def test_the_worked_world_of_two_responses() -> None:
    # π_ref = (¼, ¾), r = (ln 3, 0), β = 1: π* ∝ (¾, ¾); log Z = ln 1.5; KL = ½ ln 2 + ½ ln ⅔ = ½ ln 4/3
    world = Tabular(np.log([[0.25, 0.75]]), np.log([[3.0, 1.0]]))
    assert np.exp(world.optimum(1.0)) == pytest.approx(np.array([[0.5, 0.5]]))
    assert world.optimal_value(1.0) == pytest.approx(np.log(1.5))
    assert world.kl(world.optimum(1.0)) == pytest.approx(0.5 * np.log(4 / 3))
    assert world.preferences[0, 0, 1] == pytest.approx(0.75)
    # ½·¼·½ + ½·¾·¾ + ½·¼·¼ + ½·¾·½
    assert world.win_rate(world.optimum(1.0), world.reference) == pytest.approx(0.5625)


def test_dpo_recovers_the_reward_optimum_whatever_the_sampling_of_pairs() -> None:
    uneven = np.random.default_rng(1).uniform(0.1, 1, size=(3, 4, 4))
    for sampling in (None, uneven):
        assert np.abs(WORLD.dpo_optimum(0.3, sampling=sampling) - WORLD.optimum(0.3)).max() < 1e-9


def test_dpo_of_intransitive_preferences_minimises_its_population_loss() -> None:
    world = Tabular(np.log([[0.2, 0.3, 0.5]]), np.zeros((1, 3)), preference=CYCLE)
    found = world.dpo_optimum(0.5)
    free = minimize(lambda z: world.dpo_loss(log_softmax(z[None]), 0.5), np.zeros(3), options={"gtol": 1e-10})
    assert world.dpo_loss(found, 0.5) == pytest.approx(free.fun, abs=1e-10)
    assert np.abs(found - log_softmax(free.x[None])).max() < 1e-4  # BFGS, finite differences
    implied = world.implied_reward(WORLD.optimum(0.3)[:1, :3], 0.5)
    assert implied.sum() == pytest.approx(0)


def test_nash_of_rock_paper_scissors_is_uniform_and_nobody_beats_a_nash_policy() -> None:
    rps = np.array([[[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]]])
    assert nash(rps[0]) == pytest.approx(np.full(3, 1 / 3), abs=1e-9)
    world = Tabular(np.log(np.full((1, 3), 1 / 3)), np.zeros((1, 3)), preference=CYCLE)
    policy = world.nash_optimum()
    for other in np.eye(3):
        with np.errstate(divide="ignore"):
            assert world.win_rate(np.log(other)[None], policy) <= 0.5 + 1e-9


@pytest.mark.parametrize("tau", [0.05, 0.3, 2.0])
def test_the_regularised_nash_policy_is_its_own_best_reply(tau: float) -> None:
    world = Tabular(np.log([[0.2, 0.3, 0.5]]), np.zeros((1, 3)), preference=CYCLE)
    policy = world.nash_optimum(tau)
    assert np.abs(world.ipo_optimum(tau, against=policy) - policy).max() < 1e-9


def test_best_of_n_is_the_law_of_the_best_draw() -> None:
    for n in (1, 2, 5):
        chance = np.exp(WORLD.best_of(n))
        assert chance.sum(-1) == pytest.approx(np.ones(3))
        draws = WORLD.sample(WORLD.reference, 20_000 * n, seed=n).reshape(3, -1, n)
        best = np.take_along_axis(draws, np.take_along_axis(WORLD.reward[:, None], draws, -1).argmax(-1)[..., None], -1)
        seen = np.stack([np.bincount(row.ravel(), minlength=4) / row.size for row in best])
        assert np.abs(seen - chance).max() < 0.015  # 20,000 draws: four standard errors
    assert WORLD.best_of(1) == pytest.approx(WORLD.reference)
    tied = Tabular(np.log([[0.5, 0.5]]), np.zeros((1, 2)))
    assert np.exp(tied.best_of(2)) == pytest.approx(np.array([[0.75, 0.25]]))


def test_kl_counts_impossible_responses_as_nothing() -> None:
    with np.errstate(divide="ignore"):
        assert kl(np.log([[1.0, 0.0]]), np.log([[0.5, 0.5]])) == pytest.approx([np.log(2)])


def test_shapes_and_tables_that_do_not_fit_are_bad_data() -> None:
    half = np.log([[0.5, 0.5]])
    with pytest.raises(DataError, match="expected both"):
        Tabular(half, np.zeros((2, 2)))
    with pytest.raises(DataError, match="do not sum to 1"):
        Tabular(np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(DataError, match="is not 1"):
        Tabular(half, np.zeros((1, 2)), preference=np.ones((1, 2, 2)))
    with pytest.raises(DataError, match="expected"):
        Tabular(half, np.zeros((1, 2)), preference=np.ones((2, 2)))
    for call in (lambda: WORLD.optimum(0), lambda: WORLD.best_of(0), lambda: WORLD.nash_optimum(-1)):
        with pytest.raises(SettingError):
            call()
