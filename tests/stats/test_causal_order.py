"""TOPO: scores of all orders by hand, brute force, acyclicity against other forms, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.stats.causal_order import Topo, acyclicity, graph_errors

CHAIN = np.array([[1.0, 1, 1], [1, 2, 2], [1, 2, 3]])  # covariance of 0 → 1 → 2, weights 1, unit noise
STILL = Topo(small=1, large=1, n_large=0)


def random_graph(rng: np.random.Generator, size: int, edges: int) -> np.ndarray:
    order = rng.permutation(size)
    pairs = list(itertools.combinations(range(size), 2))
    weights = np.zeros((size, size))
    for c in rng.choice(len(pairs), edges, replace=False):
        a, b = pairs[c]
        weights[order[a], order[b]] = rng.uniform(0.5, 2) * rng.choice([-1, 1])
    return weights


def sample(rng: np.random.Generator, weights: np.ndarray, n: int) -> np.ndarray:
    return rng.standard_normal((n, len(weights))) @ np.linalg.inv(np.eye(len(weights)) - weights)


def score_of(s: np.ndarray, order: tuple[int, ...]) -> float:
    """½ Σ of residual variances, by ratios of determinants: nothing of the code under test."""
    total, before = 0.0, 1.0
    for k in range(len(order)):
        now = float(np.linalg.det(s[np.ix_(order[: k + 1], order[: k + 1])]))
        total, before = total + now / before, now
    return total / 2


@pytest.mark.parametrize(
    ("order", "score"),
    [
        ((0, 1, 2), 1.5),
        ((0, 2, 1), 1.75),
        ((1, 0, 2), 1.75),
        ((1, 2, 0), 1.75),
        ((2, 0, 1), 25 / 12),
        ((2, 1, 0), 25 / 12),
    ],
)
def test_the_score_of_every_order_of_the_chain_is_that_computed_by_hand(order, score) -> None:
    assert Topo().fit_covariance(CHAIN, start=order).history[0] == pytest.approx(score)
    assert score_of(CHAIN, order) == pytest.approx(score)


def test_the_chain_is_found_in_one_swap_from_the_reverse_order() -> None:
    found = Topo(small=1, threshold=0).fit_covariance(CHAIN, start=(2, 1, 0))
    assert found.order == (0, 1, 2)
    assert found.history == pytest.approx((25 / 12, 1.5))
    np.testing.assert_allclose(found.weights, [[0, 1, 0], [0, 0, 1], [0, 0, 0]], atol=1e-12)


def test_the_gradient_at_the_reverse_order_ranks_the_candidates_as_by_hand() -> None:
    weights = np.zeros((3, 3))
    weights[1, 0], weights[2, 1] = 0.5, 2 / 3
    h, gradient = acyclicity(weights)
    assert h == pytest.approx(0, abs=1e-12)
    assert [gradient[0, 1], gradient[0, 2], gradient[1, 2]] == pytest.approx([0.5, 1 / 3, 2 / 3])


@pytest.mark.parametrize("kind", ["logdet", "expm", "poly"])
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_gradient_of_acyclicity_is_that_of_finite_differences(kind, seed) -> None:
    rng = np.random.default_rng(seed)
    a = rng.uniform(0.01, 0.2, (4, 4))
    gradient = acyclicity(a, kind=kind)[1]
    for i, j in itertools.product(range(4), range(4)):
        step = np.zeros((4, 4))
        step[i, j] = 1e-6
        slope = (acyclicity(a + step, kind=kind)[0] - acyclicity(a - step, kind=kind)[0]) / 2e-6
        assert gradient[i, j] == pytest.approx(slope, rel=1e-5, abs=1e-7)  # central differences


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_result_has_no_cycle_and_its_score_never_rose(seed) -> None:
    rng = np.random.default_rng(seed)
    x = sample(rng, random_graph(rng, 6, 8), 200)
    found = Topo(threshold=0).fit(x, start=tuple(rng.permutation(6).tolist()))
    place = np.argsort(found.order)
    assert all(place[i] < place[j] for i, j in np.argwhere(found.weights != 0))
    assert not np.linalg.matrix_power(found.weights != 0, 6).any()
    assert all(b < a for a, b in itertools.pairwise(found.history))
    centred = x - x.mean(axis=0)
    residual = centred - centred @ found.weights
    assert found.score == pytest.approx((residual**2).sum() / (2 * len(x)))


def test_most_random_starts_reach_the_best_order_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    weights = random_graph(rng, 5, 5)
    x = sample(rng, weights, 1000)
    x = x - x.mean(axis=0)
    s = x.T @ x / len(x)
    best = min(score_of(s, order) for order in itertools.permutations(range(5)))
    reached = [
        Topo(small=5, large=10).fit_covariance(s, start=rng.permutation(5).tolist()).score <= best + 1e-9
        for _ in range(50)
    ]
    assert np.mean(reached) >= 0.8


def test_equal_noise_gives_half_the_number_of_variables_and_the_true_graph() -> None:
    weights = random_graph(np.random.default_rng(3), 6, 9)
    inverse = np.linalg.inv(np.eye(6) - weights)
    found = Topo().fit_covariance(inverse.T @ inverse, start=(5, 4, 3, 2, 1, 0))
    assert found.score == pytest.approx(3.0)
    np.testing.assert_allclose(found.weights, weights, atol=1e-9)
    assert graph_errors(weights, found.weights) == {"shd": 0.0, "tpr": 1.0, "fdr": 0.0}


def test_errors_of_a_graph_are_those_counted_by_hand() -> None:
    true, found = np.zeros((4, 4)), np.zeros((4, 4))
    true[0, 1] = true[1, 2] = true[2, 3] = 1
    found[0, 1] = found[2, 1] = found[0, 3] = 1  # one right, one turned round, one extra, one missing
    assert graph_errors(true, found) == {"shd": 3.0, "tpr": pytest.approx(1 / 3), "fdr": pytest.approx(2 / 3)}


def test_frequencies_of_edges_tell_strong_from_chance() -> None:
    rng = np.random.default_rng(5)
    length = rng.standard_normal(400)
    richness = 0.9 * length + rng.standard_normal(400)
    liked = 0.8 * richness + rng.standard_normal(400)
    found = Topo(resamples=30).fit(np.stack([liked, length, richness], axis=1), names=("liked", "length", "richness"))
    assert [edge[:2] for edge in found.edges(at_least=0.9)] == [("length", "richness"), ("richness", "liked")]
    assert found.to_json()["order"] == ["length", "richness", "liked"]
    assert found.table()[0]["frequency"] > 0.9


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="N ≥ D"):
        Topo().fit(np.ones((3, 3)))
    with pytest.raises(DataError, match="vary"):
        Topo().fit(np.ones((30, 3)))
    with pytest.raises(DataError, match="permutation"):
        STILL.fit_covariance(CHAIN, start=(0, 0, 1))
    with pytest.raises(DataError, match="spectral radius"):
        acyclicity(np.ones((2, 2)))
    with pytest.raises(SettingError, match="kind"):
        Topo(kind="cube")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="small"):
        Topo(small=0)
