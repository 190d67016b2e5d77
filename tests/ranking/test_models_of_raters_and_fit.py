"""Dawid–Skene, goodness of fit, categories, the sparse path, style with ties, forms of input."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.contextual import ContextualBradleyTerry
from zermelo.ranking.counts import Counts, count
from zermelo.ranking.covariates import ControlledBradleyTerry
from zermelo.ranking.dawid_skene import DawidSkene
from zermelo.ranking.goodness import goodness_of_fit, held_out
from zermelo.ranking.newton import newton
from zermelo.ranking.reading import as_counts


def league(seed: int, size: int = 6, battles: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    skill = np.linspace(-1, 1, size)
    a = rng.integers(0, size, battles)
    b = (a + rng.integers(1, size, battles)) % size
    score = (rng.random(battles) < 1 / (1 + np.exp(skill[b] - skill[a]))).astype(float)
    score[rng.random(battles) < 0.15] = 0.5
    return a, b, score, skill


NAMES = [f"p{i}" for i in range(6)]


def test_raters_and_classes_are_recovered() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 500)
    right = [0.95, 0.8, 0.65]
    item, rater, label = [], [], []
    for i, t in enumerate(truth.tolist()):
        for r, p in enumerate(right):
            item.append(i)
            rater.append(r)
            label.append(t if rng.random() < p else 1 - t)
    found = DawidSkene().fit(item, rater, label)
    np.testing.assert_allclose(found.accuracy(), right, atol=0.05)
    majority = np.array(label).reshape(-1, 3).sum(1) > 1
    assert np.mean(np.array(found.label()) == truth) > np.mean(majority == truth)
    with pytest.raises(DataError):
        DawidSkene().fit([0, 1], [0, 0], ["x", "x"])


def test_a_weight_is_a_number_of_copies() -> None:
    item, rater, label = [0, 0, 1, 1, 2, 2], [0, 1] * 3, ["a", "a", "b", "a", "b", "b"]
    once = DawidSkene(smoothing=0.1).fit(item, rater, label, weight=[3, 3, 1, 1, 2, 2])
    copies = [(f"{i}-{k}", i) for i, n in enumerate((3, 1, 2)) for k in range(n)]
    rows = [(name, rater[2 * i + r], label[2 * i + r]) for name, i in copies for r in (0, 1)]
    again = DawidSkene(smoothing=0.1).fit(*zip(*rows, strict=True))
    np.testing.assert_allclose(once.confusion, again.confusion, atol=1e-6)
    assert once.log_likelihood == pytest.approx(again.log_likelihood)


def test_a_model_that_holds_has_dispersion_one_and_a_cyclic_world_does_not() -> None:
    a, b, score, _ = league(1)
    counts = count(a, b, score, players=NAMES)
    good = goodness_of_fit(counts, BradleyTerry().fit(counts))
    assert 0.3 < good.dispersion < 2.5 and good.p_value > 1e-3
    rows = [(x, y, 1.0) for x, y in ((0, 1), (1, 2), (2, 0)) for _ in range(30)]
    rows += [(x, y, 0.0) for x, y in ((0, 1), (1, 2), (2, 0)) for _ in range(10)]
    f, s, y = (np.array(column) for column in zip(*rows, strict=True))
    rock = count(f, s, y, players=["rock", "scissors", "paper"])
    found = goodness_of_fit(rock, BradleyTerry().fit(rock))
    assert (found.cycles, found.triples) == (1, 1) and found.p_value < 1e-4 and found.expected_cycles < 0.5


def test_held_out_predictions_are_calibrated_and_beat_a_coin() -> None:
    a, b, score, _ = league(2, battles=6000)
    found = held_out(a, b, score, size=6)
    assert found.log_likelihood > found.baseline + 0.01
    assert all(abs(p - y) < 5 * 0.5 / np.sqrt(n) for p, y, n in found.bins)


def test_categories_are_pooled_to_the_whole_where_they_do_not_differ() -> None:
    a, b, score, _ = league(3, battles=6000)
    category = np.random.default_rng(0).integers(0, 3, len(a))
    found = ContextualBradleyTerry().fit(a, b, score, category, players=NAMES, categories=["x", "y", "z"])
    whole = BradleyTerry().fit(count(a, b, score, players=NAMES)).rating
    assert found.spread < 0.12
    for ratings in found.categories.values():
        np.testing.assert_allclose(ratings.rating, whole, atol=0.2)


def test_categories_that_differ_are_told_apart_and_small_ones_borrow() -> None:
    rng = np.random.default_rng(5)
    size, n = 6, 9000
    base = np.linspace(-1, 1, size)
    shift = rng.normal(0, 0.7, (3, size))
    category = rng.choice(3, n, p=[0.6, 0.37, 0.03])
    a = rng.integers(0, size, n)
    b = (a + rng.integers(1, size, n)) % size
    skill = base + shift
    skill -= skill.mean(axis=1, keepdims=True)
    score = (rng.random(n) < 1 / (1 + np.exp(skill[category, b] - skill[category, a]))).astype(float)
    found = ContextualBradleyTerry().fit(a, b, score, category, players=NAMES, categories=["x", "y", "z"])
    assert 0.3 < found.spread < 1.2
    inside = []
    for c, name in enumerate("xyz"):
        low, high = found.categories[name].interval().T
        inside.append((low < skill[c]) & (skill[c] < high))
    assert np.mean(inside) > 0.8
    small = category == 2
    alone = BradleyTerry(prior=1e-6).fit(count(a[small], b[small], score[small], players=NAMES)).rating
    pooled = found.categories["z"].rating
    assert np.abs(pooled - skill[2]).mean() < np.abs(alone - alone.mean() - skill[2]).mean() + 0.05


@pytest.mark.parametrize("ties", ["half", "davidson", "rao-kupper"])
def test_the_sparse_path_gives_the_ratings_of_the_dense_one(ties, monkeypatch) -> None:
    a, b, score, _ = league(4, size=40, battles=20_000)
    counts = count(a, b, score, players=[f"p{i}" for i in range(40)])
    dense = BradleyTerry(ties=ties, position=True).fit(counts)
    monkeypatch.setattr("zermelo.ranking.newton.DENSE", 0)
    found = newton(counts, np.zeros(40, dtype=np.int64), ties, BradleyTerry(ties=ties, position=True))
    np.testing.assert_allclose(found.rating, dense.rating, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(found.covariance), dense.standard_error(), rtol=0.08)
    for name, (value, error) in dense.extra.items():
        assert found.extra[name][0] == pytest.approx(value, abs=1e-8)
        assert found.extra[name][1] == pytest.approx(error, rel=0.15)


def test_a_long_chain_of_players_is_solved() -> None:
    size = 6000
    a = np.repeat(np.arange(size - 1), 3)
    counts = count(a, a + 1, np.tile([1.0, 0.0, 1.0], size - 1), players=[str(i) for i in range(size)])
    found = BradleyTerry().fit(counts)
    np.testing.assert_allclose(-np.diff(found.rating), np.log(2), atol=1e-6)
    assert found.covariance.ndim == 1 and found.ranks()[0][0] == 1


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
def test_style_control_with_ties_equals_the_plain_fit_without_style(ties) -> None:
    a, b, score, _ = league(6)
    plain = BradleyTerry(ties=ties).fit(count(a, b, score, players=NAMES))
    found = ControlledBradleyTerry(ties=ties).fit(a, b, score, players=NAMES)
    np.testing.assert_allclose(found.rating, plain.rating, atol=1e-7)
    np.testing.assert_allclose(found.covariance, plain.covariance, atol=1e-7)
    assert found.extra["tie"] == pytest.approx(plain.extra["tie"], abs=1e-7)


def test_covariates_that_say_the_same_are_refused() -> None:
    a, b, score, _ = league(7, battles=300)
    z = np.random.default_rng(0).normal(size=(300, 1))
    with pytest.raises(SettingError, match="not independent"):
        ControlledBradleyTerry().fit(a, b, score, players=NAMES, covariates=np.hstack([z, 2 * z]), names=["x", "y"])


def test_every_form_of_the_same_battles_gives_the_same_counts() -> None:
    import pandas as pd
    import pyarrow as pa

    a, b, score, _ = league(8, battles=400)
    words = {1.0: "model_a", 0.0: "model_b", 0.5: "tie"}
    columns = {
        "model_a": [NAMES[i] for i in a],
        "model_b": [NAMES[i] for i in b],
        "winner": [words[s] for s in score.tolist()],
    }
    wanted = count(a, b, score, players=NAMES).matrices()
    frame = pd.DataFrame(columns)
    forms = [columns, frame, frame.astype("category"), pa.table(columns), frame.assign(weight=1.0)]
    said = [
        x if s == 1 else y if s == 0 else "tie"
        for x, y, s in zip(columns["model_a"], columns["model_b"], score.tolist(), strict=True)
    ]
    for form in [*forms, frame.assign(winner=said)]:
        found = as_counts(form)
        assert isinstance(found, Counts) and found.battles == 400
        for one, two in zip(found.matrices(), wanted, strict=True):
            np.testing.assert_allclose(one, two)
    with pytest.raises(DataError, match="winner 'nobody'"):
        as_counts(frame.assign(winner="nobody"))
    with pytest.raises(DataError, match="expected two names"):
        as_counts({"x": [1]})


def test_intervals_cover_the_truth_in_a_thousand_leagues() -> None:
    inside = total = ranks_missed = ranks = 0
    skill = np.linspace(-1, 1, 8)
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        a = rng.integers(0, 8, 1200)
        b = (a + rng.integers(1, 8, 1200)) % 8
        score = (rng.random(1200) < 1 / (1 + np.exp(skill[b] - skill[a]))).astype(float)
        found = BradleyTerry().fit(count(a, b, score, players=[str(i) for i in range(8)]))
        low, high = found.interval().T
        inside += int(((low < skill) & (skill < high)).sum())
        total += 8
        _, best, worst = found.ranks()
        truth = 8 - np.arange(8)
        ranks_missed += int(((truth < best) | (truth > worst)).sum())
        ranks += 8
    assert 0.93 <= inside / total <= 0.97
    assert ranks_missed / ranks <= 0.05
