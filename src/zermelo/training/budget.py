"""What a run will need, before it runs: memory by what takes it, time by one measured micro-batch."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from zermelo.feedback.records import Group
from zermelo.objectives.config import from_config
from zermelo.policies.engine import group_logprobs
from zermelo.policies.load import LoRA
from zermelo.policies.policy import Policy
from zermelo.training.examples import Example, make_examples
from zermelo.training.heads import make_heads
from zermelo.training.offline import make_supplier, start_of
from zermelo.training.plan import cut, make_plan
from zermelo.training.settings import OfflineSettings
from zermelo.training.supply import ids_of
from zermelo.training.useful import useful

__all__ = ["Estimate", "estimate"]

MEASURED = 2048  # tokens of the measured micro-batch


@dataclass(frozen=True)
class Estimate:
    """What a run will need on one device.

    Args:
        groups: To train on.
        steps: Optimiser steps.
        tokens: Of all epochs, prompts counted once.
        parameters: Of the model.
        trainable: Of those, trained.
        weights_gb: Weights.
        gradients_gb: Gradients.
        optimiser_gb: The two moments of AdamW.
        activations_gb: Of the largest micro-batch.
        seconds: Of the run, measured on one micro-batch; the reference's pass included.
        counts: Groups read and left out, by reason.
    """

    groups: int
    steps: int
    tokens: int
    parameters: int
    trainable: int
    weights_gb: float
    gradients_gb: float
    optimiser_gb: float
    activations_gb: float
    seconds: float
    counts: dict[str, int]

    @property
    def memory_gb(self) -> float:
        """Everything together."""
        return self.weights_gb + self.gradients_gb + self.optimiser_gb + self.activations_gb

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"schema": "zermelo.estimate/1", **asdict(self), "memory_gb": self.memory_gb}


def estimate(
    policy: Policy | str | os.PathLike[str],
    groups: Iterable[Group],
    objective: Any,
    *,
    settings: OfflineSettings = OfflineSettings(),
    lora: LoRA | None = None,
) -> Estimate:
    """Memory and time of `align` with the same arguments on this device; nothing is trained or written.

    Memory is counted: weights, gradients and moments exactly, activations from the model's width and depth (within
    some ten percent). Time is one measured forward and backward pass, scaled by tokens.
    """
    objective = objective if hasattr(objective, "needs") else from_config(objective)
    start = start_of(policy, lora, None, settings.seed)
    known = list(groups)
    supplier = make_supplier(
        start.model,
        start,
        objective,
        settings,
        {},
        None,
        device=start.device,
        new_adapter=bool(lora),
        heads=make_heads(objective, start.model, known),
    )
    examples = useful(make_examples(known, start, objective.needs, settings), objective, supplier)
    plan = make_plan(examples.items, settings)
    tokens = sum(item.n_tokens for step in plan.steps() for item in step.examples)
    largest = max(
        sum(item.n_tokens for item in micro.examples)
        for step in list(plan.steps())[:50]
        for micro in cut(step.examples, tokens=settings.tokens)
    )
    trained = [p for p in start.model.parameters() if p.requires_grad]
    per_token = seconds_per_token(start, examples.items)
    passes = 1.0 + (
        0.33 * len(examples) / max(1, tokens / mean_size(examples.items)) if objective.needs.policies else 0
    )
    n_trained = sum(p.numel() for p in trained)
    frozen = sum(p.numel() * p.element_size() for p in start.model.parameters() if not p.requires_grad)
    return Estimate(
        groups=len(examples),
        steps=plan.n_steps,
        tokens=tokens,
        parameters=sum(p.numel() for p in start.model.parameters()),
        trainable=n_trained,
        weights_gb=(frozen + 4 * n_trained) / 1e9,
        gradients_gb=4 * n_trained / 1e9,
        optimiser_gb=8 * n_trained / 1e9,
        activations_gb=largest * activation_bytes(start.model, settings) / 1e9,
        seconds=tokens * per_token * passes,
        counts=dict(examples.counts),
    )


def activation_bytes(model: Any, settings: OfflineSettings) -> float:
    """Bytes that one token keeps for the backward pass.

    A layer keeps about 12 vectors of its width (norms, queries, keys, values, attention, residuals) and 4 of its
    feed-forward width; with checkpointing only its input, and one layer at a time in full.
    """
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    width = config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * width
    size = 2 if settings.precision == "bfloat16" else 4
    layer = size * (12 * width + 4 * inner)
    layers = config.num_hidden_layers
    return layers * size * width + layer if settings.checkpointing else layers * layer


def seconds_per_token(start: Policy, examples: tuple[Example, ...]) -> float:
    """One forward and backward pass over some examples, after one to warm up."""
    chosen: list[Example] = []
    for item in examples:
        if chosen and sum(other.n_tokens for other in chosen) + item.n_tokens > MEASURED:
            break
        chosen.append(item)
    tokens = ids_of(chosen)
    took = 0.0
    for _ in range(2):
        began = time.perf_counter()
        found = group_logprobs(start.model, tokens).logps
        assert found is not None
        found.sum().backward()
        if start.device.type == "cuda":
            torch.cuda.synchronize()
        took = time.perf_counter() - began
        start.model.zero_grad(set_to_none=True)
    return took / sum(item.n_tokens for item in chosen)


def mean_size(examples: tuple[Example, ...]) -> float:
    """Tokens of an example."""
    return sum(item.n_tokens for item in examples) / len(examples)
