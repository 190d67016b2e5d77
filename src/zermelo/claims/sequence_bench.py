"""A bench for claims about text: a language model of a few thousand weights that every objective can train.

Tokens are small integers: 0 pads, 1 ends a response. A model reads the last few tokens (a window as long as the text
gives it everything), so a step on 64 responses takes a few milliseconds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.objectives import RaggedBatch, weights_of
from zermelo.objectives.protocol import Losses, Term, has_gradient_rule

__all__ = ["END", "PAD", "Texts", "WindowLM", "frozen", "mean_of", "ragged", "sample", "take_step", "texts_of", "train"]

PAD, END = 0, 1


@dataclass(frozen=True)
class Texts:
    """Prompts, all equally long, with a response each.

    Args:
        tokens: Prompt, response with its end token, padding. [N, P + R]
        prompt: P, tokens of every prompt.
    """

    tokens: Tensor
    prompt: int

    def __len__(self) -> int:
        return int(self.tokens.shape[0])

    @property
    def responses(self) -> Tensor:
        """Response tokens, padded. [N, R]"""
        return self.tokens[:, self.prompt :]

    @property
    def real(self) -> Tensor:
        """True where a response token stands. [N, R]"""
        return self.responses != PAD

    @property
    def lengths(self) -> Tensor:
        """Tokens of each response, end token included. [N]"""
        return self.real.sum(1)

    def take(self, index: Tensor) -> Texts:
        """Some of them, in that order."""
        return Texts(self.tokens[index], self.prompt)


def texts_of(prompts: list[list[int]], responses: list[list[int]], *, room: int) -> Texts:
    """Texts from lists; each response gets its end token and `room` places in all (cut beyond)."""
    table = torch.zeros(len(prompts), len(prompts[0]) + room, dtype=torch.long)
    for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        whole = (prompt + response + [END])[: table.shape[1]]
        table[row, : len(whole)] = torch.tensor(whole)
    return Texts(table, len(prompts[0]))


class WindowLM(nn.Module):
    """log π(y_t | the first `pinned` and the last `window` tokens): embeddings side by side, residual blocks, a head.

    Args:
        vocab: V, pad and end included.
        window: Last tokens it reads.
        pinned: First tokens of the prompt it reads besides, wherever it is.
        width: Size of an embedding.
        hidden: Size of the residual stream.
        blocks: Residual blocks x + W tanh(Ux).
        seed: Seeds the weights.
    """

    def __init__(
        self,
        vocab: int,
        *,
        window: int,
        width: int = 12,
        hidden: int = 48,
        blocks: int = 1,
        pinned: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.window, self.pinned = window, pinned
            self.embed = nn.Embedding(vocab, width)
            self.into = nn.Linear((pinned + window) * width, hidden)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, hidden)) for _ in range(blocks)
            )
            self.head = nn.Linear(hidden, vocab)

    def forward(self, context: Tensor) -> Tensor:
        """Log-probabilities of the next token; padding is never next. [T, pinned + window] → [T, V]"""
        x = torch.tanh(self.into(self.embed(context).flatten(1)))
        for block in self.blocks:
            x = x + block(x)
        logits = self.head(x)
        ban = torch.zeros_like(logits)
        ban[:, PAD] = -1e9
        return (logits + ban).log_softmax(-1)


def frozen(policy: WindowLM) -> WindowLM:
    """A copy without gradients: the reference."""
    twin = copy.deepcopy(policy)
    for weight in twin.parameters():
        weight.requires_grad_(False)
    return twin


def contexts(texts: Texts, policy: WindowLM) -> Tensor:
    """What the model reads before each response token, row by row. [T, pinned + window]"""
    left = torch.full((len(texts), policy.window), PAD, dtype=torch.long)
    views = torch.cat([left, texts.tokens], 1).unfold(1, policy.window, 1)  # view i ends before token i
    views = views[:, texts.prompt : texts.tokens.shape[1]][texts.real]
    first = texts.tokens[:, : policy.pinned].repeat_interleave(texts.lengths, 0)
    return torch.cat([first, views], 1)


def ragged(
    policy: WindowLM,
    texts: Texts,
    *,
    pairs: Tensor | None = None,
    group: Tensor | None = None,
    ref: WindowLM | None = None,
    kl: bool = False,
    scores: Tensor | None = None,
    marks: Mapping[str, Tensor] | None = None,
    flags: Mapping[str, Tensor] | None = None,
) -> RaggedBatch:
    """A batch of these texts, log-probabilities with gradient.

    Args:
        policy: The model.
        texts: N texts.
        pairs: Rows (preferred, other); by default (0, 1), (2, 3), … [M, 2]
        group: Group of each row, ascending; by default two rows a group. [N]
        ref: The reference.
        kl: Also KL(π_ref ‖ π) per token, as `kl:ref:forward`.
        scores: A score of each row. [N]
        marks: Extra numbers per token of the padded response table. name → [N, R]
        flags: Extra numbers per row. name → [N]
    """
    rows, real = contexts(texts, policy), texts.real
    target = texts.responses[real][:, None]
    every = policy(rows)
    place = torch.arange(len(texts))
    extra: dict[str, tuple[Any, Tensor]] = {name: ("tokens", table[real]) for name, table in (marks or {}).items()}
    extra |= {name: ("responses", values) for name, values in (flags or {}).items()}
    others: dict[str, Tensor] = {}
    if ref is not None:
        with torch.no_grad():
            before = ref(rows)
        others["ref"] = before.gather(1, target).squeeze(1)
        if kl:
            gap = (before.exp() * (before - every))[:, PAD + 1 :]
            extra["kl:ref:forward"] = ("tokens", gap.sum(1))
    return RaggedBatch(
        every.gather(1, target).squeeze(1),
        place.repeat_interleave(texts.lengths),
        place // 2 if group is None else group,
        pairs=place[: len(texts) // 2 * 2].reshape(-1, 2) if pairs is None else pairs,
        scores=scores,  # type: ignore[arg-type]
        logps_of=others,
        extra=extra,
    )


def mean_of(item: Term, batch: RaggedBatch) -> Tensor:
    """scale · Σ w·each / Σ w of one term, as the training loop takes it."""
    weight = weights_of(item, batch)
    return item.scale * (weight * item.each).sum() / weight.sum().clamp_min(1e-12)


def take_step(policy: nn.Module, optimiser: torch.optim.Optimizer, objective: Any, batch: RaggedBatch) -> Losses:
    """One step of the optimiser, through the objective's gradient rule where it has one."""
    losses: Losses = objective(batch)
    optimiser.zero_grad(set_to_none=True)
    if not has_gradient_rule(objective):
        torch.stack([mean_of(item, batch) for item in losses]).sum().backward()  # type: ignore[no-untyped-call]
    else:
        named = {name: weight for name, weight in policy.named_parameters() if weight.requires_grad}
        parts: dict[str, dict[str, Tensor]] = {}
        for item in losses:
            found = torch.autograd.grad(
                mean_of(item, batch), list(named.values()), retain_graph=True, allow_unused=True
            )
            parts[item.name] = {name: g for name, g in zip(named, found, strict=True) if g is not None}
        for name, gradient in objective.gradient_rule(parts).items():
            named[name].grad = gradient
    optimiser.step()
    return losses


