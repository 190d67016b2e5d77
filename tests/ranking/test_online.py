"""Elo, Glicko and TrueSkill against their published worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.ranking.online import Elo, Glicko, TrueSkill, TrueSkillRating

GAMES = (np.array([0, 1, 2, 1]), np.array([1, 2, 0, 0]), np.array([1.0, 0.5, 1.0, 1.0]))


def test_elo_gives_the_ratings_computed_by_hand() -> None:
    steps = [
        [1016, 984, 1000],
        [1016, 984.736307, 999.263693],
        [999.229860, 984.736307, 1016.033833],
        [982.562794, 1001.403373, 1016.033833],
    ]
    for n, expected in enumerate(steps, 1):
        rating = Elo(k=32).fit(*(column[:n] for column in GAMES), size=3)
        np.testing.assert_allclose(rating, expected, atol=1e-6)
        assert rating.sum() == pytest.approx(3000)


def test_elo_over_shuffles_conserves_the_sum_and_shows_the_share_of_the_order() -> None:
    spread = Elo(k=32).shuffled(*GAMES, size=3, seed=0, n_permutations=50)
    np.testing.assert_allclose(spread.ratings.sum(1), 3000)
    assert (spread.low < spread.high).any()
    np.testing.assert_array_equal(spread.ratings, Elo(k=32).shuffled(*GAMES, size=3, seed=0, n_permutations=50).ratings)


def test_glicko_gives_glickmans_example() -> None:
    rating, deviation = Glicko().update(1500, 200, [(1400, 30, 1), (1550, 100, 0), (1700, 300, 0)])
    assert rating == pytest.approx(1464.106, abs=1e-3)
    assert deviation == pytest.approx(151.399, abs=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "drawn", "expected"),
    [
        (TrueSkillRating(), TrueSkillRating(), False, (29.395832, 7.171476, 20.604168, 7.171476)),
        (TrueSkillRating(), TrueSkillRating(), True, (25, 6.457516, 25, 6.457516)),
        (TrueSkillRating(30, 5), TrueSkillRating(20, 5), False, (30.775374, 4.720903, 19.224626, 4.720903)),
    ],
)
def test_trueskill_gives_the_skills_computed_elsewhere(a, b, drawn, expected) -> None:
    won, lost = TrueSkill().update(a, b, drawn=drawn)
    np.testing.assert_allclose([won.mean, won.deviation, lost.mean, lost.deviation], expected, atol=1e-5)
