"""Ranking with uncertain judges: closed forms, weighted draws from the prior, the counterexample of three levels."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.ranking.simplex import JudgeSimplex, identifiable_interval, sensitivity
from zermelo.ranking.simplex_sampler import monotone

A, B = np.array([0.30, 0.40, 0.30]), np.array([0.34, 0.30, 0.36])


def scores_of(counts: np.ndarray) -> np.ndarray:
    """Scores [I, K] of one judge from counts [K, M]."""
    return np.stack([np.repeat(np.arange(1, counts.shape[1] + 1), row) for row in counts], axis=1).astype(float)


def by_importance(
    scores: np.ndarray, quality: float, concentration: float, n: int = 400_000
) -> tuple[np.ndarray, float]:
    """Posterior means of v and P(v_0 > v_1) from weighted draws of the prior: shares no code with the sampler."""
    rng = np.random.default_rng(0)
    levels = 2
    size, judges = scores.shape[1], scores.shape[2]
    share = rng.dirichlet(np.ones(levels), (n, size))
    likelihood = np.ones(n)
    theta = []
    for _ in range(judges):
        low, high = rng.beta(1, 1 + quality, n), rng.beta(1 + quality, 1, n)  # P(score 2 | level 1), P(score 2 | 2)
        likelihood *= high >= low
        theta.append((low, high))
    for k in range(size):
        own = [
            (low, high)
            if np.isinf(concentration)
            else tuple(rng.beta(concentration * p, concentration * (1 - p)) for p in (low, high))
            for low, high in theta
        ]
        for item in scores[:, k]:
            parts = []
            for level in range(2):
                each = [own[j][level] if s == 2 else 1 - own[j][level] for j, s in enumerate(item) if s == s]
                parts.append(share[:, k, level] * np.prod(each, axis=0))
            likelihood = likelihood * (parts[0] + parts[1])
    v = 1 + share[:, :, 1]
    weight = likelihood / likelihood.sum()
    return weight @ v, float(weight @ (v[:, 0] > v[:, 1]))


@pytest.mark.parametrize(("judges", "concentration"), [(1, np.inf), (2, np.inf), (1, 15.0)])
def test_the_posterior_is_that_of_weighted_draws_from_the_prior(judges: int, concentration: float) -> None:
    rng = np.random.default_rng(1)
    scores = 1 + (rng.random((8, 2, judges)) < [[[0.75], [0.35]]]).astype(float)
    scores[0, 1, 0] = np.nan
    expected, better = by_importance(scores, 3.0, concentration)
    model = JudgeSimplex(levels=2, quality=3.0, concentration=concentration, draws=6000)
    found = model.fit(scores, candidates=["a", "b"])
    np.testing.assert_allclose(found.score, expected, atol=0.012)  # both by simulation: errors of ≈ 0.003
    assert found.probability[0, 1] == pytest.approx(better, abs=0.012)


def test_a_judge_taken_at_its_word_gives_the_dirichlet_posterior() -> None:
    counts = np.array([[30, 50, 20], [10, 40, 50]])
    found = JudgeSimplex(levels=3, quality=1e7).fit(scores_of(counts), candidates=["a", "b"])
    np.testing.assert_allclose(found.score, (1 + counts) @ [1, 2, 3] / 103, atol=0.01)
    np.testing.assert_allclose(found.naive, counts @ [1, 2, 3] / 100)


def test_two_levels_identify_the_order_and_the_known_inversion() -> None:
    # Rogan and Gladen: π = (γ − θ_0)/(θ_1 − θ_0) with θ_0 = 0.2, θ_1 = 0.75
    theta = np.array([[0.8, 0.2], [0.25, 0.75]])
    for seen, level in ((0.42, 0.4), (0.475, 0.5)):
        assert (np.array([1 - seen, seen]) @ np.linalg.inv(theta))[1] == pytest.approx(level)
    gamma = np.array([[0.58, 0.42], [0.525, 0.475], [0.3, 0.7]])
    low, high = identifiable_interval(gamma, 1, 0)
    assert (low, high) == pytest.approx((0.055, 0.055 / 0.28))


def test_three_levels_leave_the_order_open_whatever_the_data() -> None:
    theta = np.array([[0.54, 0.32, 0.14], [0.36, 0.50, 0.14], [0.05, 0.20, 0.75]])
    assert bool(monotone(theta))
    means = np.stack([A, B]) @ np.linalg.inv(theta) @ [1, 2, 3]
    np.testing.assert_allclose(means, [2.143898, 1.850638], atol=1e-6)
    low, high = identifiable_interval(np.stack([A, B]), 0, 1)
    assert low < A @ [1, 2, 3] - B @ [1, 2, 3] < 0 < 2.143898 - 1.850638 < high


def test_the_interval_of_three_levels_holds_what_many_random_judges_give() -> None:
    rng = np.random.default_rng(0)
    gamma = np.array([[0.5, 0.3, 0.2], [0.3, 0.4, 0.3], [0.2, 0.3, 0.5]])
    low, high = identifiable_interval(gamma, 2, 0)
    judges = 0.7 * np.eye(3) + 0.3 * rng.dirichlet(np.ones(3), (20_000, 3))
    judges = judges[monotone(judges)]
    share = gamma @ np.linalg.inv(judges)
    gaps = ((share[:, 2] - share[:, 0]) @ np.arange(3))[(share >= 0).all(axis=(1, 2))]
    assert len(gaps) > 100 and low - 1e-9 <= gaps.min() and gaps.max() <= high + 1e-9
    assert low > 0  # γ of one candidate is stochastically above that of the other under every one of these judges


def test_monotone_is_the_stochastic_order() -> None:
    assert bool(monotone(np.array([[0.6, 0.4], [0.4, 0.6]])))
    assert not bool(monotone(np.array([[0.4, 0.6], [0.6, 0.4]])))
    assert not bool(monotone(np.array([[0.2, 0.8, 0.0], [0.2, 0.2, 0.6], [0.2, 0.3, 0.5]])))


def test_belief_in_the_judge_turns_an_order_that_three_levels_leave_open() -> None:
    counts = np.array([A, B]) * 10_000
    model = JudgeSimplex(levels=3, draws=1500)
    found = sensitivity(
        scores_of(counts.round().astype(int)), candidates=["a", "b"], model=model, concentrations=(np.inf,),
        qualities=(0.0, 1e6),
    )  # fmt: skip
    (row,) = found.table()
    assert row["low"] < 0.1 and row["high"] > 0.25 and not row["decided"]
    clear = sensitivity(
        scores_of(np.array([[80, 20], [20, 80]])), candidates=["a", "b"], model=JudgeSimplex(draws=500)
    ).table()[0]
    assert clear["decided"] and not clear["turns"]


def test_one_judge_of_three_levels_is_warned_of_and_three_judges_are_not() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, (200, 3))
    heard = np.where(rng.random((200, 3, 3)) < 0.7, level[..., None], rng.integers(0, 3, (200, 3, 3))) + 1.0
    model = JudgeSimplex(levels=3, draws=400, burn=200)
    one = model.fit(heard[..., 0], candidates=list("abc"))
    assert any("rests on the prior" in line for line in one.warnings)
    three = model.fit(heard, candidates=list("abc"))
    assert three.warnings == ()
    np.testing.assert_allclose(three.score, 1 + level.mean(axis=0), atol=0.2)


def test_the_result_says_itself() -> None:
    found = JudgeSimplex(draws=300).fit(scores_of(np.array([[80, 20], [20, 80]])), candidates=["<b>x", "y"])
    assert found.table()[0]["name"] == "y" and found.table()[0]["rank_high"] == 1
    assert found.to_json()["schema"] == "zermelo.simplex/1"
    assert "<b>x" not in found.to_html() and "&lt;b&gt;x" in found.to_html()
    np.testing.assert_allclose(found.rank_probability.sum(axis=1), 1)
    np.testing.assert_allclose(found.probability + found.probability.T + np.eye(2), 1)


def test_bad_scores_and_settings_are_refused() -> None:
    with pytest.raises(DataError, match="expected a level 1 to 2"):
        JudgeSimplex().fit([[1, 3]], candidates=["a", "b"])
    with pytest.raises(DataError, match="'b' has no score"):
        JudgeSimplex().fit([[1, np.nan]], candidates=["a", "b"])
    with pytest.raises(SettingError, match="scores must be"):
        JudgeSimplex().fit([[1, 2]], candidates=["a"])
    with pytest.raises(SettingError):
        JudgeSimplex(levels=1)
    with pytest.raises(SettingError):
        JudgeSimplex(quality=-1)
