"""Independent solvers, the bootstrap, win tables and Plackett–Luce."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.ranking.bootstrap import bootstrap
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import Counts, count
from zermelo.ranking.iterative import minorise_maximise, newman
from zermelo.ranking.plackett_luce import PlackettLuce, ranking_probability
from zermelo.ranking.tables import average_win_rate, borda, cyclic_triples, eigenvector, kemeny, pagerank

WINS = np.array([[0, 7, 8], [3, 0, 6], [2, 4, 0]], dtype=float)
WORTH = [0.597111, 0.245288, 0.157601]


def league(seed: int, size: int = 8, battles: int = 4000, ties: float = 0.1) -> Counts:
    rng = np.random.default_rng(seed)
    skill = np.linspace(1, -1, size)
    first = rng.integers(0, size, battles)
    second = (first + rng.integers(1, size, battles)) % size
    score = (rng.random(battles) < 1 / (1 + np.exp(skill[second] - skill[first]))).astype(float)
    score[rng.random(battles) < ties] = 0.5
    return count(first, second, score, players=[f"p{i}" for i in range(size)])


def test_four_ways_to_the_same_ratings() -> None:
    counts = league(0)
    wins, ties = counts.matrices()
    exact = BradleyTerry().fit(counts).rating
    for solve in (minorise_maximise, newman):
        other = np.log(solve(wins + ties / 2))
        np.testing.assert_allclose(other - other.mean(), exact, atol=1e-6)


def test_the_iterations_start_as_published() -> None:
    np.testing.assert_allclose(minorise_maximise(WINS), WORTH, atol=1e-6)
    np.testing.assert_allclose(newman(WINS), WORTH, atol=1e-6)
    np.testing.assert_allclose(minorise_maximise(WINS, iterations=1), [0.5, 0.3, 0.2], atol=1e-12)
    np.testing.assert_allclose(newman(WINS, iterations=1), [0.571227, 0.266573, 0.162200], atol=1e-6)


def test_the_bootstrap_spreads_like_the_sandwich() -> None:
    counts = league(1)
    fitted = BradleyTerry().fit(counts)
    found = bootstrap(counts, fitted, seed=3, n_resamples=600)
    assert found.n_failed == 0
    np.testing.assert_allclose(found.ratings.std(0), fitted.standard_error(), rtol=0.15)


def test_a_replicate_is_an_exact_refit() -> None:
    counts = league(2, size=4, battles=300)
    fitted = BradleyTerry().fit(counts)
    found = bootstrap(counts, fitted, seed=5, n_resamples=1)
    cells = counts.unordered()
    win = cells.score - cells.tie / 2
    masses = np.concatenate([win, cells.tie, cells.n - win - cells.tie])
    drawn = np.random.default_rng([5, 0]).multinomial(300, masses / masses.sum(), size=1)[0].reshape(3, -1)
    rows = []
    for c, pair in enumerate(zip(cells.first, cells.second, strict=True)):
        for y, times in zip((1.0, 0.5, 0.0), drawn[:, c], strict=True):
            rows += [(*pair, y)] * times
    first, second, score = (np.array(column) for column in zip(*rows, strict=True))
    again = BradleyTerry().fit(count(first, second, score, players=counts.players))
    np.testing.assert_allclose(found.ratings[0], again.rating, atol=1e-7)


def test_the_bootstrap_refuses_weights() -> None:
    counts = count(
        np.array([0, 1]), np.array([1, 0]), np.array([1.0, 1.0]), players=["a", "b"], weight=np.array([2.0, 1])
    )
    with pytest.raises(SettingError, match="unweighted"):
        bootstrap(counts, BradleyTerry().fit(counts), seed=0)


def test_win_tables_give_the_numbers_computed_elsewhere() -> None:
    np.testing.assert_allclose(average_win_rate(WINS), [0.75, 0.45, 0.30])
    np.testing.assert_allclose(eigenvector(WINS), [0.756978, 0.517932, 0.398410], atol=1e-6)
    assert list(np.argsort(-pagerank(WINS))) == [0, 1, 2]
    assert pagerank(WINS).sum() == pytest.approx(1)
    assert list(np.argsort(-borda(WINS))) == [0, 1, 2]


def test_cycles_are_counted() -> None:
    rock = np.array([[0, 5, 1], [1, 0, 5], [5, 1, 0]], dtype=float)
    assert cyclic_triples(rock) == (1, 1)
    assert cyclic_triples(WINS) == (0, 1)


def test_kemenys_order_is_the_best_of_all_orders() -> None:
    rng = np.random.default_rng(0)
    wins = rng.integers(0, 10, (5, 5)).astype(float)

    def cost(order: tuple[int, ...]) -> float:
        return sum(wins[order[j], order[i]] for i in range(5) for j in range(i + 1, 5))

    assert cost(kemeny(wins)) == min(cost(order) for order in itertools.permutations(range(5)))


RANKINGS = [(0, 1, 2)] * 4 + [(0, 2, 1)] * 2 + [(1, 0, 2)] * 2 + [(2, 1, 0)] + [(1, 2, 0)]


def test_plackett_luce_gives_the_ratings_computed_elsewhere() -> None:
    found = PlackettLuce().fit(RANKINGS, players=list("abc"))
    np.testing.assert_allclose(found.rating, [0.540074, 0.144138, -0.684211], atol=1e-6)
    assert found.fit.log_likelihood == pytest.approx(-15.916369, abs=1e-6)
    assert ranking_probability(np.array([0.5, 0, -0.5]), (0, 1, 2)) == pytest.approx(0.315263, abs=1e-6)


def test_rankings_of_two_are_bradley_terry() -> None:
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(int(WINS[i, j]))]
    np.testing.assert_allclose(
        PlackettLuce().fit(pairs, players=list("abc")).rating, np.log(WORTH) - np.log(WORTH).mean(), atol=1e-5
    )


def test_an_item_that_is_always_last_is_named() -> None:
    found = PlackettLuce().fit([(0, 1, 2), (1, 0, 2)], players=list("abc"))
    assert found.rating[2] == -np.inf
    assert any("c" in line for line in found.fit.warnings)
    assert np.isfinite(PlackettLuce(prior=0.1).fit([(0, 1, 2), (1, 0, 2)], players=list("abc")).rating).all()


def test_a_ranking_with_a_repeated_item_is_refused() -> None:
    with pytest.raises(DataError, match="names an item twice"):
        PlackettLuce().fit([(0, 1, 0)], players=list("abc"))
