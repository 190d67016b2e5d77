"""Nearest neighbours against brute force, outliers and order on planted rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.stats.neighbours import cells, nearest_neighbours, order_dependence, outlier_scores


def brute(x: np.ndarray, k: int) -> np.ndarray:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    distance = 1 - unit @ unit.T
    np.fill_diagonal(distance, np.inf)
    return np.sort(distance, axis=1)[:, :k]


@given(seed=st.integers(0, 10_000), n=st.integers(5, 60), k=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_few_rows_get_exactly_the_neighbours_of_brute_force(seed: int, n: int, k: int) -> None:
    x = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)
    found = nearest_neighbours(x, k=k)
    assert np.allclose(found.distance, brute(x, k), atol=1e-5)
    assert (found.index != np.arange(n)[:, None]).all(), "a row is not its own neighbour"


def test_cells_find_nearly_all_neighbours_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(20, 32))[rng.integers(20, size=3_000)] + rng.normal(size=(3_000, 32))).astype(np.float32)
    found = nearest_neighbours(x, k=10, n_cells=55)
    exact = brute(x, 10)
    assert (found.distance <= exact[:, -1:] + 1e-5).mean() > 0.97
    assert len(np.unique(found.cell)) > 20


def test_the_same_seed_gives_the_same_neighbours() -> None:
    x = np.random.default_rng(1).normal(size=(500, 8))
    one, two = (nearest_neighbours(x, k=3, n_cells=10, seed=4) for _ in range(2))
    assert (one.index == two.index).all()


def test_rows_of_zeros_and_equal_rows_are_taken() -> None:
    x = np.zeros((12, 3))
    x[:6] = [1.0, 2.0, 3.0]
    found = nearest_neighbours(x, k=2)
    assert np.allclose(found.distance[:6], 0, atol=1e-6)
    assert np.allclose(found.distance[6:], 1)


def test_rows_without_direction_are_of_one_kind() -> None:
    assert (cells(np.zeros((20, 3)), 4) == 0).all()


def test_a_row_far_from_all_is_the_outlier() -> None:
    rng = np.random.default_rng(2)
    x = np.array([1.0, 0, 0, 0]) + 0.05 * rng.normal(size=(300, 4))
    x[17] = [0, -1, 2, 0]
    score = outlier_scores(nearest_neighbours(x, k=5))
    assert score.argmax() == 17
    assert score[17] > 3
    assert (score > 3).mean() < 0.05


def test_a_sorted_file_shows_and_a_shuffled_one_does_not() -> None:
    rng = np.random.default_rng(3)
    kind = np.repeat(np.arange(10), 60)
    x = np.eye(10)[kind] + 0.1 * rng.normal(size=(600, 10))
    planned = order_dependence(nearest_neighbours(x, k=5))
    assert planned.closeness > 0.95
    assert planned.p <= 0.01
    shuffled = order_dependence(nearest_neighbours(x[rng.permutation(600)], k=5))
    assert abs(shuffled.closeness - 0.5) < 0.06
    assert shuffled.p > 0.01


@pytest.mark.parametrize(("x", "k"), [(np.zeros(4), 1), (np.full((4, 2), np.nan), 1), (np.zeros((4, 2)), 4)])
def test_what_is_no_table_or_asks_for_too_many_is_refused(x: np.ndarray, k: int) -> None:
    with pytest.raises(SettingError):
        nearest_neighbours(x, k=k)
