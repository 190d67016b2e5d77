"""P(True), P(IK), option probabilities: closed forms, other libraries, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.self_knowledge import PIKHead, SelfKnowledge, option_probabilities, p_true
from zermelo.stats.roc import auroc

FEW = SelfKnowledge(resamples=50)


def test_options_share_their_own_mass_and_the_rest_is_leaked() -> None:
    shares, leaked = option_probabilities(np.log([[0.3, 0.1], [0.5, 0.5]]))
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0.5, 0.5]])
    np.testing.assert_allclose(leaked, [0.6, 0.0], atol=1e-12)
    hot, _ = option_probabilities(np.log([[0.8, 0.2]]), temperature=2.0)
    assert hot[0, 0] == pytest.approx(2 / 3)  # √0.8 : √0.2 = 2 : 1
    none, gone = option_probabilities([[-np.inf, -np.inf]])
    np.testing.assert_array_equal(none, [[0.5, 0.5]])
    assert gone[0] == 1


def test_p_true_is_the_logistic_of_the_difference() -> None:
    np.testing.assert_allclose(p_true(np.log([0.3, 1e-9]), np.log([0.1, 1e-3])), [0.75, 1e-9 / (1e-9 + 1e-3)])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=2, max_size=40))
def test_the_area_is_the_share_of_pairs_in_order(rows) -> None:
    score, label = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    up, down = score[label == 1], score[label == 0]
    found = auroc(score, label, resamples=0).value
    if not len(up) or not len(down):
        assert np.isnan(found)
        return
    gaps = up[:, None] - down[None, :]
    assert found == pytest.approx(((gaps > 0) + (gaps == 0) / 2).mean())


def test_the_area_equals_scikit_learns_on_weighted_resamples_too() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    score, label = np.round(rng.normal(size=300), 1), rng.integers(0, 2, 300)
    score = score + label
    found = auroc(score, label, resamples=200)
    assert found.value == pytest.approx(roc_auc_score(label, score))
    assert found.low < found.value < found.high
    spread = np.sqrt(found.value * (1 - found.value) / 300)  # of that order
    assert 0.5 * spread < (found.high - found.low) / 3.92 < 1.5 * spread


def test_one_rate_gives_that_probability_and_its_entropy() -> None:
    found = PIKHead(ridge=1e-9).fit(np.zeros((40, 1)), np.full(40, 21 / 30))
    assert found.predict([[0.0]])[0] == pytest.approx(0.7, abs=1e-6)
    assert found.loss == pytest.approx(0.610864, abs=1e-6)


def test_rates_and_single_samples_have_the_same_minimiser() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 2))
    hits = rng.binomial(30, 1 / (1 + np.exp(-x @ [1.0, -2.0])))
    by_rate = PIKHead().fit(x, hits / 30)
    labels = (np.arange(30)[None, :] < hits[:, None]).astype(float).ravel()
    by_sample = PIKHead().fit(np.repeat(x, 30, axis=0), labels)
    np.testing.assert_allclose(by_rate.weights, by_sample.weights, atol=1e-6)


def test_the_head_equals_scikit_learns_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 3))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = (rng.random(200) < 1 / (1 + np.exp(-x @ [1.0, 0.0, -1.0] - 0.3))).astype(float)
    other = LogisticRegression(C=1 / (0.01 * 200), tol=1e-10).fit(x, y)
    found = PIKHead(ridge=0.01).fit(x, y)
    np.testing.assert_allclose(found.weights, other.coef_[0], atol=1e-5)
    assert found.bias == pytest.approx(other.intercept_[0], abs=1e-5)


def test_the_true_rate_has_the_brier_score_of_chance_alone() -> None:
    rng = np.random.default_rng(3)
    rate = rng.beta(2, 2, 20_000)
    right = (rng.random(20_000) < rate).astype(float)
    found = SelfKnowledge(resamples=20).measure(rate, right)
    assert found.brier.value == pytest.approx(float((rate * (1 - rate)).mean()), abs=0.003)
    assert found.error.value < 0.02
    assert found.accuracy_believed.value > found.accuracy.value
    assert found.auroc.value > 0.6


def test_what_is_believed_is_counted_by_hand() -> None:
    found = FEW.measure([0.9, 0.8, 0.4, 0.2, np.nan], [1, 0, 1, 0, 1])
    assert found.n == 4
    assert found.auroc.value == pytest.approx(0.75)
    assert found.accuracy.value == found.accuracy_believed.value == found.believed.value == 0.5
    assert found.brier.value == pytest.approx((0.01 + 0.64 + 0.36 + 0.04) / 4)
    assert found.to_json()["n"] == 4
    assert "auroc" in found.to_html()


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="logprobs"):
        option_probabilities([[0.5, 0.5]])
    with pytest.raises(SettingError, match="temperature"):
        option_probabilities([[-1.0, -1.0]], temperature=0)
    with pytest.raises(SettingError, match="same"):
        FEW.measure([0.5], [1, 0])
    with pytest.raises(SettingError, match="labels"):
        FEW.measure([0.5, 0.6], [1, 2])
    with pytest.raises(DataError, match="rates"):
        PIKHead().fit([[1.0]], [1.5])
    with pytest.raises(SettingError, match="ridge"):
        PIKHead(ridge=0)
    with pytest.raises(SettingError, match="no score"):
        auroc([np.nan], [1])
