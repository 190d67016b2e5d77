from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.search import best_of_n_kl, canonical_answer, expected_utility, soft_weights, vote, vote_weights

ANSWERS, WEIGHTS = ["a", "b", "b", "a", "c"], [0.9, 0.2, 0.3, 0.1, 0.5]
SCORES = st.lists(st.floats(-5, 5), min_size=1, max_size=8)


def test_the_kl_bound_gives_the_published_values() -> None:
    assert best_of_n_kl([1, 4, 16]) == pytest.approx([0, 0.636294, 1.835089], abs=1e-6)


@pytest.mark.parametrize(
    ("aggregate", "winner", "tied"), [("sum", "a", False), ("mean", "a", True), ("max", "a", False)]
)
def test_weighted_votes_give_the_totals_computed_by_hand(aggregate: str, winner: str, tied: bool) -> None:
    found = vote(ANSWERS, weights=WEIGHTS, aggregate=aggregate)  # type: ignore[arg-type]
    assert (found.answer, found.tied) == (winner, tied)
    expected = {"sum": [1.0, 0.5, 0.5], "mean": [0.5, 0.25, 0.5], "max": [0.9, 0.3, 0.5]}[aggregate]
    assert list(found.weights.values()) == pytest.approx(expected)


def test_ties_go_to_the_answer_that_occurs_first_or_to_a_random_one() -> None:
    assert vote(ANSWERS).answer == "a" and vote(ANSWERS).tied
    assert vote(ANSWERS[::-1]).answer == "a"  # c, a, b, b, a
    assert vote(["b", "a", "a", "b"]).answer == "b"
    drawn = {vote(ANSWERS, rng=np.random.default_rng(seed)).answer for seed in range(20)}
    assert drawn == {"a", "b"}


def test_samples_without_an_answer_do_not_vote_and_are_counted() -> None:
    found = vote([None, " ", "7", "8", "8.0"])
    assert (found.answer, found.index, found.dropped) == ("8", 3, 2)
    assert vote([None, ""]).index == -1
    assert vote(["1", "2"], weights=[math.nan, 0.1]).answer == "2"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$18", "18"),
        ("18.0", "18"),
        (" 18. ", "18"),
        ("1,800", "1800"),
        ("2/4", "1/2"),
        ("0.5", "1/2"),
        (".5", "1/2"),
        ("-3.50", "-7/2"),
        ("50%", "50%"),
        ("Paris ", "paris"),
        ("1/0", "1/0"),
        ("", ""),
        ("v1.2.3", "v1.2.3"),
        ("-", "-"),
    ],
)
def test_answers_are_brought_to_one_form(written: str, meant: str) -> None:
    assert canonical_answer(written) == meant


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_constant_weights_give_the_plain_majority(answers: list[str]) -> None:
    assert vote(answers, weights=[0.1] * len(answers)).answer == vote(answers).answer


@given(SCORES)
def test_a_cold_weighted_vote_is_the_best_scored_answer(scores: list[float]) -> None:
    scores = [round(score, 2) + 10 for score in scores]  # outside [0, 1], gaps that beta can see
    answers = [f"answer {i}" for i in range(len(scores))]
    assert vote(answers, weights=vote_weights(scores, beta=1e-3)).index == int(np.argmax(scores))


def test_scores_that_are_probabilities_are_weights_as_they_are() -> None:
    assert vote_weights([0.2, 0.9, math.nan]).tolist()[:2] == [0.2, 0.9]
    assert vote_weights([1.0, 3.0], beta=2.0) == pytest.approx([math.exp(-1), 1])


@given(SCORES, st.floats(0.01, 100), st.floats(-1000, 1000))
def test_soft_best_of_n_is_a_distribution_that_ignores_shifts(
    scores: list[float], temperature: float, shift: float
) -> None:
    share = soft_weights(scores, temperature=temperature)
    assert share.sum() == pytest.approx(1)
    assert share == pytest.approx(soft_weights(np.array(scores) + shift, temperature=temperature), rel=1e-6, abs=1e-9)


def test_soft_best_of_n_runs_from_best_of_n_to_a_plain_sample() -> None:
    scores = [1.0, 3.0, 3.0, math.nan]
    assert soft_weights(scores, temperature=0) == pytest.approx([0, 0.5, 0.5, 0])
    assert soft_weights(scores, temperature=1e-3) == pytest.approx([0, 0.5, 0.5, 0])
    assert soft_weights(scores, temperature=1e6) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0], abs=1e-5)
    assert soft_weights([math.nan], temperature=1).sum() == 0


def test_minimum_bayes_risk_under_equality_is_the_majority() -> None:
    answers = [*ANSWERS[:4], "b"]
    equal = np.array([[a == b for b in answers] for a in answers])
    assert int(np.argmax(expected_utility(equal))) == 1
    with pytest.raises(SettingError, match="N, N"):
        expected_utility([[1, 2]])


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError):
        best_of_n_kl(0)
    with pytest.raises(SettingError):
        soft_weights([1.0], temperature=-1)
    with pytest.raises(SettingError):
        vote_weights([1.0], beta=0)
    with pytest.raises(SettingError):
        vote(["a"], weights=[1, 2])
