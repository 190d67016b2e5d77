"""Texts of one word and a shared suffix: the world in which the two sides of a pair are tied together."""

from __future__ import annotations

import torch
from torch import Tensor

from zermelo.claims.benches import END, Texts, TinyPolicy, imitate, sequence_batch
from zermelo.objectives import DPO, NormalisedDPO

__all__ = ["SharedSuffix", "alone"]

PROMPTS, WORDS, FILLERS, LONGEST, NOISE, LENGTHS = 50, 8, 10, 12, 0.2, (0, 3, 12)


class SharedSuffix:
    """A good or a bad word, then 0 to 12 tokens of the prompt's template with 20 % noise, then the end.

    Half of the 8 words are good. A pair is the prompt's good word against its bad one, before the same suffix.

    Args:
        seed: Of everything random.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = torch.Generator().manual_seed(seed)
        self.vocabulary = 1 + WORDS + FILLERS
        self.template = torch.randint(1 + WORDS, self.vocabulary, (PROMPTS, LONGEST), generator=self.rng)
        self._sides: Tensor | None = None

    def start(self) -> TinyPolicy:
        """A policy that has imitated 3,000 texts; every prompt has its own frequencies of words."""
        frequency = torch.randn(PROMPTS, WORDS, generator=self.rng).softmax(-1)
        prompt = torch.randint(PROMPTS, (3000,), generator=self.rng)
        word = 1 + torch.multinomial(frequency[prompt], 1, generator=self.rng).squeeze(1)
        length = torch.tensor(LENGTHS)[torch.randint(len(LENGTHS), (3000,), generator=self.rng)]
        texts = self._texts(word, prompt, self._suffix(prompt), length)
        policy = TinyPolicy(self.vocabulary, PROMPTS, LONGEST + 2, seed=self.seed)
        return imitate(policy, texts, steps=400, lr=1e-2, seed=self.seed)

    def pairs(self, n: int, length: int) -> Texts:
        """`n` pairs with a suffix of that length, the preferred side first. [2n]"""
        if self._sides is None:
            half = torch.tensor([0, WORDS // 2])  # words of the first half are good, the others bad
            self._sides = half + torch.randint(WORDS // 2, (PROMPTS, 2), generator=self.rng)
        prompt = torch.randint(PROMPTS, (n,), generator=self.rng)
        suffix = self._suffix(prompt).repeat_interleave(2, 0)
        word = 1 + self._sides[prompt].reshape(-1)
        return self._texts(word, prompt.repeat_interleave(2), suffix, torch.full((2 * n,), length))

    def _suffix(self, prompt: Tensor) -> Tensor:
        wanted = self.template[prompt]
        other = torch.randint(1 + WORDS, self.vocabulary, wanted.shape, generator=self.rng)
        return torch.where(torch.rand(wanted.shape, generator=self.rng) < NOISE, other, wanted)

    @staticmethod
    def _texts(word: Tensor, prompt: Tensor, suffix: Tensor, length: Tensor) -> Texts:
        tokens = torch.full((len(prompt), LONGEST + 2), -1)
        tokens[:, 0] = word
        kept = torch.arange(LONGEST) < length.unsqueeze(1)
        tokens[:, 1:-1] = torch.where(kept, suffix, torch.full_like(suffix, -1))
        tokens[torch.arange(len(prompt)), 1 + length] = END
        return Texts(prompt, tokens)


def alone(
    start: TinyPolicy, pair: Texts, *, beta: float, steps: int, lr: float, normalise: bool = False
) -> tuple[float, float]:
    """Changes of both log-probabilities by plain SGD of DPO on one pair, in nats.

    Args:
        start: Where training begins; also the reference.
        pair: Two texts, the preferred first.
        beta: DPO's β.
        steps: SGD steps.
        lr: Learning rate.
        normalise: Step by the normalised rule instead.
    """
    policy, rule = start.copy(), NormalisedDPO(beta=beta)
    named = dict(policy.named_parameters())
    with torch.no_grad():
        ref, before = start.logps(pair), start.sums(pair)
    for _ in range(steps):
        losses = (rule if normalise else DPO(beta=beta))(sequence_batch(policy, pair, ref))
        parts = {}
        for item in losses:
            found = torch.autograd.grad(item.each.mean(), list(named.values()), retain_graph=True)
            parts[item.name] = dict(zip(named, found, strict=True))
        step = rule.gradient_rule(parts) if normalise else parts["dpo"]
        with torch.no_grad():
            for name, weight in named.items():
                weight.sub_(lr * step[name])
    with torch.no_grad():
        up, down = (policy.sums(pair) - before).tolist()
    return up, down
