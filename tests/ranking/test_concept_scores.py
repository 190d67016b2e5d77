"""Concept scores: noiseless orders, the fit behind, reading verdicts, connected pairs, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.ranking import BradleyTerry, count
from zermelo.ranking.concept_scores import ConceptScores, breakdown, random_pairs, read_comparison
from zermelo.ranking.graph import pieces


def test_a_noiseless_judge_over_all_neighbours_gives_the_true_order() -> None:
    rng = np.random.default_rng(0)
    latent = rng.normal(size=30)
    order = np.argsort(latent)
    pairs = np.concatenate([random_pairs(30, per_text=6, seed=1), np.stack([order[:-1], order[1:]], axis=1)])
    # separable data: only as the ridge vanishes does every neighbouring pair keep its order (widest margin)
    found = ConceptScores(prior=1e-6).fit(
        pairs, (latent[pairs[:, 0]] > latent[pairs[:, 1]]) * 1.0, texts=[str(i) for i in range(30)]
    )
    assert found.validate(latent)["spearman"].value == pytest.approx(1.0)
    assert found.score.mean() == pytest.approx(0, abs=1e-9)
    assert found.score.std() == pytest.approx(1)
    assert [int(row["text"]) for row in found.table()] == order[::-1].tolist()


def test_scores_are_standardised_bradley_terry_ratings() -> None:
    pairs, verdict = np.array([[0, 1], [1, 2], [0, 2], [2, 0]]), np.array([1, 0.5, 1, np.nan])
    found = ConceptScores(prior=0.5).fit(pairs, verdict, texts=["a", "b", "c"])
    other = BradleyTerry(prior=0.5).fit(
        count(np.array([0, 1, 0]), np.array([1, 2, 2]), np.array([1, 0.5, 1]), players=["a", "b", "c"])
    )
    np.testing.assert_allclose(found.score, other.rating / other.rating.std(), atol=1e-9)
    assert (found.n_comparisons, found.left_out) == (3, 1)
    assert found.to_json()["texts"]["a"]["ci_low"] < found.score[0] < found.high[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 25), st.integers(0, 1000))
def test_random_pairs_connect_all_texts_and_never_repeat(n, per_text, seed) -> None:
    pairs = random_pairs(n, per_text=per_text, seed=seed)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs)
    assert pieces(pairs[:, 0], pairs[:, 1], n).max() == 0
    assert np.bincount(pairs.ravel(), minlength=n).mean() == pytest.approx(
        min(2 * ((per_text + 1) // 2), n - 1), abs=1e-9
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", 1.0),
        ("Description 2", 0.0),
        ("The first one.", 1.0),
        ("Tie", 0.5),
        ("They are equally hostile.", 0.5),
        ("Both 1 and 2, it is a tie", 0.5),
        ("1 rather than 2", None),
        ("unsure", None),
        ("A tie, or rather 1", None),
    ],
)
def test_verdicts_are_read_and_never_guessed(text, said) -> None:
    found = read_comparison(text)
    assert np.isnan(found) if said is None else found == said


def test_without_questions_a_breakdown_is_the_text() -> None:
    assert breakdown("Some text.", [], []) == "Some text."
    whole = breakdown("Some text. ", ["What?", "Against whom?"], ["A remark. ", "Nobody."])
    assert whole == "Some text.\n\nAnalysis:\n1. A remark.\n2. Nobody."
    with pytest.raises(DataError, match="answers"):
        breakdown("t", ["What?"], [])


def test_validation_gives_f1_of_the_best_cut() -> None:
    pairs = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])
    found = ConceptScores().fit(pairs, [1, 1, 1, 1], texts=list("abcd"))
    assert found.validate([4, 3, 2, 1], threshold=3)["f1"].value == 1.0
    # scores order a > b > c > d; the concept in a and c: cut after c: 2 right of 3 said and 2 true
    assert found.validate([4, 1, 4, 1], threshold=3)["f1"].value == pytest.approx(4 / 5)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="pieces"):
        ConceptScores().fit([[0, 1], [2, 3]], [1, 1], texts=list("abcd"))
    with pytest.raises(DataError, match="pairs must"):
        ConceptScores().fit([0, 1], [1], texts=list("ab"))
    with pytest.raises(SettingError, match="two texts"):
        random_pairs(1)
    with pytest.raises(SettingError, match="prior"):
        ConceptScores(prior=0)
    with pytest.raises(DataError, match="as many"):
        ConceptScores().fit([[0, 1]], [1], texts=list("ab")).validate([1.0])
