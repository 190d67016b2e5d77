"""`noise.labels` and its probe on hand-made data: it fires at the planted rate, names the rows, and else is silent."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.noise.features import response_features, word_features
from zermelo.doctor.noise.labels import Labels
from zermelo.doctor.noise.probe import cross_fitted, folds_of, pair_probe, ridge
from zermelo.doctor.noise.suspects import Suspects, confident_pairs, label_suspects
from zermelo.doctor.protocol import Finding, Passed, Skipped
from zermelo.feedback import Feedback, Group, Judgement, Response

GOOD, BAD, PLAIN = ["kind", "clear", "exact"], ["rude", "vague", "false"], [f"word{k}" for k in range(60)]


def text(rng: random.Random, quality: int) -> str:
    words = [rng.choice(PLAIN) for _ in range(12)] + [rng.choice(GOOD if quality > 0 else BAD)] * abs(quality)
    rng.shuffle(words)
    return " ".join(words)


def groups(n: int = 600, *, flips: float = 0.0, seed: int = 0, skill: bool = True) -> tuple[list[Group], list[int]]:
    """Pairs of which the one with the good word is better, and which of them are flipped."""
    rng = random.Random(seed)
    made, wrong = [], []
    for k in range(n):
        better = rng.random() < 0.5
        sign = 1 if better else -1  # some pairs are hard, so that the probe is surer of others
        sides = [text(rng, sign * rng.randint(0, 3)), text(rng, -sign * rng.randint(1, 3))]
        if not skill:
            sides = [text(rng, 0), text(rng, 0)]
        flipped = rng.random() < flips
        if flipped:
            wrong.append(k)
        said = Judgement("comparison", (0, 1), by="a", value=float(better != flipped))
        made.append(Group(f"g{k}", f"question {k}", tuple(Response(side) for side in sides), (said,)))
    return made, wrong


def one(case: Case) -> object:
    (result,) = Labels().run(case)
    return result


@pytest.mark.parametrize(("flips", "severity"), [(0.05, "medium"), (0.2, "high")])
def test_planted_flips_are_counted_and_named(flips: float, severity: str) -> None:
    made, wrong = groups(flips=flips)
    found = one(Case(Feedback.of(made)))
    assert isinstance(found, Finding) and found.severity == severity
    assert found.figure is not None and found.figure.low <= len(wrong) / 600 <= found.figure.high
    named = set(found.rows.tolist())
    assert len(named & set(wrong)) / len(named) > 0.9 and len(named & set(wrong)) / len(wrong) > 0.9
    assert (np.diff(found.scores) <= 0).all() and found.scores.min() > 0.5
    assert found.examples[0].row == found.rows[0]
    assert found.details["confident_learning_rate"] == pytest.approx(len(wrong) / 600, abs=0.03)


def test_clean_labels_pass() -> None:
    found = one(Case(Feedback.of(groups()[0])))
    assert isinstance(found, Passed) and found.figure is not None and found.figure.value < 0.01


def test_a_probe_without_skill_says_that_nothing_can_be_told() -> None:
    found = one(Case(Feedback.of(groups(skill=False)[0])))
    assert isinstance(found, Skipped) and "no better than chance" in found.why


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ([], "no texts"),
        ([Group("a", "q", (Response("one"), Response("two")), ())] * 3, "no preferences"),
        (groups(10)[0], "60 or more"),
        ([Group(f"g{k}", "the same", (Response(f"a {k}"), Response("b")), (Judgement("comparison", (0, 1), value=1.0),))
          for k in range(100)], "different prompts"),
    ],
)  # fmt: skip
def test_what_it_cannot_look_at_it_says(made: list[Group], why: str) -> None:
    found = one(Case(Feedback.of(made)))
    assert isinstance(found, Skipped) and why in found.why


def test_a_sample_says_that_it_is_one() -> None:
    found = one(Case(Feedback.of(groups(flips=0.2)[0]), n_pairs=400))
    assert isinstance(found, Finding) and "a sample of 600" in found.title


def test_labels_of_single_responses_are_looked_at() -> None:
    rng = random.Random(1)
    made, wrong = [], []
    for k in range(600):
        good, flipped = rng.random() < 0.5, rng.random() < 0.1
        said = Judgement("label", (0,), value=float(good != flipped))
        made.append(Group(f"g{k}", f"question {k}", (Response(text(rng, 2 if good else -2)),), (said,)))
        wrong += [k] if flipped else []
    found = one(Case(Feedback.of(made)))
    assert isinstance(found, Finding) and "labels" in found.title and found.fix == "drop-suspects"
    assert found.figure is not None and found.figure.value == pytest.approx(len(wrong) / 600, abs=0.03)
    assert len(set(found.rows.tolist()) & set(wrong)) > 0.9 * len(wrong)


def test_a_single_class_of_label_is_skipped() -> None:
    made = [Group(f"g{k}", f"q {k}", (Response("x"),), (Judgement("label", (0,), value=1.0),)) for k in range(80)]
    assert isinstance(one(Case(Feedback.of(made))), Skipped)


def test_no_pair_is_scored_by_a_member_that_saw_its_prompt() -> None:
    # the label is in nothing but the row itself: a member that saw it would know it by heart
    rng = np.random.default_rng(0)
    delta = np.eye(100)[rng.permutation(100) // 2]  # twins share their only feature, and their group
    margins = cross_fitted(delta, delta.argmax(axis=1), seed=0)
    assert (margins == 0).all()
    fold = folds_of(np.repeat(np.arange(50), 2), 5, seed=1)
    assert (fold[::2] == fold[1::2]).all() and np.bincount(fold).tolist() == [20] * 5


def test_ridge_is_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 8)), rng.normal(size=50)
    assert ridge(x, y, l2=2.0) == pytest.approx(np.linalg.solve(x.T @ x + 2 * np.eye(8), x.T @ y), abs=1e-4)


def test_word_features_are_tf_idf_of_words_and_pairs_by_hand() -> None:
    x = word_features(["a b", "a b", "a b", "c"], least=1).toarray()
    assert x.shape == (4, 4)  # a, b, "a b", c
    assert sorted(x[0].round(6))[1:] == pytest.approx([1 / np.sqrt(3)] * 3, abs=1e-6)
    assert sorted(x[3]) == pytest.approx([0, 0, 0, 1])
    assert (word_features(["", "🙂🙂", "x"], least=1).toarray()[0] == 0).all()


def test_a_reply_that_takes_up_its_prompt_is_known_by_it() -> None:
    x = response_features(["apples pears"] * 4, ["apples pears", "apples", "plums", "pears apples"])
    taken = np.asarray(x[:, -3].todense()).ravel() / 3
    assert taken[2] == 0 and 0 < taken[1] < taken[3] < taken[0] == pytest.approx(1)  # the pair in order counts too


def test_both_orders_are_one_item() -> None:
    belief = np.r_[np.full(90, 0.9), np.full(10, 0.1)]
    issues, suspect = confident_pairs(belief)
    assert issues.thresholds[0] == pytest.approx(issues.thresholds[1])
    assert issues.joint[0, 1] == pytest.approx(issues.joint[1, 0])
    assert issues.error_rate == pytest.approx(0.1) and np.flatnonzero(suspect).tolist() == list(range(90, 100))


def test_the_probe_is_made_once_for_a_case() -> None:
    case = Case(Feedback.of(groups(100)[0]))
    assert pair_probe(case) is pair_probe(case)
    assert isinstance(label_suspects(case), Suspects)


def test_probabilities_of_a_half_are_no_preferences() -> None:
    sides = (Response("one"), Response("two"))
    made = [Group(f"g{k}", f"q{k}", sides, (Judgement("comparison", (0, 1), value=0.5),)) for k in range(100)]
    found = one(Case(Feedback.of(made)))
    assert isinstance(found, Skipped) and "0 preferences" in found.why


def test_texts_of_nothing_but_emoji_are_looked_at_without_harm() -> None:
    made = [
        Group(
            f"g{k}",
            "🙂" * (k % 50 + 1),
            (Response("🙂🙃"), Response("🙃")),
            (Judgement("comparison", (0, 1), value=k % 2),),
        )
        for k in range(200)
    ]
    assert isinstance(one(Case(Feedback.of(made))), Skipped)


def test_human_choices_that_a_weak_probe_misses_are_not_all_called_wrong(shared_data: Path) -> None:
    case = Case(Feedback.read(shared_data / "hh_harmless" / "test_dev.parquet"))
    found = one(case)
    assert isinstance(found, Passed) and found.figure is not None
    assert 0.55 < float(found.details["probe_accuracy"]) < 0.7
    assert found.figure.low == 0 and found.figure.high < 0.35
    assert float(found.details["confident_learning_rate"]) > 0.25  # which takes the probe's errors for the labels'


def test_a_text_is_embedded_once_for_all_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    from zermelo.doctor.noise import features
    from zermelo.scorers import encoders

    asked: list[str] = []

    class Lengths:
        name = "lengths"

        def encode(self, texts: list[str]) -> np.ndarray:
            asked.extend(texts)
            return np.array([[len(text), 1.0] for text in texts], np.float32).reshape(-1, 2)

    monkeypatch.setattr(encoders, "encoder", lambda name: Lengths())
    monkeypatch.setattr(features, "_EMBEDDED", {})
    assert features.embeddings(["a", "bb", "a"], "lengths")[:, 0].tolist() == [1, 2, 1]
    assert features.embeddings(["bb", "ccc"], "lengths")[:, 0].tolist() == [2, 3]
    assert asked == ["a", "bb", "ccc"] and features.embeddings([], "lengths").shape == (0, 2)
    monkeypatch.setattr(features, "KEPT", 1)
    features.embeddings(["dddd"], "lengths")
    assert len(features._EMBEDDED) == 1
    x = response_features(["a b", "c"], ["a b c", "d"], ["e", "f"], encoder="lengths")
    assert x.shape == (4, 5) and np.isfinite(x).all()
