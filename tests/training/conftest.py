"""A tiny policy over characters and groups to train it on, made here."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from characters import tokenizer

from zermelo.feedback.records import Group, Judgement, Response


def make_policy(*, dtype: torch.dtype = torch.float32, seed: int = 0) -> Any:
    """A Llama of two layers with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from zermelo.policies.policy import Policy
    from zermelo.policies.template import probe_template

    torch.set_num_threads(1)
    known = tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(known),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            initializer_range=0.2,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
        model = LlamaForCausalLM(config).to(dtype).eval()
    return Policy(model, known, "tiny", probe_template(known))


def make_pairs(n: int, seed: int = 0) -> list[Group]:
    """Questions with a preferred and another answer of different lengths."""
    rng = random.Random(seed)
    groups = []
    for i in range(n):
        a, b = rng.randrange(90), rng.randrange(90)
        good = f" the sum is {a + b}." + " done" * rng.randrange(3)
        bad = f" it is {a + b + 1 + rng.randrange(9)}" + "?" * rng.randrange(6)
        groups.append(
            Group(
                f"g{i}",
                f"{a}+{b}=",
                (Response(good), Response(bad)),
                (Judgement("comparison", (0, 1), by="ann", value=1.0),),
            )
        )
    return groups


def make_rated(n: int, k: int = 4, seed: int = 0) -> list[Group]:
    """Questions with `k` rated answers."""
    rng = random.Random(seed)
    groups = []
    for i in range(n):
        a = rng.randrange(90)
        responses = tuple(Response(f" about {a + j}" + "." * rng.randrange(4)) for j in range(k))
        ratings = tuple(Judgement("rating", (j,), value=float(k - j), low=0, high=10) for j in range(k))
        groups.append(Group(f"r{i}", f"{a}?", responses, ratings))
    return groups


def forked(work: Callable[..., None], *args: Any) -> Any:
    """A process of its own, without the seconds that imports take."""
    process = multiprocessing.get_context("fork").Process(target=work, args=args)
    process.start()
    return process


@pytest.fixture(scope="session")
def make() -> Any:
    """The makers above: `policy`, `pairs`, `rated`, `forked`."""
    return SimpleNamespace(policy=make_policy, pairs=make_pairs, rated=make_rated, forked=forked)


@pytest.fixture
def policy() -> Any:
    """A fresh tiny policy."""
    return make_policy()


@pytest.fixture(scope="session")
def pairs() -> list[Group]:
    """64 groups of two."""
    return make_pairs(64)


@pytest.fixture(scope="session")
def rated() -> list[Group]:
    """24 groups of four."""
    return make_rated(24)
