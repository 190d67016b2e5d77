"""Dissecting preferences: posteriors by quadrature, planted tastes, rules on texts, bad input, people and judges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.attributes import ATTRIBUTES, attribute_differences, attributes_of, clearly_longer
from zermelo.evaluation.dissection import Dissection, preference_similarity
from zermelo.feedback import Feedback
from zermelo.stats.laplace_logistic import LaplaceLogistic
from zermelo.worlds.judges import SimulatedJudge


@pytest.mark.parametrize(
    ("won", "n", "scale", "mean"), [(16, 20, 0.1, 0.123831), (160, 200, 0.1, 1.105309), (16, 20, 1.0, 1.171550)]
)
def test_the_posterior_mean_is_that_of_quadrature(won: int, n: int, scale: float, mean: float) -> None:
    chosen = np.repeat([1.0, 0.0], [won, n - won])
    found = LaplaceLogistic(scale=scale, draws=2000).fit(np.ones((n, 1)), chosen)
    assert found.mean[0] == pytest.approx(mean, abs=0.02)  # the sampler's own error
    assert found.r_hat < 1.02


def test_quadrature_itself_agrees_with_the_figures_of_the_table() -> None:
    grid = np.linspace(-20, 20, 400_001)
    log = 16 * grid - 20 * np.logaddexp(0, grid) - np.abs(grid) / 0.1
    mass = np.exp(log - log.max())
    assert (grid * mass).sum() / mass.sum() == pytest.approx(0.123831, abs=1e-5)


def test_exchanging_the_two_sides_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(-1, 2, (200, 4)).astype(float), (rng.random(200) < 0.7).astype(float)
    one, other = LaplaceLogistic().mode(x, y), LaplaceLogistic().mode(-x, 1 - y)
    np.testing.assert_allclose(one, other, atol=1e-9)
    np.testing.assert_allclose(
        LaplaceLogistic(draws=1500).fit(x, y).mean, LaplaceLogistic(draws=1500).fit(-x, 1 - y).mean, atol=0.02
    )


def test_a_column_without_differences_keeps_the_prior() -> None:
    rng = np.random.default_rng(1)
    x = np.stack([rng.integers(-1, 2, 300), np.zeros(300)], axis=1).astype(float)
    found = LaplaceLogistic(scale=0.1, draws=4000).fit(x, (rng.random(300) < 0.6).astype(float))
    assert found.mean[1] == pytest.approx(0, abs=0.01)
    assert np.abs(found.draws[:, 1]).mean() == pytest.approx(0.1, abs=0.01)  # the mean |α| of Laplace(0, 0.1)


def test_the_mode_is_the_minimum_that_a_general_optimiser_finds() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(2)
    x = rng.normal(size=(150, 3))
    y = (rng.random(150) < 1 / (1 + np.exp(-x @ [1.0, -0.5, 0.0]))).astype(float)

    def cost(w):
        return np.logaddexp(0, x @ w).sum() - y @ (x @ w) + np.abs(w).sum() / 0.5

    best = min((minimize(cost, s, method="Nelder-Mead").fun for s in rng.normal(size=(5, 3))), default=0.0)
    assert cost(LaplaceLogistic(scale=0.5).mode(x, y)) == pytest.approx(best, abs=0.1)  # corners of the prior rounded


def test_planted_tastes_are_found_again_and_two_judges_are_told_apart() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-1, 2, (2000, 6)).astype(float)
    tastes = {"brief": (-1.0, 0.5, 0, 0, 0, 0.2), "wordy": (1.0, 0.5, 0, 0, 0, 0.2)}
    found = {}
    for number, (name, taste) in enumerate(tastes.items()):
        judge = SimulatedJudge(taste=taste, seed=number)
        found[name] = Dissection(draws=200).fit_attributes(x, judge.choose(judge.probability(features=x)))
        np.testing.assert_allclose([w.value for w in found[name].weights], taste, atol=0.2)
        assert found[name].accuracy > 0.65
    alike = preference_similarity({name: [w.value for w in effects.weights] for name, effects in found.items()})
    assert alike["pearson"][0, 1] < 0
    assert np.diag(alike["pearson"]) == pytest.approx(1.0)


def test_similarities_are_those_computed_by_hand() -> None:
    found = preference_similarity({"a": [1.0, 2.0, 3.0], "b": [1.0, 3.0, 2.0], "c": [3.0, 2.0, 1.0]})
    np.testing.assert_allclose(found["pearson"], [[1, 0.5, -1], [0.5, 1, -0.5], [-1, -0.5, 1]], atol=1e-12)
    np.testing.assert_allclose(found["spearman"], found["pearson"], atol=1e-12)
    assert found["l1"][0, 1] == pytest.approx(-2 / 3)
    assert found["l2"][0, 2] == pytest.approx(-np.sqrt(8) / 3)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (1, 0, 1),
        (30, 11, 1),
        (29, 11, 0),
        (10, 28, -1),
        (40, 28, 1),
        (34, 24, 0),
        (100, 80, 1),
        (100, 81, 0),
        (400, 360, 1),
    ],
)
def test_length_counts_only_where_it_is_clear(first: int, second: int, said: int) -> None:
    assert clearly_longer(first, second) == said
    assert clearly_longer(second, first) == -said


def test_the_length_of_a_normalised_difference_is_logarithmic() -> None:
    x, names = attribute_differences(["word " * 100], [""], scale="norm_diff")
    assert x[0, names.index("length")] == pytest.approx(0.742386, abs=1e-6)  # ln 101 / ln 501


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("length", "a longer answer than the plain one, by quite a few words that say nothing at all"),
        ("formatted", "- one\n- two\n**bold**"),
        ("complex words", "Extraordinarily sophisticated considerations"),
        ("steps", "First do this. Then do that. Finally rest."),
        ("support", "Fruit, for example apples, because they are cheap."),
        ("numbers", "It is 3.5 km, or 2 miles."),
        ("admits limits", "I'm sorry, as an AI I cannot say."),
        ("polite", "Thank you, I hope that helps."),
        ("interactive", "Shall I go on?"),
        ("lively", "What a day!"),
        ("informal", "It's what they've said."),
        ("you", "Bring your coat."),
    ],
)
def test_each_rule_sees_what_it_is_named_after(attribute: str, text: str) -> None:
    assert set(ATTRIBUTES) >= {attribute}
    plain, marked = attributes_of(["A short answer.", text])
    at = list(ATTRIBUTES).index(attribute)
    assert marked[at] > plain[at]


def test_repeating_oneself_is_seen() -> None:
    at = list(ATTRIBUTES).index("not repetitive")
    same, varied = attributes_of(["yes it is " * 5, "we went over the hill and far away"])
    assert same[at] < 0.5 < varied[at] == 1


def test_a_view_of_pairs_gives_what_the_texts_give(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows, chosen, rejected = [], [], []
    for number in range(60):
        long, short = "word " * int(rng.integers(40, 60)), "word " * int(rng.integers(1, 9))
        first, second = (long, short) if rng.random() < 0.8 else (short, long)
        rows.append({"prompt": f"question {number}", "chosen": first.strip(), "rejected": second.strip()})
        chosen.append(first.strip())
        rejected.append(second.strip())
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    of_view = Dissection(draws=100).fit(Feedback.read(str(path)).pairs())
    of_texts = Dissection(draws=100).fit(chosen, rejected)
    assert of_view.to_json() == of_texts.to_json()
    assert of_view.weights[0].low > 0  # the longer one is preferred
    assert of_view.table()[0]["attribute"] == "length"
    assert "length" in of_view.to_html()


def test_more_pairs_than_the_most_are_left_out_and_counted() -> None:
    x = np.ones((30, 2))
    found = Dissection(max_pairs=20, folds=0, draws=20).fit_attributes(x, np.ones(30))
    assert (found.n_pairs, found.left_out) == (20, 10)
    assert np.isnan(found.accuracy)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="no pair"):
        Dissection().fit([], [])
    with pytest.raises(DataError, match="1 first and 2 second"):
        Dissection().fit(["a"], ["b", "c"])
    with pytest.raises(SettingError, match="second texts"):
        Dissection().fit(["a"])
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        Dissection().fit(["a"], ["b"], preferred=[2])
    with pytest.raises(SettingError, match="folds"):
        Dissection(folds=1)
    with pytest.raises(DataError, match="equal tables"):
        preference_similarity({"a": [1.0, 2.0], "b": [1.0]})


def test_people_prefer_the_longer_answer_of_pandalm(shared_data: Path) -> None:
    import pandas as pd

    items = pd.read_parquet(shared_data / "pandalm" / "items.parquet")
    decided = items[items["annotator1"] != 0]
    found = Dissection(draws=150).fit(
        decided["response1"].tolist(),
        decided["response2"].tolist(),
        preferred=(decided["annotator1"] == 1).astype(float),
    )
    length = found.weights[found.names.index("length")]
    assert length.low > 0
    assert found.accuracy > 0.55
