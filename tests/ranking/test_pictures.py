"""Pictures of a board: the numbers in them, names that are text, and pages that hold all three."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.ranking.board import Board
from zermelo.ranking.bootstrap import bootstrap
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import Counts, count
from zermelo.ranking.goodness import held_out, held_out_counts
from zermelo.ranking.pictures import rank_draws, rank_shares, win_matrix

ODD = ("<script>alert(1)</script>", "a & b", '"quoted"', "plain")


def league(n: int = 800, seed: int = 0, players: tuple[str, ...] = ODD) -> Counts:
    rng = np.random.default_rng(seed)
    size = len(players)
    skill = np.linspace(1, -1, size)
    a = rng.integers(0, size, n)
    b = (a + rng.integers(1, size, n)) % size
    score = (rng.random(n) < 1 / (1 + np.exp(skill[b] - skill[a]))).astype(float)
    score[rng.random(n) < 0.1] = 0.5
    return count(a, b, score, players=players)


def test_the_matrix_shows_the_win_rates_and_leaves_pairs_that_never_met_empty() -> None:
    counts = count(
        np.array([0, 0, 0, 0, 1]), np.array([1, 1, 1, 1, 2]), np.array([1, 1, 1, 0.5, 0]), players=("x", "y", "z")
    )
    picture = counts.plot()
    assert "x against y 87.5 % of 4" in picture.description.replace("\u00a0", " ").replace("\u202f", " ") or (
        "x against y 87.5" in picture.description
    )
    assert "x against z" not in picture.description
    shown = re.findall(r'class="value mid"[^>]*>(\d+)<', picture.body)
    assert sorted(shown) == ["0", "100", "12", "88"]  # ½ is rounded to even


def test_shares_of_ranks_are_those_of_counting() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal([1, 0.5, 0], 1, (500, 3))
    found = rank_shares(draws)
    for player, rank in itertools.product(range(3), range(3)):
        wanted = np.mean([sorted(row, reverse=True).index(row[player]) == rank for row in draws])
        assert found[player, rank] == pytest.approx(wanted)
    np.testing.assert_allclose(found.sum(axis=0), 1)


def test_drawn_ratings_have_the_covariance_of_the_fit() -> None:
    fitted = BradleyTerry().fit(league())
    names, draws = rank_draws(fitted, n=40_000)
    assert names == fitted.players
    np.testing.assert_allclose(np.cov(draws, rowvar=False), fitted.covariance, atol=4e-4)


def test_the_bootstrap_and_the_ratings_show_nearly_the_same_ranks() -> None:
    counts = league(200)
    fitted = BradleyTerry().fit(counts)
    again = bootstrap(counts, fitted, seed=0, n_resamples=800)
    np.testing.assert_allclose(rank_shares(again.ratings), rank_shares(rank_draws(fitted)[1]), atol=0.08)
    assert again.players == counts.players
    assert "replicates" in again.plot().body and "replicates" in fitted.plot(kind="ranks").body


def test_held_out_counts_agree_with_held_out_battles() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 6, 6000)
    b = (a + rng.integers(1, 6, 6000)) % 6
    skill = np.linspace(1, -1, 6)
    score = (rng.random(6000) < 1 / (1 + np.exp(skill[b] - skill[a]))).astype(float)
    one = held_out(a, b, score, size=6)
    two = held_out_counts(count(a, b, score, players=list("abcdef")))
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-3)
    assert two.brier == pytest.approx(one.brier, abs=1e-3) and two.battles == one.battles
    assert sum(n for _, _, n in two.bins) == 6000
    curve = two.curve()
    assert ((curve.low <= curve.stated) & (curve.stated <= curve.high)).mean() >= 0.7
    assert "come true" in two.plot().title and len(two.table()) == len(two.bins)
    with pytest.raises(SettingError):
        held_out_counts(count(np.array([0]), np.array([1]), np.array([0.7]), players=["a", "b"]))


def test_a_page_holds_all_pictures_and_names_are_text() -> None:
    counts = league()
    page = Board(BradleyTerry().fit(counts), counts=counts).html()
    for title in ("How firm the ranks are", "Who beats whom", "Do predictions come true?"):
        assert title in page
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    for picture in (counts.plot(), BradleyTerry().fit(counts).plot(kind="ranks")):
        assert "<script>alert" not in picture.alone()


def test_only_the_first_are_shown_of_many() -> None:
    names = tuple(f"p{i}" for i in range(45))
    counts = league(3000, players=names)
    assert "the first 30 of 45" in win_matrix(counts).body and "p44" not in win_matrix(counts).body
    assert "the first 30 of 45" in BradleyTerry().fit(counts).plot(kind="ranks").body


def test_islands_and_players_without_a_rating_are_no_hindrance() -> None:
    first, second = np.array([0, 1, 2, 3, 4, 4]), np.array([1, 0, 3, 2, 0, 1])
    counts = count(first, second, np.ones(6), players=["a", "b", "c", "d", "god"])
    page = Board(BradleyTerry().fit(counts), counts=counts).html()
    assert "Who beats whom" in page and "Do predictions" not in page
