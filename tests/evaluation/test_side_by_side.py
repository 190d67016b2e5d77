"""Side by side and absolute: Bradley–Terry of the ranking room, hand-made agreement, PandaLM, sparse feedback."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.raters import RaterAgreement, absolute_vs_relative
from zermelo.evaluation.side_by_side import AbsoluteScores, SideBySide
from zermelo.ranking import BradleyTerry, count
from zermelo.worlds.judges import SimulatedRater

FEW = SideBySide(resamples=100, halvings=10)


def battles(seed: int, systems: int = 4, questions: int = 60):
    rng = np.random.default_rng(seed)
    quality = np.linspace(1, -1, systems)
    rows = [(q, i, j) for q in range(questions) for i, j in combinations(range(systems), 2)]
    question, a, b = map(np.array, zip(*rows, strict=True))
    p = 1 / (1 + np.exp(quality[b] - quality[a]))
    return question, a, b, (rng.random(len(p)) < p) * 1.0, (rng.random(len(p)) < p) * 1.0


def test_scores_are_those_of_the_bradley_terry_fit() -> None:
    question, a, b, one, two = battles(0)
    found = FEW.measure(question.tolist(), [f"s{i}" for i in a], [f"s{i}" for i in b], one, two)
    other = BradleyTerry(prior=0.1).fit(count(a, b, (one + two) / 2, players=[f"s{i}" for i in range(4)]))
    np.testing.assert_allclose([s.value for s in found.scores], other.rating, atol=1e-6)
    assert found.systems == other.players
    assert found.win_probability("s3")["s0"] == pytest.approx(
        float(other.predict_proba(np.array([[0, 3]]))[0]), abs=1e-6
    )
    assert found.consistent_share == pytest.approx((one == two).mean())


def test_a_judge_that_always_says_the_first_separates_nobody() -> None:
    question, a, b, _, _ = battles(1)
    n = len(a)
    found = FEW.measure(question.tolist(), [f"s{i}" for i in a], [f"s{i}" for i in b], np.ones(n), np.zeros(n))
    assert [s.value for s in found.scores] == pytest.approx([0.0] * 4)
    assert found.separated() == []
    assert found.consistent_share == 0


def test_clear_differences_are_separated_and_repeat_in_halves() -> None:
    question, a, b, one, two = battles(2, questions=200)
    found = FEW.measure(question.tolist(), [f"s{i}" for i in a], [f"s{i}" for i in b], one, two)
    assert len(found.separated()) == 6
    assert found.consistency > 0.9
    assert [row["system"] for row in found.table()] == ["s0", "s1", "s2", "s3"]
    assert found.to_json()["separated"][0] == ["s0", "s1"]
    assert "s0" in found.to_html()


def test_a_system_that_lost_everything_stays_finite() -> None:
    found = FEW.measure([1, 2, 3], ["x"] * 3, ["y"] * 3, [1, 1, 1])
    assert np.isfinite(found.scores[0].value)
    assert found.scores[0].value > 0 > found.scores[1].value
    assert np.isnan(found.consistent_share)


def test_a_single_question_separates_nobody() -> None:
    found = FEW.measure([1] * 3, ["x"] * 3, ["y"] * 3, [1, 1, 1])
    assert found.separated() == found.separated(paired=False) == []
    assert np.isnan(found.consistency)


def test_leniency_of_questions_widens_plain_intervals_but_not_those_of_differences() -> None:
    quality = np.array([[0.4], [0.0]]) + np.zeros((2, 100))
    grades = SimulatedRater(leniency=2.0, noise=0.3, low=-50, high=50, seed=1).grade(quality)
    found = AbsoluteScores(resamples=300).measure(grades, systems=("good", "bad"))
    assert found.separated() == [("good", "bad")]
    assert found.separated(paired=False) == []
    assert found.scores[0].value == pytest.approx(grades[0].mean())


def test_repeated_grades_are_averaged_over_what_is_there() -> None:
    grades = [[[1.0, 3.0], [np.nan, 5.0]], [[1.0, 1.0], [1.0, np.nan]]]
    found = AbsoluteScores(resamples=20, halvings=2).measure(grades, systems=("a", "b"))
    assert [s.value for s in found.scores] == pytest.approx([3.0, 1.0])


def test_kappa_of_the_worked_table() -> None:
    table = [[20, 5, 0], [4, 15, 1], [1, 2, 2]]
    names = "AB="
    labels = [(names[i], names[j]) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    found = RaterAgreement(resamples=50).measure(labels, raters=("x", "y"))
    assert found.kappa["x", "y"].value == pytest.approx(0.542254, abs=1e-6)
    assert found.percent["x", "y"] == pytest.approx(0.74)
    assert len(found.disputed) == 13
    assert found.kappa["x", "y"].low < 0.542254 < found.kappa["x", "y"].high


def test_majorities_ties_and_missing_labels() -> None:
    rows = [[1, 1.0, 2], [1, 2, None], [np.nan, None, 2], [None, None, None]]
    found = RaterAgreement(resamples=10).measure(rows, raters=("x", "y", "z"))
    assert found.majority == ("1", None, "2", None)
    assert found.disputed == (0, 1)
    assert "κ" in found.to_html()


def test_grades_and_choices_are_crossed_as_by_hand() -> None:
    found = absolute_vs_relative([5, 3, 4, 2], [3, 3, 5, 2], [1, 0.5, 1, 0])
    assert found.agree.value == 0.5
    assert found.by_grade.value == pytest.approx((1 + 0.5 + 0 + 0.5) / 4)
    assert found.by_choice.value == pytest.approx((1 + 0.5 + 1 + 0) / 4)
    assert found.table.tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 0]]


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="no comparison"):
        FEW.measure([1], ["a"], ["b"], [np.nan])
    with pytest.raises(DataError, match="itself"):
        FEW.measure([1], ["a"], ["a"], [1])
    with pytest.raises(DataError, match="systems"):
        FEW.measure([1, 2], ["a"], ["b"], [1])
    with pytest.raises(DataError, match="S ≥ 2"):
        AbsoluteScores().measure([[1.0]], systems=("a",))
    with pytest.raises(DataError, match="no grade"):
        AbsoluteScores().measure([[1.0], [np.nan]], systems=("a", "b"))
    with pytest.raises(DataError, match="raters"):
        RaterAgreement().measure([[1]], raters=("x",))
    with pytest.raises(SettingError, match="win probability"):
        AbsoluteScores(resamples=5, halvings=1).measure([[1.0, 2], [2, 2]], systems=("a", "b")).win_probability("a")


def test_published_agreement_of_pandalm_is_found_again(shared_data: Path) -> None:
    import pandas as pd

    items = pd.read_parquet(shared_data / "pandalm" / "items.parquet")
    people = ("annotator1", "annotator2", "annotator3")
    found = RaterAgreement(resamples=20).measure(
        items[list(people)].to_numpy().tolist(), raters=people, cluster=items["instruction"].tolist()
    )
    assert [k.value for k in found.kappa.values()] == pytest.approx([0.848, 0.880, 0.847], abs=6e-4)  # three digits
    assert [found.majority.count(label) for label in ("0", "1", "2")] == [75, 320, 327]
    assert found.n - len(found.disputed) == 631
    for judge, accuracy in (("gpt35", 0.704), ("pandalm_7b", 0.652)):
        right = [said == float(most) for said, most in zip(items[judge], found.majority, strict=True)]
        assert round(float(np.mean(right)), 3) == accuracy  # unparsed counts as wrong


def test_published_consistency_of_sparse_feedback_is_found_again(shared_data: Path) -> None:
    import pandas as pd

    folder = shared_data / "sparse_feedback"
    rated = pd.read_parquet(folder / "ratings_dev.parquet").drop_duplicates(["prompt_id", "response"])
    grade = rated.set_index(["prompt_id", "response"])["rating"]
    ranked = pd.read_parquet(folder / "rankings_dev.parquet")
    chosen = ranked["choice"].map({"(a)": 1.0, "(b)": 0.0, "equal": 0.5})
    sides = [
        [grade.get((prompt, text), np.nan) for prompt, text in zip(ranked["prompt_id"], ranked[column], strict=True)]
        for column in ("response_a", "response_b")
    ]
    found = absolute_vs_relative(*sides, chosen, cluster=ranked["prompt_id"])
    assert 100 * found.agree.value == pytest.approx(55.07, abs=0.005)
    assert found.table[:, [0, 2, 1]][[0, 2, 1]].tolist() == [[8, 7, 3], [3, 19, 4], [8, 6, 11]]
    assert found.agree.low < 0.5 < found.agree.high + 0.2  # a wide interval: twelve prompts


def test_the_protocol_decides_who_wins_in_sparse_feedback(shared_data: Path) -> None:
    import pandas as pd

    folder = shared_data / "sparse_feedback"
    rated = pd.read_parquet(folder / "policy_ratings.parquet")
    wide = (
        rated.drop_duplicates(["system", "instruction"])
        .pivot(index="instruction", columns="system", values="rating")
        .dropna()
    )
    gap = np.sign(wide["alpaca7b_best_of_64_rating_rm"] - wide["text-davinci-003"])
    assert 100 * float((0.5 + gap / 2).mean()) == pytest.approx(52.94, abs=0.005)
    choice = pd.read_parquet(folder / "policy_rankings.parquet")["choice"].map({"(a)": 0.0, "(b)": 1.0, "equal": 0.5})
    assert 100 * choice.mean() == pytest.approx(32.61, abs=0.005)
