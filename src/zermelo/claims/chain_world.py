"""A world of worked sums for claims: four digits modulo three, added step by step, tersely or with checks.

    d₁ d₂ d₃ d₄ mode → step 1 · s₁ · [check · s₁ …] step 2 · s₂ … answer · s₄,   s_k = s_{k−1} + d_k mod 3

A writer may slip in a step, leave a step out (harder: two digits at once), and check a step, which mends half of the
slips. Runs on `sequence_bench`; as text, tokens are words, for the methods that read text.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zermelo.claims.sequence_bench import END, Texts, WindowLM, ragged, texts_of, train
from zermelo.objectives import SFT, RaggedBatch

__all__ = ["MODES", "Chains", "fitted"]

MODULUS = 3
MODES = ("free", "long", "short")


@dataclass(frozen=True)
class Chains:
    """Tokens: 2 … 4 digits, then four step marks, the check mark, the answer mark, and three modes.

    Args:
        slip: Probability that a written step is wrong by chance.
        skip: Probability that a terse writer leaves a step out.
    """

    slip: float = 0.06
    skip: float = 0.4

    digit = 2
    step = 5
    check = 9
    answer = 10
    mode = 11
    vocab = 14
    room = 30
    prompt_length = 5

    def prompt(self, rng: random.Random, mode: str = "free") -> list[int]:
        """Four digits and a mode."""
        return [*(self.digit + rng.randrange(MODULUS) for _ in range(4)), self.mode + MODES.index(mode)]

    def asked(self, ask: Sequence[int], mode: str) -> list[int]:
        """The same sum in another mode."""
        return [*ask[:4], self.mode + MODES.index(mode)]

    def written(self, ask: Sequence[int], rng: random.Random) -> list[int]:
        """A worked sum in the prompt's mode: `long` checks each step once or twice, `short` never and leaves steps out,
        `free` is either or, in half of the cases, between."""
        mode = MODES[ask[4] - self.mode]
        style = mode if mode != "free" else rng.choice(("long", "short", "between", "between"))
        text: list[int] = []
        total = 0
        for place in range(4):
            total = (total + ask[place] - self.digit) % MODULUS
            if place < 3 and style == "short" and rng.random() < self.skip:
                continue
            said = total
            if rng.random() < self.slip:
                said = (total + rng.randrange(1, MODULUS)) % MODULUS
            text += [self.step + place, self.digit + said]
            for _ in range({"long": rng.randint(1, 2), "short": 0}.get(style, rng.randint(0, 1))):
                said = total if rng.random() < 0.5 else said
                text += [self.check, self.digit + said]
            total = said
        return [*text, self.answer, self.digit + total]

    def right(self, ask: Sequence[int], response: Sequence[int]) -> bool:
        """Whether the response ends in the answer mark and the right digit."""
        body = [token for token in response if token > END]
        truth = sum(token - self.digit for token in ask[:4]) % MODULUS
        return body[-2:] == [self.answer, self.digit + truth]

    def score(self, texts: Texts) -> tuple[Tensor, Tensor]:
        """Whether each response is right, and its length. [N], [N]"""
        rows = texts.tokens.tolist()
        good = [self.right(row[: texts.prompt], row[texts.prompt :]) for row in rows]
        return torch.tensor(good, dtype=torch.float32), texts.lengths.float()

    def text(self, response: Sequence[int]) -> str:
        """Response tokens as text: `[STEP 1] 3 Wait, 3 … \\boxed{4}`."""
        words: list[str] = []
        for token in response:
            if self.digit <= token < self.step:
                words.append(
                    f"{{{token - self.digit}}}. " if words and words[-1] == "\\boxed" else f"{token - self.digit}. "
                )
            elif self.step <= token < self.check:
                words.append(f"[STEP {token - self.step + 1}] ")
            elif token == self.check:
                words.append("Wait, ")
            elif token == self.answer:
                words.append("\\boxed")
        return "".join(words)

    def tokens(self, text: str) -> list[int]:
        """The tokens that `text` writes that way."""
        marks = text.replace("[STEP ", "s").replace("\\boxed{", "a").replace("Wait, ", "w")
        found: list[int] = []
        for place, sign in enumerate(marks):
            if sign == "w":
                found.append(self.check)
            elif sign == "a":
                found.append(self.answer)
            elif sign.isdigit():
                step = place > 0 and marks[place - 1] == "s"
                found.append(self.step + int(sign) - 1 if step else self.digit + int(sign))
        return found


def fitted(world: Chains, rng: random.Random, *, seed: int, n: int = 4000, steps: int = 1500) -> WindowLM:
    """A model of n worked sums in all modes."""
    asks = [world.prompt(rng, rng.choice(MODES)) for _ in range(n)]
    corpus = texts_of(asks, [world.written(ask, rng) for ask in asks], room=world.room)
    policy = WindowLM(world.vocab, window=4, pinned=world.prompt_length, hidden=64, seed=seed)

    def draw(model: WindowLM, draws: torch.Generator) -> RaggedBatch:
        return ragged(model, corpus.take(torch.randint(n, (64,), generator=draws)))

    train(policy, SFT(of="all"), draw, steps=steps, lr=5e-3, seed=seed)
    return policy
