"""The world of the shared suffix, and training on one pair."""

from __future__ import annotations

import pytest
import torch

from zermelo.claims.benches import END
from zermelo.claims.shared_suffix import SharedSuffix, alone

BETA, LR = 0.1, 1e-3


@pytest.fixture(scope="module")
def world() -> SharedSuffix:
    return SharedSuffix(3)


@pytest.mark.parametrize("length", [0, 3, 12])
def test_the_sides_of_a_pair_differ_in_the_first_word_alone(world: SharedSuffix, length: int) -> None:
    pairs = world.pairs(40, length)
    good, bad = pairs.tokens[0::2], pairs.tokens[1::2]
    assert bool((good[:, 1:] == bad[:, 1:]).all())
    assert bool(((good[:, 0] >= 1) & (good[:, 0] <= 4) & (bad[:, 0] >= 5) & (bad[:, 0] <= 8)).all())
    assert bool((pairs.lengths == length + 2).all())
    assert bool((pairs.tokens[:, 1 + length] == END).all())


def test_a_prompt_keeps_its_two_words(world: SharedSuffix) -> None:
    first, again = world.pairs(200, 0), world.pairs(200, 3)
    words = {}
    for pairs in (first, again):
        for prompt, word, other in zip(
            pairs.prompt[0::2].tolist(), pairs.tokens[0::2, 0].tolist(), pairs.tokens[1::2, 0].tolist(), strict=True
        ):
            assert words.setdefault(prompt, (word, other)) == (word, other)


def test_one_small_step_moves_both_sides_as_the_gradients_foretell(world: SharedSuffix) -> None:
    # Δ log π_w = η d (‖g_w‖² − ⟨g_w, g_l⟩), d = β σ(0) = β/2 at the start
    start, pair = world.start(), world.pairs(1, 3)
    g = []
    for row in range(2):
        found = torch.autograd.grad(start.sums(pair)[row], list(start.parameters()))
        g.append(torch.cat([part.reshape(-1) for part in found]))
    win, lose = g
    scale = LR * BETA / 2
    wanted = [float(scale * (win @ win - win @ lose)), float(scale * (win @ lose - lose @ lose))]
    assert list(alone(start, pair, beta=BETA, steps=1, lr=LR)) == pytest.approx(wanted, rel=0.03)  # second order
    up, down = alone(start, pair, beta=BETA, steps=1, lr=LR, normalise=True)
    assert up > 0 > down
