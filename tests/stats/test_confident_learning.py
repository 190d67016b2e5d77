"""Confident learning: the hand case, published counts, and the peer's suspects on the same probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.stats.confident_learning import ConfidentLearning, calibrated_joint, class_thresholds, confident_joint

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
PROBS = np.array(
    [
        [0.9, 0.05, 0.05],
        [0.8, 0.1, 0.1],
        [0.7, 0.2, 0.1],
        [0.1, 0.8, 0.1],
        [0.1, 0.8, 0.1],
        [0.2, 0.6, 0.2],
        [0.85, 0.1, 0.05],
        [0.1, 0.1, 0.8],
        [0.2, 0.1, 0.7],
        [0.1, 0.3, 0.6],
    ]
)


def noisy(seed: int, n: int = 400, k: int = 4, rate: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Labels with flips, and probabilities of a good but not perfect classifier."""
    rng = np.random.default_rng(seed)
    true = rng.integers(k, size=n)
    given = np.where(rng.random(n) < rate, rng.integers(k, size=n), true)
    given[:k] = np.arange(k)
    logits = rng.normal(size=(n, k)) + 3 * np.eye(k)[true]
    probs = np.exp(logits)
    return given, probs / probs.sum(axis=1, keepdims=True)


def test_the_ten_items_worked_by_hand() -> None:
    assert class_thresholds(LABELS, PROBS) == pytest.approx([0.625, 0.5, 0.7])
    assert confident_joint(LABELS, PROBS).tolist() == [[3, 1, 0], [1, 2, 0], [0, 0, 2]]
    found = ConfidentLearning(prune="confusion").find(LABELS, PROBS)
    assert found.ranked().tolist() == [6, 3]  # margins −0.75 and −0.70
    assert found.margin[[3, 6]] == pytest.approx([-0.7, -0.75])
    assert found.joint == pytest.approx(np.array([[3, 1, 0], [1, 2, 0], [0, 0, 3]]))
    assert found.n_errors == pytest.approx(2) and found.error_rate == pytest.approx(0.2)
    assert found.noise[:, 0] == pytest.approx([0.75, 0.25, 0])
    for prune in ("noise_rate", "class", "both"):
        assert set(ConfidentLearning(prune=prune).find(LABELS, PROBS).ranked().tolist()) == {3, 6}


def test_labels_that_the_classifier_is_sure_of_have_no_issue() -> None:
    for prune in ("noise_rate", "class", "both", "confusion"):
        found = ConfidentLearning(prune=prune).find(LABELS, np.eye(3)[LABELS])
        assert not found.issue.any() and found.n_errors == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_renaming_the_classes_changes_nothing(seed: int) -> None:
    y, p = noisy(seed)
    order = np.random.default_rng(seed).permutation(4)
    for prune in ("noise_rate", "class", "confusion"):
        plain = ConfidentLearning(prune=prune).find(y, p)
        renamed = ConfidentLearning(prune=prune).find(np.argsort(order)[y], p[:, order])
        assert plain.joint == pytest.approx(renamed.joint[np.ix_(np.argsort(order), np.argsort(order))])
        assert (plain.issue == renamed.issue).mean() >= 0.98  # remainders that are equal round either way


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rows_of_the_joint_sum_to_the_class_counts(seed: int) -> None:
    y, p = noisy(seed, rate=0.3)
    assert ConfidentLearning().find(y, p).joint.sum(axis=1) == pytest.approx(np.bincount(y, minlength=4))


def test_a_class_without_a_confident_item_is_left_in_peace() -> None:
    joint = calibrated_joint([[0, 0], [1, 3]], [5, 8])
    assert joint.tolist() == [[5, 0], [2, 6]]


def test_a_class_that_no_item_bears_is_no_trouble() -> None:
    found = ConfidentLearning().find([0, 0, 1, 1], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    assert np.isnan(found.thresholds[2]) and found.joint[2].sum() == 0


def test_planted_flips_are_found_and_counted() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=3000)
    given = np.where(rng.random(3000) < 0.12, (true + 1) % 3, true)
    logits = 0.7 * rng.normal(size=(3000, 3)) + 4 * np.eye(3)[true]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = ConfidentLearning().find(given, probs)
    wrong = given != true
    assert found.error_rate == pytest.approx(wrong.mean(), abs=0.01)
    assert wrong[found.issue].mean() > 0.95 and found.issue[wrong].mean() > 0.95
    assert found.noise[1, 0] == pytest.approx(0.12, abs=0.02)  # the one confusion that was planted


def test_published_counts_of_two_test_sets(shared_data: Path) -> None:
    import pandas as pd

    counts = {}
    for name in ("mnist", "cifar10"):
        frame = pd.read_parquet(shared_data / "label_errors" / f"{name}_probs.parquet")
        p, y = frame[[f"p{k}" for k in range(10)]].to_numpy(), frame["label"].to_numpy()
        found = ConfidentLearning(prune="confusion").find(y, p)
        off = int(found.confident.sum() - np.trace(found.confident))
        by = {rule: int(ConfidentLearning(prune=rule).find(y, p).issue.sum()) for rule in ("class", "noise_rate")}
        counts[name] = (off, round(found.n_errors, 1), by["class"], by["noise_rate"])
    assert counts["mnist"][:2] == (15, 15.9)
    assert counts["cifar10"][:2] == (244, 283.1)
    assert counts["cifar10"][2:] == (284, 284)  # as the published tutorial prints; the paper has 275
    assert counts["mnist"][2:] == (15, 15)


PEER = {
    "noise_rate": "prune_by_noise_rate",
    "class": "prune_by_class",
    "both": "both",
    "confusion": "confident_learning",
}


@pytest.mark.parametrize("prune", PEER)
def test_the_peer_finds_the_same_suspects(prune: str) -> None:
    pytest.importorskip("cleanlab", reason="cleanlab is not installed (extra bench)")
    from cleanlab.filter import find_label_issues

    for seed in range(5):
        y, p = noisy(seed, n=1000)
        theirs = find_label_issues(y, p, filter_by=PEER[prune], n_jobs=1)
        ours = ConfidentLearning(prune=prune).find(y, p).issue  # type: ignore[arg-type]
        assert (ours & theirs).sum() / (ours | theirs).sum() >= 0.95


@pytest.mark.parametrize(
    ("labels", "probs", "code"),
    [
        ([], np.zeros((0, 2)), "nothing-to-measure"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "off-scale"),
        ([0, 1], [[0.5, np.nan], [0.5, 0.5]], "nan-score"),
    ],
)
def test_bad_labels_and_probabilities_are_refused(labels: list[int], probs: object, code: str) -> None:
    with pytest.raises(DataError) as error:
        ConfidentLearning().find(labels, probs)
    assert error.value.code == code


def test_a_rule_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingError):
        ConfidentLearning(prune="all")  # type: ignore[arg-type]
