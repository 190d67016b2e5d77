"""Splits never share a prompt or a near-duplicate of one, and depend on nothing but the prompts and the seed."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import SettingError, ZermeloWarning
from zermelo.feedback import Feedback, Group, Message
from zermelo.feedback.neardup import clusters

WORDS = [f"word{i}" for i in range(400)]


def prompts(n: int, *, seed: int = 0, length: int = 20) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=length)) for _ in range(n)]


def collection(texts: list[str]) -> Feedback:
    return Feedback.of(Group(f"g{i}", text) for i, text in enumerate(texts))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=30), st.integers(0, 5), st.randoms())
@pytest.mark.filterwarnings("ignore::zermelo.errors.ZermeloWarning")
def test_no_prompt_is_on_both_sides_whatever_the_order(texts: list[str], seed: int, rng: random.Random) -> None:
    shares = {"train": 0.7, "dev": 0.1, "test": 0.2}
    found = [Group(f"g{i}", text) for i, text in enumerate(texts)]
    parts = Feedback.of(found).split(shares, seed=seed)
    assert sorted(name for part in parts.values() for name in part.ids()) == sorted(group.id for group in found)
    keys = [set(part.keys()) for part in parts.values()]
    assert not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])
    rng.shuffle(found)
    again = Feedback.of(found).split(shares, seed=seed)
    assert {name: set(part.ids()) for name, part in parts.items()} == {
        name: set(part.ids()) for name, part in again.items()
    }


def test_shares_are_kept_and_seeds_differ() -> None:
    feedback = collection(prompts(1000))
    parts = feedback.split({"train": 9, "test": 1}, seed=0)
    assert [len(part) for part in parts.values()] == [900, 100]
    other = feedback.split({"train": 9, "test": 1}, seed=1)
    assert set(parts["test"].ids()) != set(other["test"].ids())


def test_more_data_moves_few_prompts() -> None:
    texts = prompts(1100)
    before = set(collection(texts[:1000]).split({"train": 9, "test": 1})["test"].ids())
    after = set(collection(texts).split({"train": 9, "test": 1})["test"].ids())
    assert len(before - after) < 25


def test_near_duplicates_stay_together() -> None:
    texts = prompts(200)
    near = [text.upper().replace(" ", "  ") + "!" for text in texts] + [f"{text} please" for text in texts]
    parts = collection(texts + near).split({"a": 0.5, "b": 0.5})
    side = {name: label for label, part in parts.items() for name in part.ids()}
    assert all(side[f"g{i}"] == side[f"g{i + 200}"] == side[f"g{i + 400}"] for i in range(200))
    apart = collection(texts + near).split({"a": 0.5, "b": 0.5}, near=None)
    side = {name: label for label, part in apart.items() for name in part.ids()}
    assert any(side[f"g{i}"] != side[f"g{i + 400}"] for i in range(200))


def test_a_conversation_and_its_text_are_one_prompt() -> None:
    found = [Group("a", "hello there you"), Group("b", (Message("user", "hello there you"),)), Group("c", "else")]
    for seed in range(8):
        parts = Feedback.of(found).split({"x": 0.5, "y": 0.5}, seed=seed)
        assert {"a", "b"} <= set(parts["x"].ids()) or {"a", "b"} <= set(parts["y"].ids())


def test_one_template_for_all_prompts_is_warned_of() -> None:
    texts = [f"{'please answer the following question as well as you can ' * 3}{i}" for i in range(50)]
    with pytest.warns(ZermeloWarning, match="near-duplicates"):
        collection(texts).split({"a": 0.5, "b": 0.5})


def test_shares_that_are_no_shares_are_refused() -> None:
    with pytest.raises(SettingError, match="positive"):
        collection(["x"]).split({"train": 1.0, "test": 0.0})


def exact(texts: list[str], similarity: float) -> Counter[frozenset[int]]:
    """Single-link clusters by comparing all pairs of word-triple sets."""
    sets = [set(zip(w, w[1:], w[2:], strict=False)) for w in (text.split() for text in texts)]
    label = list(range(len(texts)))
    for i in range(len(texts)):
        for j in range(i):
            if len(sets[i] & sets[j]) >= similarity * len(sets[i] | sets[j]):
                old, new = label[i], label[j]
                label = [new if item == old else item for item in label]
    return Counter(frozenset(i for i, item in enumerate(label) if item == name) for name in set(label))


def test_clusters_are_those_of_all_pairs_compared() -> None:
    rng = random.Random(0)
    texts = prompts(150, length=30)
    for text in texts[:60]:
        words = text.split()
        for _ in range(rng.choice([1, 1, 8])):
            words[rng.randrange(len(words))] = "changed"
        texts.append(" ".join(words))
    found = clusters(texts, similarity=0.75)
    got = Counter(frozenset(i for i, item in enumerate(found) if item == name) for name in set(found.tolist()))
    assert got == exact(texts, 0.75)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("What is the capital of France?", "what is the capital of france", True),
        ("3 + 4 =", "3 - 4 =", False),
        ("", " ", True),
        ("hi", "hi!", True),
        ("今天天气怎么样我们去哪里", "今天天气怎么样我们去哪里?", True),
        ("今天天气怎么样", "明天有什么好吃的", False),
        ("Café au lait s'il vous plaît", "Café au lait s'il vous plaît.", True),
    ],
)
def test_words_are_what_carries_meaning(one: str, other: str, together: bool) -> None:
    assert (len(set(clusters([one, other]).tolist())) == 1) is together
