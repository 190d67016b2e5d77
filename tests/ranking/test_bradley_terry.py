"""Bradley–Terry and kin against numbers computed elsewhere, closed forms and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.ranking.bradley_terry import BradleyTerry, Thurstone
from zermelo.ranking.counts import Counts, count

WINS = [[0, 7, 8], [3, 0, 6], [2, 4, 0]]


def league(wins: list[list[int]], ties: int = 0) -> Counts:
    """Counts of a win table, with `ties` ties on every pair."""
    rows = [(i, j, 1.0) for i in range(len(wins)) for j in range(len(wins)) for _ in range(wins[i][j])]
    rows += [(i, j, 0.5) for i in range(len(wins)) for j in range(i + 1, len(wins)) for _ in range(ties)]
    first, second, score = (np.array(column) for column in zip(*rows, strict=True))
    return count(first, second, score, players=[f"p{i}" for i in range(len(wins))])


def test_gives_the_ratings_computed_elsewhere() -> None:
    found = BradleyTerry().fit(league(WINS))
    np.testing.assert_allclose(found.rating, [0.740570, -0.149102, -0.591468], atol=1e-6)
    assert found.fit.log_likelihood == pytest.approx(-17.848669, abs=1e-6)
    elo = {row["name"]: row["rating"] for row in found.rows()}
    np.testing.assert_allclose([elo["p0"], elo["p1"], elo["p2"]], [1128.650, 974.098, 897.252], atol=1e-3)


def test_gives_the_errors_computed_elsewhere() -> None:
    robust = BradleyTerry().fit(league(WINS))
    model = BradleyTerry(errors="model").fit(league(WINS))
    np.testing.assert_allclose(robust.standard_error(), [0.345495, 0.318540, 0.332049], atol=1e-6)
    np.testing.assert_allclose(model.standard_error(), [0.346430, 0.316515, 0.333732], atol=1e-6)
    assert robust.difference("p0", "p1")[1] ** 2 == pytest.approx(0.331412, abs=1e-6)
    assert model.difference("p0", "p1")[1] ** 2 == pytest.approx(0.329013, abs=1e-6)


def test_a_prior_shrinks_to_the_ridge_solution() -> None:
    rating = BradleyTerry(prior=0.1).fit(league(WINS)).rating
    np.testing.assert_allclose(rating, [0.727304, -0.146355, -0.580949], atol=1e-6)


def test_thurstone_gives_the_ratings_computed_elsewhere() -> None:
    np.testing.assert_allclose(Thurstone().fit(league(WINS)).rating, [0.642330, -0.128514, -0.513816], atol=1e-6)


@pytest.mark.parametrize(
    ("ties", "rating", "parameter", "likelihood"),
    [
        ("half", [0.567541, -0.142161, -0.425380], None, None),
        ("rao-kupper", [0.625474, -0.156984, -0.468490], 2.044463, -30.306625),
        ("davidson", [0.852969, -0.213809, -0.639159], 0.982258, -30.266784),
    ],
)
def test_ties_give_the_ratings_computed_elsewhere(ties, rating, parameter, likelihood) -> None:
    found = BradleyTerry(ties=ties).fit(league([[0, 5, 6], [2, 0, 4], [1, 3, 0]], ties=3))
    np.testing.assert_allclose(found.rating, rating, atol=1e-6)
    if parameter is not None:
        assert found.extra["tie"][0] == pytest.approx(parameter, abs=1e-6)
        assert found.fit.log_likelihood == pytest.approx(likelihood, abs=1e-6)


def test_ties_of_two_players_have_closed_forms() -> None:
    two = league([[0, 5], [2, 0]], ties=3)
    davidson, rao = BradleyTerry(ties="davidson").fit(two), BradleyTerry(ties="rao-kupper").fit(two)
    assert davidson.difference("p0", "p1")[0] == pytest.approx(math.log(5 / 2))
    assert davidson.extra["tie"][0] == pytest.approx(0.3 / math.sqrt(0.1))
    assert rao.extra["tie"][0] == pytest.approx(2.0)
    assert rao.difference("p0", "p1")[0] == pytest.approx(math.log(2))


def test_the_position_has_a_closed_form() -> None:
    # as first A wins 8 of 10, as second 5 of 10: difference and advantage are both ln 2
    first = np.array([0] * 10 + [1] * 10)
    score = np.array([1.0] * 8 + [0.0] * 2 + [1.0] * 5 + [0.0] * 5)
    found = BradleyTerry(position=True).fit(count(first, 1 - first, score, players=["a", "b"]))
    assert found.difference("a", "b")[0] == pytest.approx(math.log(2))
    assert found.extra["home"][0] == pytest.approx(math.log(2))


def test_the_position_of_three_players_is_the_one_computed_elsewhere() -> None:
    rows = [(0, 1, 6, 1), (1, 0, 4, 4), (0, 2, 5, 1), (2, 0, 3, 4), (1, 2, 5, 2), (2, 1, 3, 3)]
    battles = [(a, b, y) for a, b, w, l in rows for y in [1.0] * w + [0.0] * l]
    first, second, score = (np.array(column) for column in zip(*battles, strict=True))
    found = BradleyTerry(position=True).fit(count(first, second, score, players=list("abc")))
    np.testing.assert_allclose(found.rating, [0.596122, -0.118923, -0.477199], atol=1e-6)
    assert found.extra["home"][0] == pytest.approx(0.665387, abs=1e-6)
    assert found.fit.log_likelihood == pytest.approx(-24.426451, abs=1e-6)
    swapped = BradleyTerry(position=True).fit(count(second, first, 1 - score, players=list("abc")))
    np.testing.assert_allclose(swapped.rating, found.rating, atol=1e-9)
    assert swapped.extra["home"][0] == pytest.approx(-found.extra["home"][0])


leagues = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0])).filter(
        lambda row: row[0] != row[1]
    ),
    min_size=8,
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(leagues)
def test_expected_wins_equal_observed_wins(rows) -> None:
    first, second, score = (np.array(column) for column in zip(*rows, strict=True))
    counts = count(first, second, score, players=list("abcde"))
    found = BradleyTerry().fit(counts)
    finite = np.isfinite(found.rating)
    inner = counts.subset(np.flatnonzero(finite).tolist())
    rating = found.rating[finite]
    p = 1 / (1 + np.exp(-(rating[inner.first] - rating[inner.second])))
    excess = np.bincount(inner.first, inner.score - inner.n * p, len(rating)) - np.bincount(
        inner.second, inner.score - inner.n * p, len(rating)
    )
    np.testing.assert_allclose(excess, 0, atol=1e-6)


def test_a_player_that_never_lost_is_named_and_the_rest_are_rated() -> None:
    found = BradleyTerry().fit(league([[0, 7, 8], [0, 0, 6], [0, 4, 0]]))
    assert found.rating[0] == np.inf
    assert found.difference("p1", "p2")[0] == pytest.approx(math.log(6 / 4))
    assert any("never lost" in line and "p0" in line for line in found.fit.warnings)
    assert np.isfinite(BradleyTerry(prior=0.5).fit(league([[0, 7, 8], [0, 0, 6], [0, 4, 0]])).rating).all()


def test_islands_are_rated_apart_and_never_compared() -> None:
    wins = [[0, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 5, 0]]
    found = BradleyTerry().fit(league(wins))
    assert found.difference("p0", "p1")[0] == pytest.approx(math.log(3))
    with pytest.raises(SettingError, match="different pieces"):
        found.difference("p0", "p2")


def test_a_player_against_itself_is_left_out_and_counted() -> None:
    counts = count(np.array([0, 0, 1]), np.array([1, 0, 0]), np.array([1.0, 0.5, 1.0]), players=["a", "b"])
    assert counts.battles == 2
    assert any("1 comparisons left out" in line for line in BradleyTerry().fit(counts).fit.warnings)


def test_bad_scores_and_weights_are_refused() -> None:
    one, two = np.array([0]), np.array([1])
    with pytest.raises(DataError, match=r"battle 1: score 1\.5"):
        count(one, two, np.array([1.5]), players=["a", "b"])
    with pytest.raises(DataError, match="weight nan"):
        count(one, two, np.array([1.0]), players=["a", "b"], weight=np.array([np.nan]))
    with pytest.raises(DataError, match="no comparison"):
        count(one, one, np.array([1.0]), players=["a", "b"])


def test_probabilities_are_refused_by_models_of_ties() -> None:
    soft = count(np.array([0, 1]), np.array([1, 0]), np.array([0.7, 0.4]), players=["a", "b"])
    with pytest.raises(SettingError, match="declared ties"):
        BradleyTerry(ties="davidson").fit(soft)
    assert np.isfinite(BradleyTerry().fit(soft).rating).all()


def test_ranges_of_equal_players_hardly_ever_exclude_a_rank() -> None:
    wrong = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        a = rng.integers(0, 10, 500)
        b = (a + rng.integers(1, 10, 500)) % 10
        found = BradleyTerry().fit(count(a, b, (rng.random(500) < 0.5).astype(float), players=list("abcdefghij")))
        _, best, worst = found.ranks()
        wrong += int(((best > 1) | (worst < 10)).sum())
    assert 0 < wrong / 3000 <= 0.05  # the bound over nine opponents is cautious, but no empty promise
