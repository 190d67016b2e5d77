"""Cups: how many matches, who wins, what a board of pooled cups knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import count
from zermelo.ranking.tournament import anchored_board, cup, insert_player, tournament_board


def stronger(a: int, b: int, prompt: int) -> float:
    return float(a > b)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 21), st.integers(0, 99))
def test_a_cup_has_one_match_less_than_players_and_the_strongest_wins(n, seed) -> None:
    rng = np.random.default_rng(seed)
    champion, matches = cup(rng.permutation(n).tolist(), stronger, 0, rng)
    assert len(matches) == n - 1
    assert champion == n - 1
    losers = [m.second if m.score == 1 else m.first for m in matches]
    assert sorted(losers) == list(range(n - 1))


def test_the_second_best_reaches_the_final_as_often_as_the_bracket_says() -> None:
    finals = 0
    for prompt in range(3000):
        rng = np.random.default_rng(prompt)
        _, matches = cup(rng.permutation(8).tolist(), stronger, prompt, rng)
        finals += 6 in (matches[-1].first, matches[-1].second)
    assert finals / 3000 == pytest.approx(4 / 7, abs=0.03)


def test_the_best_of_four_wins_with_probability_p_squared() -> None:
    champions = tournament_board(list("abcd"), lambda a, b, _: 0.8 if a > b else 0.2, n_prompts=4000, seed=0).champions
    assert np.mean(np.array(champions) == 3) == pytest.approx(0.64, abs=0.025)


def test_two_players_are_plain_bradley_terry() -> None:
    rng = np.random.default_rng(1)
    results = (rng.random(200) < 0.7).astype(float)
    board = tournament_board(
        ["a", "b"], lambda a, b, p: results[p] if a == 0 else 1 - results[p], n_prompts=200, seed=0, prior=0.0
    )
    plain = BradleyTerry().fit(count(np.zeros(200, int), np.ones(200, int), results, players=["a", "b"]))
    np.testing.assert_allclose(board.ratings.rating, plain.rating, atol=1e-9)


def test_a_newcomer_finds_its_place() -> None:
    board = tournament_board([f"p{i}" for i in range(7)], lambda a, b, _: 1 / (1 + np.exp(b - a)), n_prompts=60, seed=0)
    strength = [0, 1, 2, 3, 4, 5, 6, 3.5]
    grown = insert_player(
        board, "new", lambda a, b, _: 1 / (1 + np.exp(strength[b] - strength[a])), n_prompts=60, seed=1
    )
    assert len(grown.matches) > len(board.matches)
    order = [grown.ratings.players[i] for i in np.argsort(grown.ratings.rating)]
    assert 3 <= order.index("new") <= 5


def test_the_same_seed_gives_the_same_board() -> None:
    one, two = (tournament_board(list("abc"), lambda a, b, _: 0.6, n_prompts=20, seed=4) for _ in range(2))
    assert one.matches == two.matches
    assert anchored_board(3, stronger, anchor=1, n_prompts=2).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(DataError, match="two players"):
        tournament_board(["a"], stronger, n_prompts=1, seed=0)
