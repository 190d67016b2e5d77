"""The optimiser and the learning rate of every step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from zermelo.errors import SettingError
from zermelo.training.settings import OfflineSettings

__all__ = ["learning_rates", "make_optimiser", "quiet"]


def make_optimiser(modules: list[nn.Module], settings: OfflineSettings) -> torch.optim.AdamW:
    """AdamW over what is trainable, fused where the device has it; no decay on biases and norms.

    Raises:
        SettingError: nothing is trainable.
    """
    trainable = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    if not trainable:
        raise SettingError("nothing-trainable", "no parameter of the policy is trainable", hint="load it with lora=…")
    matrices = [parameter for parameter in trainable if parameter.dim() > 1]
    others = [parameter for parameter in trainable if parameter.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    fused = all(parameter.device.type in ("cuda", "cpu") for parameter in trainable)
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.epsilon,
        fused=fused,
    )


def learning_rates(settings: OfflineSettings, n_steps: int) -> Callable[[int], float]:
    """Step number (from 1) → learning rate: Transformers' schedules, so that neither the first nor the last is 0."""
    from transformers import get_scheduler

    probe = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    name = "constant_with_warmup" if settings.schedule == "constant" else settings.schedule
    schedule = get_scheduler(
        name,
        probe,
        num_warmup_steps=math.ceil(settings.warmup * n_steps),
        num_training_steps=n_steps + 1,
    )
    factor = schedule.lr_lambdas[0]
    return lambda step: settings.lr * float(factor(step))


def quiet(model: nn.Module) -> None:
    """Switch the model's own dropout off; that of adapters, which was asked for, stays."""
    for name, module in model.named_modules():
        if "lora" in name:
            continue
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for field in ("attention_dropout", "attn_dropout", "dropout", "activation_dropout", "hidden_dropout"):
            if isinstance(getattr(module, field, None), float):
                setattr(module, field, 0.0)
