"""Elo, Glicko and TrueSkill against their published worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.ranking.glicko2 import Glicko2, Glicko2Ratings
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


def test_glicko2_gives_glickmans_example() -> None:
    before = Glicko2Ratings(
        np.array([1500.0, 1400.0, 1550.0, 1700.0]), np.array([200.0, 30.0, 100.0, 300.0]), np.full(4, 0.06)
    )
    games = (np.array([0, 0, 0]), np.array([1, 2, 3]), np.array([1.0, 0.0, 0.0]))
    found = Glicko2(tau=0.5).period(before, *games)
    assert found.rating[0] == pytest.approx(1464.06, abs=0.01)
    assert found.deviation[0] == pytest.approx(151.52, abs=0.01)
    assert found.volatility[0] == pytest.approx(0.05999, abs=1e-5)


def test_the_volatility_is_the_root_that_bisection_finds() -> None:
    rng = np.random.default_rng(0)
    sigma, phi, v = rng.uniform(0.02, 0.2, 50), rng.uniform(0.2, 2, 50), rng.uniform(0.1, 5, 50)
    delta = rng.normal(0, 3, 50)
    found = Glicko2(tau=0.8, tolerance=1e-12)._volatility(sigma, phi, v, delta)
    for k in range(50):

        def f(x: float, k: int = k) -> float:
            e = np.exp(x)
            top = e * (delta[k] ** 2 - phi[k] ** 2 - v[k] - e) / (2 * (phi[k] ** 2 + v[k] + e) ** 2)
            return float(top - (x - np.log(sigma[k] ** 2)) / 0.8**2)

        low, high = -40.0, 20.0
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if f(middle) > 0 else (low, middle)
        assert found[k] == pytest.approx(np.exp(low / 2), rel=1e-6)


def test_glicko2_without_games_only_grows_less_certain_and_surprises_raise_the_volatility() -> None:
    system = Glicko2()
    calm = system.fit(np.array([0]), np.array([1]), np.array([1.0]), size=3, period=np.array([3]))
    assert calm.rating[2] == 1500 and calm.deviation[2] > 350 and calm.volatility[2] == 0.06
    sure = Glicko2Ratings(np.array([2000.0, 1200.0]), np.array([40.0, 40.0]), np.full(2, 0.06))
    many = (np.zeros(20, dtype=np.int64), np.ones(20, dtype=np.int64))
    upset = system.period(sure, *many, np.zeros(20))
    usual = system.period(sure, *many, np.ones(20))
    assert upset.volatility[0] > 0.06 > usual.volatility[0]
    with pytest.raises(SettingError):
        Glicko2(tau=0)
    with pytest.raises(SettingError, match="as many"):
        system.fit(*many, np.zeros(20), size=2, period=np.array([1]))
