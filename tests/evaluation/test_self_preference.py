"""The DBG score: worked examples, the quality confound, both orders, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.self_preference import SelfPreference, both_orders, majority
from zermelo.worlds.judges import SimulatedJudge

FEW = SelfPreference(resamples=200)


def test_the_worked_example_gives_seventy_minus_thirty() -> None:
    found = FEW.measure([1, 1, 0.5, 0, 1], [1, 0, 0.5, 0, 0])
    assert (found.by_judge.value, found.by_gold.value, found.dbg.value) == pytest.approx((70, 30, 40))
    assert np.isnan(found.naive.value)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=30))
def test_a_judge_that_agrees_with_gold_scores_zero_and_one_that_always_says_own_the_rest(gold) -> None:
    assert FEW.measure(gold, gold).dbg.value == pytest.approx(0)
    always = FEW.measure(np.ones(len(gold)), gold)
    assert always.dbg.value == pytest.approx(100 - 100 * np.mean(gold))


def test_better_answers_are_no_self_preference() -> None:
    own = gold = np.repeat([1.0, 0.0], [80, 20])  # the judge's own answers are better in 80 % of prompts
    other = gold  # the rival sees it likewise: what its own wins, 20 %
    found = FEW.measure(own, gold, other=other)
    assert found.dbg.value == 0
    # the naive figure of the paper: 80 % for its own against the 20 % that the rival has of its own
    assert found.by_judge.value - (100 - 100 * float(np.mean(other))) == pytest.approx(60)


def test_a_planted_bonus_is_found_and_its_absence_too() -> None:
    gap = np.random.default_rng(0).normal(0, 1, 4000)
    gold = np.stack([SimulatedJudge(2.0, seed=s).choose(1 / (1 + np.exp(-2 * gap))) for s in range(6)], axis=1)
    for bonus, low, high in ((0.0, -4, 4), (1.5, 10, 40)):
        judge = SimulatedJudge(2.0, own_bonus=bonus, seed=9)
        own = judge.choose(judge.probability(gap, own=1.0))
        assert low < FEW.measure(own, gold).dbg.value < high


def test_exchanging_the_names_turns_the_sign_round() -> None:
    rng = np.random.default_rng(1)
    own, gold = rng.choice([0, 0.5, 1], 50), rng.choice([0, 0.5, 1], 50)
    one, other = FEW.measure(own, gold), FEW.measure(1 - own, 1 - gold)
    assert one.dbg.value == pytest.approx(-other.dbg.value)


def test_both_orders_average_and_say_where_they_disagree() -> None:
    p, same = both_orders([1, 1, 0, 0.5, np.nan], [1, 0, 0, 0.5, 1])
    np.testing.assert_array_equal(p, [1, 0.5, 0, 0.5, np.nan])
    assert same.tolist() == [True, False, True, True, False]


def test_six_gold_votes_are_one_by_majority_and_even_ones_a_tie() -> None:
    votes = [[1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [0, 0.5, 0.5, 0, 1, 0], [np.nan] * 6, [0.9, 0.4, 0.4] * 2]
    np.testing.assert_array_equal(majority(votes), [1, 0.5, 0, np.nan, 0])


def test_prompts_without_a_verdict_are_counted() -> None:
    found = FEW.measure([1, np.nan, 0, 1], [[1, 0, 1], [1, 1, 1], [0, np.nan, 0], [np.nan] * 3])
    assert (found.n, found.left_out) == (2, 2)
    assert found.to_json()["dbg"]["value"] == 0
    assert len(found.table()) == 3
    assert "DBG" in found.to_html()


def test_the_mean_of_gold_votes_is_taken_where_asked() -> None:
    votes = [[1, 1, 0], [0, 0, 1], [1, np.nan, 1]]
    assert FEW.measure([1, 0, 1], votes).by_gold.value == pytest.approx(200 / 3)
    mean = SelfPreference(gold="mean", resamples=50).measure([1, 0, 1], votes)
    assert mean.by_gold.value == pytest.approx(100 * (2 / 3 + 1 / 3 + 1) / 3)
    with pytest.raises(SettingError, match="gold"):
        SelfPreference(gold="median")  # type: ignore[arg-type]


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="number"):
        FEW.measure([1, 0], [1])
    with pytest.raises(DataError, match="P\\(own"):
        FEW.measure([1, 2], [1, 0])
    with pytest.raises(SettingError, match="no prompt"):
        FEW.measure([np.nan], [1.0])
    with pytest.raises(DataError, match="as many"):
        both_orders([1], [1, 0])
    with pytest.raises(SettingError, match="resamples"):
        SelfPreference(resamples=0)