def train(
    policy: WindowLM,
    objective: Any,
    draw: Callable[[WindowLM, torch.Generator], RaggedBatch],
    *,
    steps: int,
    lr: float,
    seed: int,
    every: int = 0,
    until: Callable[[WindowLM], bool] = lambda _: False,
) -> int:
    """Adam on freshly drawn batches, in place; returns the steps taken.

    Args:
        policy: What is trained.
        objective: Any objective.
        draw: (policy, generator) → the step's batch.
        steps: Steps at most.
        lr: Learning rate.
        seed: Seeds the generator.
        every: Look every so many steps whether to stop; 0: never.
        until: Policy → stop.
    """
    rng = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam([weight for weight in policy.parameters() if weight.requires_grad], lr=lr)
    for step in range(1, steps + 1):
        take_step(policy, optimiser, objective, draw(policy, rng))
        if every and step % every == 0 and until(policy):
            return step
    return steps


@torch.no_grad()
def sample(policy: WindowLM, prompts: Tensor, *, room: int, rng: torch.Generator, greedy: bool = False) -> Texts:
    """A response to each prompt, at temperature 1 (or the likeliest token each time); cut after `room` tokens.

    Args:
        policy: The model.
        prompts: [N, P]
        room: Tokens of a response at most, end token included.
        rng: Source of randomness.
        greedy: Take the likeliest token.
    """
    left = torch.full((len(prompts), policy.window), PAD, dtype=torch.long)
    text = torch.cat([left, prompts], 1)
    done = torch.zeros(len(prompts), dtype=torch.bool)
    for _ in range(room):
        every = policy(torch.cat([prompts[:, : policy.pinned], text[:, -policy.window :]], 1))
        token = every.argmax(1) if greedy else torch.multinomial(every.exp(), 1, generator=rng).squeeze(1)
        token = torch.where(done, torch.full_like(token, PAD), token)
        text = torch.cat([text, token[:, None]], 1)
        done |= token == END
    return Texts(text[:, policy.window :], prompts.shape[1])
