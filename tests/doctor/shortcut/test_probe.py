"""The probe: what another library fits, chance where there is nothing, and intervals that know of prompts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from zermelo.doctor.shortcut.ngrams import ngram_differences
from zermelo.doctor.shortcut.probe import clustered_share, folds_of, logistic, pair_auc, probed, prompt_groups
from zermelo.errors import SettingError
from zermelo.stats import wilson


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_weights_are_those_of_scikit_learn_on_both_orders_of_each_pair(kind: str) -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)) + 0.3
    both, y = np.concatenate([x, -x]), np.repeat([1, 0], 300)
    # every pair stands twice there, so half the penalty weighs the same
    want = LogisticRegression(C=1 / (2 * 2.0), fit_intercept=False, tol=1e-10, max_iter=1_000).fit(both, y).coef_[0]
    found = logistic(sparse.csr_matrix(x) if kind == "sparse" else x, l2=2.0)
    np.testing.assert_allclose(found, want, atol=2e-3)  # our stop: gain below 1e-5 of the loss


def test_a_feature_that_decides_is_found_and_noise_is_chance() -> None:
    rng = np.random.default_rng(1)
    group = np.arange(2_000) // 2
    noise = probed(rng.normal(size=(2_000, 5)), group)
    assert noise.accuracy.low < 0.5 < noise.accuracy.high + 0.03 and abs(noise.auc - 0.5) < 0.05
    sign = np.where(rng.random(2_000) < 0.8, 1.0, -1.0)
    found = probed(sign[:, None], group)
    assert found.accuracy.value == pytest.approx((sign > 0).mean())
    assert found.weights[0] == pytest.approx(np.log(0.8 / 0.2), abs=0.15)


def test_a_prompt_is_never_on_both_sides_of_a_fold() -> None:
    # the label is a coin, the feature names the prompt: a probe that has seen the prompt is always right
    rng = np.random.default_rng(2)
    prompt = np.repeat(np.arange(100), 10)
    x = np.eye(100)[prompt] * np.where(rng.random(100) < 0.5, 1, -1)[prompt][:, None]
    leaked = probed(x, np.arange(1_000))
    honest = probed(x, prompt)
    assert leaked.accuracy.value == 1.0 and honest.accuracy.value == 0.5
    fold = folds_of(prompt, 5, 0)
    assert all(len(np.unique(fold[prompt == k])) == 1 for k in range(100))
    assert np.bincount(fold[::10]).tolist() == [20] * 5


def test_the_interval_is_as_wide_as_the_prompts_are_few() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0] * 20, 10)
    independent = clustered_share(values, np.arange(1_000))
    clustered = clustered_share(values, np.repeat(np.arange(100), 10))
    plain = wilson(600, 1_000)
    assert independent.low == pytest.approx(plain.low, abs=1e-3)
    assert clustered.low == pytest.approx(wilson(59.4, 99).low, abs=2e-3)  # 100 prompts, one degree of freedom
    assert clustered.n == 100
    assert clustered_share(np.ones(30), np.arange(30) // 3).low == pytest.approx(wilson(10, 10).low)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_auc_is_the_share_of_won_comparisons(values: list[float]) -> None:
    margin = np.array(values)
    brute = np.mean([[(a > -b) + 0.5 * (a == -b) for b in margin] for a in margin])
    assert pair_auc(margin) == pytest.approx(brute)


def test_near_equal_prompts_are_one_group_and_rows_without_a_prompt_stand_alone() -> None:
    long = "please tell me in a few words how the tides of the northern sea came to be known to sailors of old"
    group = prompt_groups([long, long + " indeed", "another question entirely, of salt", "", ""], np.arange(5))
    assert group[0] == group[1] and len(set(group.tolist())) == 4


def test_ngrams_count_in_how_many_pairs_only_one_side_has_them() -> None:
    chosen = ["Sure thing, I go.", "sure thing now", "Sure of it", "plain", "sure"] * 4
    rejected = ["No, I go.", "no now", "of it", "no", "no"] * 4
    found = ngram_differences(chosen, rejected)
    at = {name: place for place, name in enumerate(found.names)}
    assert (found.wins[at["sure"]], found.losses[at["sure"]]) == (16, 0)
    assert (found.wins[at["no"]], found.losses[at["no"]]) == (0, 16)
    assert found.wins[at["sure thing"]] == 8
    assert "i" not in at or found.wins[at["i"]] == 0  # on both sides
    assert found.wins[at["^ sure"]] == 16


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(SettingError):
        probed(np.ones((3, 1)), np.zeros(2, int))
    with pytest.raises(SettingError):
        probed(np.ones((3, 1)), np.zeros(3, int))
