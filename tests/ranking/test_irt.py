"""Item response theory: worked numbers, identities, recovery."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.ranking.irt import IRT, ability, information, marginal_easiness


def world(takers: int, items: int, seed: int = 0, slopes: bool = True):
    rng = np.random.default_rng(seed)
    theta, z = rng.normal(size=takers), rng.normal(0, 1.5, items)
    a = np.exp(rng.normal(0, 0.3, items)) if slopes else np.ones(items)
    p = 1 / (1 + np.exp(-(theta[:, None] * a + z)))
    return (rng.random((takers, items)) < p).astype(float), theta, a, z


def test_abilities_are_those_worked_out_by_hand() -> None:
    theta, _ = ability([1] * 7 + [0] * 3, np.zeros(10))
    assert theta == pytest.approx(math.log(7 / 3))
    theta, error = ability([0, 1, 1, 1], [-1, 0, 1, 2])
    assert theta == pytest.approx(0.894000, abs=1e-6)
    assert error == pytest.approx(1.271333, abs=1e-6)


def test_an_item_tells_most_where_its_difficulty_is_the_ability() -> None:
    got = information(0.4, -np.array([-1.0, 0.0, 0.5, 2.0]))
    np.testing.assert_allclose(got, [0.158685, 0.240261, 0.249376, 0.139764], atol=1e-6)
    assert information(0.4, np.array([-0.4]))[0] == pytest.approx(0.25)


def test_the_marginal_easiness_is_not_the_logit() -> None:
    assert marginal_easiness(0.7) == pytest.approx(1.018401, abs=1e-5)


def test_an_all_right_pattern_stays_finite() -> None:
    assert ability([1, 1, 1], np.zeros(3))[0] == 6.0
    assert ability([1, 1, 1], np.zeros(3), prior_sd=2.0)[0] < 4


@pytest.mark.parametrize("method", ["joint", "marginal"])
def test_abilities_slopes_and_difficulties_are_recovered(method) -> None:
    y, theta, a, z = world(400, 120)
    bank = IRT(method=method).fit(y)
    assert np.corrcoef(bank.ability, theta)[0, 1] > 0.95
    assert np.corrcoef(bank.easiness, z)[0, 1] > 0.97
    assert np.corrcoef(np.log(bank.slope), np.log(a))[0, 1] > 0.6


def test_errors_cover_the_truth() -> None:
    y, _, _, z = world(1500, 60, slopes=False)
    bank = IRT(model="rasch", method="marginal").fit(y)
    inside = np.abs(bank.easiness - z - (bank.easiness - z).mean()) < 1.96 * bank.easiness_error
    assert 0.85 <= inside.mean() <= 1.0


def test_a_shift_between_abilities_and_items_changes_no_probability() -> None:
    y, *_ = world(100, 40)
    bank = IRT().fit(y)
    moved = 1 / (1 + np.exp(-((bank.ability[:, None] + 1) * bank.slope + bank.easiness - bank.slope)))
    np.testing.assert_allclose(bank.probability(), moved, atol=1e-12)


def test_masked_cells_do_not_count() -> None:
    y, theta, *_ = world(200, 80)
    rng = np.random.default_rng(1)
    y[rng.random(y.shape) < 0.3] = np.nan
    assert np.corrcoef(IRT().fit(y).ability, theta)[0, 1] > 0.9


def test_models_on_different_items_are_compared_fairly() -> None:
    rng = np.random.default_rng(3)
    theta, z = np.linspace(-1.5, 1.5, 40), np.concatenate([np.full(50, 2.0), np.full(50, -2.0)])
    y = (rng.random((40, 100)) < 1 / (1 + np.exp(-(theta[:, None] + z)))).astype(float)
    for t in range(40):  # half see mostly easy items, half mostly hard ones; ten items of each link them
        y[t, 60:] = np.nan if t % 2 else y[t, 60:]
        y[t, :40] = y[t, :40] if t % 2 else np.nan
    bank = IRT(model="rasch").fit(y)
    mean = np.nanmean(y, axis=1)
    assert np.corrcoef(bank.ability, theta)[0, 1] > np.corrcoef(mean, theta)[0, 1] + 0.2


def test_what_is_neither_right_nor_wrong_is_refused() -> None:
    with pytest.raises(DataError, match="1 \\(right\\)"):
        IRT().fit(np.array([[0.5, 1.0]]))
    with pytest.raises(DataError, match="no answer at all"):
        IRT().fit(np.array([[np.nan, np.nan], [1.0, 0.0]]))
