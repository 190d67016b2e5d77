"""The claims' worked sums: who is right, and text and tokens are the same thing."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch")

from zermelo.claims.chain_world import Chains  # noqa: E402
from zermelo.claims.sequence_bench import texts_of  # noqa: E402


def test_a_sum_is_right_when_its_answer_is() -> None:
    world = Chains()
    ask = [world.digit + d for d in (1, 2, 2, 0)] + [world.mode]  # 5 mod 3 = 2
    good, bad = [world.step, 3, world.answer, world.digit + 2], [world.answer, world.digit + 1]
    right, length = world.score(texts_of([ask] * 3, [good, bad, good[:2]], room=world.room))
    assert right.tolist() == [1, 0, 0]
    assert length.tolist() == [5, 3, 3]  # the end token counts


def test_a_careful_writer_is_always_right_and_a_terse_one_short() -> None:
    world, rng = Chains(slip=0.0), random.Random(1)
    for mode in ("long", "short", "free"):
        for _ in range(200):
            ask = world.prompt(rng, mode)
            text = world.written(ask, rng)
            assert world.right(ask, text)
            assert len(text) < world.room
            if mode == "short":
                assert len(text) <= 10
            if mode == "long":
                assert len(text) >= 18


def test_text_and_back_gives_the_tokens() -> None:
    world, rng = Chains(), random.Random(2)
    for _ in range(300):
        tokens = world.written(world.prompt(rng), rng)
        assert world.tokens(world.text(tokens)) == tokens
    assert world.text([world.step + 1, 4, world.check, 4, world.answer, 4]) == "[STEP 2] 2. Wait, 2. \\boxed{2}. "
