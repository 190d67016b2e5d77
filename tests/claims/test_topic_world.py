"""The claims' world of topics: what a response is worth, and how its batches are put together."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch")

from zermelo.claims.sequence_bench import WindowLM, texts_of  # noqa: E402
from zermelo.claims.topic_world import Topics, drawer  # noqa: E402


def test_worth_is_the_share_of_words_on_topic() -> None:
    world = Topics(topics=2, words=2, ids=3, length=4)  # words 2, 3 of topic 0 and 4, 5 of topic 1; prompts 6 and 7
    texts = texts_of([[6, 8, 8], [7, 8, 8], [7, 9, 9]], [[2, 3, 4, 5], [4, 5, 5, 4], [4]], room=5)
    assert world.worth(texts).tolist() == [0.5, 1.0, 0.25]


def test_written_texts_are_on_topic_as_often_as_asked() -> None:
    world, rng = Topics(), random.Random(3)
    for share in (0.0, 0.7):
        found = float(world.worth(world.corpus(4000, share, rng)).mean())
        assert found == pytest.approx(share + (1 - share) / 6, abs=0.01)  # 24,000 words: 3 standard errors


def test_a_drawn_group_keeps_its_texts_together_and_prefers_its_first() -> None:
    world = Topics()
    texts = world.corpus(30, 0.5, random.Random(1))
    scores = torch.arange(30.0)
    batch = drawer(texts, 4, each=3, scores=scores)(WindowLM(world.vocab, window=4), torch.Generator().manual_seed(0))
    assert batch.response_group.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert batch.pairs.tolist() == [[0, 2], [3, 5], [6, 8], [9, 11]]
    assert (batch.scores.reshape(4, 3)[:, 0] % 3).tolist() == [0, 0, 0, 0]
    assert (batch.scores.reshape(4, 3).diff(dim=1) == 1).all()
