"""Make the tiny policies of the worlds: `zermelo worlds train NAME`. One thread, one seed, a few minutes.

The plain recipe: a Llama of less than 0.9 M parameters, next-token prediction on the world's corpus (the loss stands on
the responses only), AdamW with a cosine schedule, float32; the weights are kept as float16.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zermelo.errors import SettingError, nearest, positive
from zermelo.policies.policy import Policy
from zermelo.policies.sampling import Sampling, TransformersSampler
from zermelo.worlds.protocol import World
from zermelo.worlds.tokenizer import BOS, EOS, PAD, VOCABULARY, encode, write_tokenizer

if TYPE_CHECKING:
    import torch

__all__ = ["MAX_TOKENS", "RECIPES", "Recipe", "Trained", "mean_reward", "recipe", "train"]

MAX_TOKENS = 160  # longer than any response of a world
IGNORED = -100  # label of tokens that are read but not predicted


@dataclass(frozen=True)
class Recipe:
    """How a tiny policy is made.

    Args:
        hidden: Width.
        intermediate: Width of the feed-forward layers.
        layers: Layers.
        heads: Attention heads.
        steps: Optimiser steps.
        batch: Rows of the corpus per step.
        lr: Peak learning rate.
        warmup: Steps of linear warm-up; then half a cosine down to a tenth of the peak.
        seed: Seed of weights and corpus.
        max_length: Positions that the policy declares.
        spread: Standard deviation of the first weights. At 0.02, the default of large models, a model this narrow
            spends its first 300 steps learning to copy; at 0.08 it has done so after 150.
    """

    hidden: int = 128
    intermediate: int = 384
    layers: int = 4
    heads: int = 4
    steps: int = 900
    batch: int = 64
    lr: float = 3e-3
    warmup: int = 60
    seed: int = 0
    max_length: int = 512
    spread: float = 0.08

    def __post_init__(self) -> None:
        positive(self, "hidden", "intermediate", "layers", "heads", "steps", "batch", "lr", "max_length")


RECIPES: dict[str, Recipe] = {
    "arithmetic": Recipe(),
    "style": Recipe(hidden=96, intermediate=256, layers=3, heads=3, steps=500, batch=32, warmup=30),
}


@dataclass(frozen=True)
class Trained:
    """A policy that was made: where it lies, its size and how it went."""

    folder: Path
    parameters: int
    loss: float  # mean over the last 50 steps, nats per token
    seconds: float


def recipe(name: str) -> Recipe:
    """The recipe of a world's policy.

    Raises:
        SettingError: the world has none.
    """
    if name not in RECIPES:
        guess = nearest(name, list(RECIPES))
        hint = f"did you mean `{guess}`?" if guess else f"those with a policy: {', '.join(RECIPES)}"
        raise SettingError("unknown-world", f"no policy to train for the world {name!r}", hint=hint)
    return RECIPES[name]


def train(
    world: World, folder: Path, *, settings: Recipe | None = None, advance: Callable[..., None] = lambda *_, **__: None
) -> Trained:
    """Train a world's tiny policy and write it as a Transformers model folder, beside and renamed.

    Args:
        world: Whose corpus to learn.
        folder: Where the model goes; an older one is replaced.
        settings: Another recipe than the world's own.
        advance: Called after each step.
    """
    import torch

    settings = settings or recipe(world.name)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one thread: the same sums on every machine, and no core is taken from a neighbour
    try:
        return _train(world, folder, settings, advance)
    finally:
        torch.set_num_threads(threads)


def _train(world: World, folder: Path, settings: Recipe, advance: Callable[..., None]) -> Trained:
    import torch

    started = time.perf_counter()
    model = untrained(settings)
    rows = [(prompt, response) for prompt, response, _ in world.corpus(settings.steps * settings.batch, settings.seed)]
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, settings))
    losses = []
    for ids, labels in batches(rows, settings.batch):
        logits = model(input_ids=ids).logits[:, :-1]  # right padding: causal attention never looks at it
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=IGNORED
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        advance(1, note=f"loss {losses[-1]:.3f}")
    save(model, folder, settings)
    last = losses[-50:]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Trained(folder, parameters, sum(last) / len(last), time.perf_counter() - started)


def untrained(settings: Recipe) -> Any:
    """A Llama with seeded random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=settings.hidden,
        intermediate_size=settings.intermediate,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=settings.max_length,
        tie_word_embeddings=True,
        initializer_range=settings.spread,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return LlamaForCausalLM(config).float().train()


def batches(rows: Sequence[tuple[str, str]], size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Right-padded ids [N, T] and labels [N, T] (prompt and padding ignored), in the order of the rows."""
    import torch

    for chunk in _alike(rows, size):
        coded = [(len(prompt) + 1, [BOS, *encode(prompt + text), EOS]) for prompt, text in chunk]
        width = max(len(ids) for _, ids in coded)
        ids = torch.full((len(coded), width), PAD)
        labels = torch.full((len(coded), width), IGNORED)
        for row, (n_prompt, tokens) in enumerate(coded):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            labels[row, n_prompt : len(tokens)] = torch.tensor(tokens[n_prompt:])
        yield ids, labels


def _alike(rows: Sequence[tuple[str, str]], size: int, among: int = 16) -> Iterator[Sequence[tuple[str, str]]]:
    """Chunks of rows of like length, drawn from every `among` chunks in a row: a fifth fewer pads."""
    import random

    for start in range(0, len(rows), size * among):
        window = sorted(rows[start : start + size * among], key=lambda row: len(row[0]) + len(row[1]))
        chunks = [window[first : first + size] for first in range(0, len(window), size)]
        random.Random(start).shuffle(chunks)
        yield from chunks


def _rate(step: int, settings: Recipe) -> float:
    import math

    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(settings.steps - settings.warmup, 1)
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def save(model: Any, folder: Path, settings: Recipe) -> None:
    """Write config, float16 weights, tokenizer and recipe beside `folder`, then rename."""
    import torch

    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        model.to(torch.float16).save_pretrained(beside)
        write_tokenizer(beside, max_length=settings.max_length)
        (beside / "recipe.json").write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")
        beside.chmod(0o755)  # a temporary folder is private
        for path in beside.iterdir():
            path.chmod(0o644)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def mean_reward(policy: Policy, world: World, *, n: int = 600, temperature: float = 1.0, seed: int = 0) -> float:
    """Mean exact reward of one response to each of `n` held-out prompts.

    Args:
        policy: As `zermelo.policies.load` gives it.
        world: Whose prompts, and whose reward.
        n: Prompts.
        temperature: Of sampling; 0 takes the likeliest token.
        seed: Of prompts and draws.
    """
    sampler = TransformersSampler(policy, Sampling(temperature=temperature, max_tokens=MAX_TOKENS), batch=512)
    groups = sampler.sample(world.prompts(n, seed=seed, split="test"), seed=seed)
    return sum(world.reward(group, group.responses[0].content) for group in groups) / n
