"""Mixtures of tastes, the min-norm direction, calibration on pairs, two protocols: hand cases and planted truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from zermelo.errors import DataError, SettingError
from zermelo.stats.min_norm import min_norm_weights
from zermelo.stats.pair_calibration import pair_calibration
from zermelo.stats.protocols import protocol_win_rate, rating_ranking_table
from zermelo.stats.taste_mixture import TasteMixture

# ── min-norm ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("gradients", "weights"),
    [
        ([[1, 0], [0, 2]], [0.8, 0.2]),
        ([[1, 0], [3, 0.1]], [1, 0]),
        ([[2, 1], [-1, 1]], [1 / 3, 2 / 3]),
        ([[1, 0], [-1, 0]], [0.5, 0.5]),
        ([[0, 0], [0, 0]], [0.5, 0.5]),
        ([[5, 5]], [1]),
    ],
)
def test_min_norm_weights_by_hand(gradients: list[list[float]], weights: list[float]) -> None:
    assert min_norm_weights(gradients) == pytest.approx(weights, abs=1e-7)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 6), d=st.integers(1, 8), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_every_loss_falls_along_the_min_norm_direction(seed: int, k: int, d: int, scale: float) -> None:
    g = np.random.default_rng(seed).normal(size=(k, d)) * scale
    weights = min_norm_weights(g)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    u = weights @ g
    slack = 1e-6 * (g**2).sum(axis=1).max()
    assert (g @ u >= u @ u - slack).all()  # the condition of Karush, Kuhn and Tucker
    assert np.abs((g @ u - u @ u)[weights > 1e-6]).max() <= slack


def test_two_gradients_have_the_closed_form_and_more_a_solver() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        g = rng.normal(size=(2, 5))
        a, b, c = g[0] @ g[0], g[1] @ g[1], g[0] @ g[1]
        assert min_norm_weights(g)[0] == pytest.approx(np.clip((b - c) / (a + b - 2 * c), 0, 1), abs=1e-7)
    g = rng.normal(size=(4, 6)) + 0.5
    found = minimize(
        lambda x: ((x @ g) ** 2).sum(), np.full(4, 0.25), bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1}, tol=1e-12,
    )  # fmt: skip
    assert min_norm_weights(g) == pytest.approx(found.x, abs=1e-4)
    with pytest.raises(DataError):
        min_norm_weights([[np.nan, 1.0]])


# ── calibration on pairs ────────────────────────────────────────────────────────────────────────────────────────────


def test_calibration_of_six_pairs_by_hand() -> None:
    p, y = np.array([0.95, 0.85, 0.65, 0.55, 0.35, 0.15]), np.array([1, 1, 0, 1, 1, 0])
    r = np.log(p / (1 - p))
    one = pair_calibration(r, 0 * r, y, bins=5, both_orders=False)
    assert (one.ece, one.ace, one.mce) == pytest.approx((0.35, 0.40, 0.65))
    both = pair_calibration(r, 0 * r, y, bins=5)
    assert (both.ece, both.ace, both.mce) == pytest.approx((0.275, 0.306667, 0.65), abs=1e-6)
    assert both.accuracy == pytest.approx(4 / 6) and both.both_orders and not one.both_orders


def test_naming_the_preferred_one_first_or_not_is_the_same_in_both_orders() -> None:
    rng = np.random.default_rng(0)
    gap = rng.normal(size=500)
    y = (rng.random(500) < 1 / (1 + np.exp(-gap))).astype(float)
    plain = pair_calibration(gap, 0 * gap, y)
    turned = pair_calibration(np.where(y == 1, gap, -gap), 0 * gap)
    assert plain.ece == pytest.approx(turned.ece)
    assert plain.ece <= 2 * np.sqrt(10 / 500)
    with pytest.raises(DataError):
        pair_calibration([], [])


# ── two protocols ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_of_two_protocols_by_hand() -> None:
    found = rating_ranking_table([5, 5, 3, 4, 4, np.nan], [3, 3, 5, 4, 4, 1], [1, -1, -1, 0, 1, 1])
    assert found.counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert found.consistency.value == pytest.approx(3 / 5) and found.decisive.value == pytest.approx(2 / 3)
    assert found.turned == 1 and found.hedged == 1
    assert found.rating_ties.value == pytest.approx(0.4) and found.choice_ties.value == pytest.approx(0.2)
    with pytest.raises(DataError):
        rating_ranking_table([np.nan], [1.0], [1.0])


def test_one_utility_and_fine_ratings_are_perfectly_consistent() -> None:
    q = np.random.default_rng(1).normal(size=(2, 300))
    assert rating_ranking_table(q[0], q[1], np.sign(q[0] - q[1])).consistency.value == 1


def test_published_consistency_and_the_win_rate_that_turns(shared_data: Path) -> None:
    import pandas as pd

    folder = shared_data / "sparse_feedback"
    rated = pd.read_parquet(folder / "ratings_dev.parquet").drop_duplicates(["prompt_id", "response"])
    ranked = pd.read_parquet(folder / "rankings_dev.parquet")
    value = rated.set_index(["prompt_id", "response"])["rating"]
    sides = [
        value.reindex(pd.MultiIndex.from_frame(ranked[["prompt_id", name]])).to_numpy(float)
        for name in ("response_a", "response_b")
    ]
    found = rating_ranking_table(*sides, ranked["choice"].map({"(a)": 1, "(b)": -1, "equal": 0}))
    assert found.counts.tolist() == [[8, 7, 3], [3, 19, 4], [8, 6, 11]]
    assert int(np.trace(found.counts)) == 38 and int(found.counts.sum()) == 69
    systems = pd.read_parquet(folder / "policy_ratings.parquet").drop_duplicates(["system", "instruction"])
    table = systems.pivot(index="instruction", columns="system", values="rating").dropna()
    by_rating = protocol_win_rate(table["alpaca7b_best_of_64_rating_rm"] - table["text-davinci-003"])
    choice = pd.read_parquet(folder / "policy_rankings.parquet")["choice"].map({"(b)": 1, "(a)": -1, "equal": 0})
    by_choice = protocol_win_rate(choice)
    assert (by_rating.n, by_choice.n) == (51, 46)
    assert 100 * by_rating.value == pytest.approx(52.94, abs=0.005)
    assert 100 * by_choice.value == pytest.approx(32.61, abs=0.005)


# ── tastes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def votes(sizes: list[int], n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Everybody votes on every item; each group has answers of its own, and errs in 15 %."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    answers = rng.random((len(sizes), n)) < 0.5
    who, item = np.divmod(np.arange(len(group) * n), n)
    return who, answers[group[who], item] ^ (rng.random(len(who)) < 0.15), item


@pytest.mark.parametrize("sizes", [[9], [5, 4], [4, 4, 4]])
def test_the_number_of_groups_and_their_members_are_found(sizes: list[int]) -> None:
    by, yes, item = votes(sizes)
    found = TasteMixture().fit(by, yes, item=item)
    assert found.n_groups == len(sizes)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    for k in range(len(sizes)):
        assert len(set(found.group[truth == k].tolist())) == 1
    assert sorted(np.bincount(found.group).tolist()) == sorted(sizes)
    assert found.belongs.sum(axis=1) == pytest.approx(1)


def test_the_same_seed_gives_the_same_groups() -> None:
    by, yes, item = votes([3, 3], n=80)
    one, other = (TasteMixture().fit(by, yes, item=item, seed=4) for _ in range(2))
    assert (one.belongs == other.belongs).all() and one.held_out == other.held_out


def test_one_group_of_players_is_plain_bradley_terry() -> None:
    rng = np.random.default_rng(2)
    strength = np.array([1.0, 0.0, -1.0])
    one, two = rng.integers(3, size=4000), rng.integers(3, size=4000)
    one, two = one[one != two], two[one != two]
    yes = rng.random(len(one)) < 1 / (1 + np.exp(strength[two] - strength[one]))
    found = TasteMixture(most=1, prior=1e-6).fit(np.arange(len(one)) % 4, yes, players=(one, two))

    def loss(theta: np.ndarray) -> float:
        return float(np.logaddexp(0, np.where(yes, -1, 1) * (theta[one] - theta[two])).sum() + 1e-6 * theta @ theta)

    best = minimize(loss, np.zeros(3), tol=1e-10).x
    assert found.odds[:, 0] == pytest.approx(best[one] - best[two], abs=1e-3)


def test_items_or_players_but_not_both() -> None:
    with pytest.raises(SettingError):
        TasteMixture().fit([0, 1], [True, False])
    with pytest.raises(DataError):
        TasteMixture().fit([0, 0], [True, False], item=[0, 1])


@pytest.mark.parametrize("seed", range(3))
def test_many_annotators_with_few_votes_each_are_one_group(seed: int) -> None:
    # a model of several groups is less sure of everything; that alone must not make it win
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(4000), 5)
    by = np.concatenate([rng.choice(100, size=5, replace=False) for _ in range(4000)])
    yes = (rng.random(4000) < 0.5)[item] ^ (rng.random(len(item)) < 0.15)
    assert TasteMixture().fit(by, yes, item=item, seed=seed).n_groups == 1
