"""A world of topics for claims: each prompt has a topic, and a response is worth the share of its words on it.

Prompts carry two arbitrary ids besides, so that a little data can be learnt by heart. Runs on `sequence_bench`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zermelo.claims.sequence_bench import Texts, WindowLM, ragged, texts_of
from zermelo.objectives import RaggedBatch

__all__ = ["Topics", "drawer"]


@dataclass(frozen=True)
class Topics:
    """Six topics of four words, responses of six words.

    Args:
        topics: Topics.
        words: Words of each.
        ids: Ids a prompt may hold.
        length: Words of a response.
    """

    topics: int = 6
    words: int = 4
    ids: int = 20
    length: int = 6

    @property
    def vocab(self) -> int:
        """Tokens in all: pad, end, words, topics, ids."""
        return 2 + self.topics * self.words + self.topics + self.ids

    @property
    def room(self) -> int:
        """Places of a response with its end token."""
        return self.length + 1

    def prompt(self, rng: random.Random) -> list[int]:
        """A topic and two ids."""
        first = 2 + self.topics * self.words
        return [
            first + rng.randrange(self.topics),
            *(first + self.topics + rng.randrange(self.ids) for _ in range(2)),
        ]

    def written(self, ask: list[int], share: float, rng: random.Random) -> list[int]:
        """A response each of whose words is on topic with that probability, or else of any topic."""
        topic = ask[0] - 2 - self.topics * self.words
        return [
            2 + self.words * (topic if rng.random() < share else rng.randrange(self.topics)) + rng.randrange(self.words)
            for _ in range(self.length)
        ]

    def corpus(self, n: int, share: float, rng: random.Random) -> Texts:
        """Texts to fresh prompts."""
        asks = [self.prompt(rng) for _ in range(n)]
        return texts_of(asks, [self.written(ask, share, rng) for ask in asks], room=self.room)

    def worth(self, texts: Texts) -> Tensor:
        """Share of the places of a response that hold a word on topic. [N]"""
        topic = texts.tokens[:, :1] - 2 - self.topics * self.words
        word = (texts.responses >= 2) & (texts.responses < 2 + self.topics * self.words)
        return (word & ((texts.responses - 2) // self.words == topic)).sum(1) / self.length


def drawer(
    texts: Texts, n: int, *, ref: WindowLM | None = None, each: int = 1, scores: Tensor | None = None
) -> Callable[[WindowLM, torch.Generator], RaggedBatch]:
    """Draws n groups of `each` neighbouring texts a step, for `train`.

    Args:
        texts: The data, group after group.
        n: Groups of a step.
        ref: The reference.
        each: Texts of a group; of two or more the first is preferred to the last.
        scores: A score of each text. [N]
    """

    def draw(policy: WindowLM, rng: torch.Generator) -> RaggedBatch:
        pick = torch.randint(len(texts) // each, (n,), generator=rng)
        rows = (each * pick[:, None] + torch.arange(each)).flatten()
        place = torch.arange(len(rows))
        ends = torch.stack([place[0::each], place[each - 1 :: each]], 1) if each > 1 else None
        picked = None if scores is None else scores[rows]
        return ragged(policy, texts.take(rows), pairs=ends, group=place // each, ref=ref, scores=picked)

    return draw
