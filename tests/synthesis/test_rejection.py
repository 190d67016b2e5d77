"""Statistical rejection sampling."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.synthesis.rejection import first_round, reward_of_ranker, statistical_rejection, tournament


def test_first_pass_accepts_with_the_probabilities_computed_by_hand() -> None:
    rewards, rng = [2.0, 1.0, 0.0, -1.0], np.random.default_rng(0)
    # with n = 4 everything is accepted in the end; what comes first shows the first pass: 0 always, then 1 with e^−2
    first_two = [statistical_rejection(rewards, n=2, beta=0.5, rng=rng) for _ in range(4000)]
    assert all(pair[0] == 0 for pair in first_two)
    # the second is 1: accepted in pass one (.135335), or second pass sure after 2 and 3 were both refused in pass one
    assert np.mean([pair[1] == 1 for pair in first_two]) == pytest.approx(
        0.135335 + (1 - 0.135335) * (1 - 0.018316) * (1 - 0.002479), abs=0.01
    )


def test_many_candidates_give_the_optimal_policy() -> None:
    rng = np.random.default_rng(0)
    policy, reward = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.0, 0.5, 1.0, 2.0])
    candidates = rng.choice(4, size=40_000, p=policy)
    beta = 0.5
    taken = statistical_rejection(reward[candidates], n=3000, beta=beta, rng=rng)
    share = np.bincount(candidates[taken], minlength=4) / len(taken)
    wanted = policy * np.exp(reward / beta)
    assert wanted / wanted.sum() == pytest.approx([0.0491, 0.1000, 0.1813, 0.6697], abs=1e-4)
    assert share == pytest.approx(wanted / wanted.sum(), abs=0.02)  # 3,000 draws: three standard errors


def test_limits_of_the_temperature() -> None:
    rewards = [0.3, 2.0, 1.0, -1.0, 1.5]
    assert statistical_rejection(rewards, n=3, beta=1e12, rng=np.random.default_rng(0)).tolist() == [0, 1, 2]
    assert statistical_rejection(rewards, n=3, beta=1e-9, rng=np.random.default_rng(0)).tolist() == [1, 4, 2]


def test_a_shift_changes_nothing_and_no_candidate_comes_twice() -> None:
    rewards = np.random.default_rng(1).normal(size=64)
    one = statistical_rejection(rewards, n=8, beta=0.5, rng=np.random.default_rng(2))
    two = statistical_rejection(rewards + 7, n=8, beta=0.5, rng=np.random.default_rng(2))
    assert one.tolist() == two.tolist()
    assert len(set(one.tolist())) == 8


def test_it_stops_when_the_candidates_are_used_up() -> None:
    assert sorted(statistical_rejection([1.0, 1.0], n=8, beta=0.5, rng=np.random.default_rng(0))) == [0, 1]


def test_numbers_of_pairs() -> None:
    rng = np.random.default_rng(0)
    rounds = first_round(range(8), lambda a, b: float(a > b), rng)
    assert len(rounds) == 4
    assert sorted(item for pair in rounds for item in pair) == list(range(8))
    knock_out = tournament(range(8), lambda a, b: float(a > b), rng)
    assert len(knock_out) == 7
    assert knock_out[-1][0] == 7
    assert all(win > lose for win, lose in rounds + knock_out)
    assert len(tournament(range(5), lambda a, b: 1.0, rng)) == 4


def test_rewards_of_a_certain_ranker_are_finite() -> None:
    assert reward_of_ranker([0.0, 0.5, 1.0]) == pytest.approx([-13.8155, 0.0, 13.8155], abs=1e-4)


def test_bad_settings_are_refused() -> None:
    rng = np.random.default_rng(0)
    for rewards, n, beta in (([1.0], 1, 0.0), ([1.0], 0, 1.0), ([float("nan")], 1, 1.0)):
        with pytest.raises(SettingError):
            statistical_rejection(rewards, n=n, beta=beta, rng=rng)
