"""Style control and clustered errors."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import count
from zermelo.ranking.covariates import ControlledBradleyTerry, relative_difference, standardise

SKILL = np.array([0.6, 0.2, -0.2, -0.6])
PLAYERS = list("abcd")


def world(n: int = 4000, gamma: float = 0.8):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 4, n)
    second = (first + rng.integers(1, 4, n)) % 4
    z = rng.normal(size=n) + 0.7 * (SKILL[first] - SKILL[second])
    p = 1 / (1 + np.exp(-(SKILL[first] - SKILL[second] + gamma * z)))
    return first, second, (rng.random(n) < p).astype(float), z


def test_without_covariates_it_is_bradley_terry_to_the_last_digit() -> None:
    first, second, score, _ = world()
    controlled = ControlledBradleyTerry().fit(first, second, score, players=PLAYERS)
    plain = BradleyTerry().fit(count(first, second, score, players=PLAYERS))
    np.testing.assert_allclose(controlled.rating, plain.rating, atol=1e-8)
    np.testing.assert_allclose(controlled.covariance, plain.covariance, atol=1e-8)


def test_control_recovers_ratings_that_style_inflates() -> None:
    first, second, score, z = world(20_000)
    plain = ControlledBradleyTerry().fit(first, second, score, players=PLAYERS)
    found = ControlledBradleyTerry().fit(first, second, score, players=PLAYERS, covariates=z[:, None], names=["style"])
    assert np.ptp(plain.rating) > 1.3 * np.ptp(SKILL)
    np.testing.assert_allclose(found.rating, SKILL, atol=3.5 * found.standard_error().max())
    coefficient, error = found.extra["style"]
    assert abs(coefficient - 0.8) < 4 * error


def test_records_twice_in_one_cluster_count_once() -> None:
    first, second, score, z = world(1500)
    twice = [np.concatenate([x, x]) for x in (first, second, score, z)]
    cluster = np.tile(np.arange(1500), 2)
    once = ControlledBradleyTerry().fit(first, second, score, players=PLAYERS, covariates=z[:, None], names=["z"])
    both = ControlledBradleyTerry().fit(
        *twice[:3], players=PLAYERS, covariates=twice[3][:, None], names=["z"], cluster=cluster
    )
    np.testing.assert_allclose(both.rating, once.rating, atol=1e-8)
    np.testing.assert_allclose(both.standard_error(), once.standard_error(), rtol=1e-6)


def test_relative_differences_are_zero_where_both_are() -> None:
    np.testing.assert_allclose(relative_difference(np.array([3.0, 0.0]), np.array([1.0, 0.0])), [0.5, 0.0])
    np.testing.assert_allclose(standardise(np.array([[1.0, 0.0], [-1.0, 0.0]])), [[1, 0], [-1, 0]])


def test_a_covariate_that_is_no_number_is_named() -> None:
    with pytest.raises(DataError, match="battle 2: length: nan"):
        ControlledBradleyTerry().fit(
            np.array([0, 1]), np.array([1, 0]), np.array([1.0, 1.0]), players=["a", "b"],
            covariates=np.array([[1.0], [np.nan]]), names=["length"],
        )  # fmt: skip
