"""What the output layer is made of: linear terms, what follows them, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.policies.want import Direction

__all__ = ["Other", "Post", "Scores", "Terms", "terms_of"]


@dataclass(frozen=True)
class Post:
    """What a model does to its logits: multiply by `scale`, then cap softly at `cap`."""

    scale: float = 1.0
    cap: float | None = None

    def __call__(self, z: Tensor) -> Tensor:
        """Applied; `z` may be overwritten where no gradient is recorded."""
        quiet = not torch.is_grad_enabled()
        if self.scale != 1.0:
            z = z.mul_(self.scale) if quiet else z * self.scale
        if self.cap is not None:
            z = z.div_(self.cap).tanh_().mul_(self.cap) if quiet else torch.tanh(z / self.cap) * self.cap
        return z

    def pull(self, dz: Tensor, z: Tensor) -> Tensor:
        """∂ before `post` from ∂ after it, in place; `z` is the value after it."""
        if self.cap is not None:
            dz.mul_(1 - (z / self.cap).square_())
        return dz if self.scale == 1.0 else dz.mul_(self.scale)


@dataclass(frozen=True)
class Terms:
    """Logits as a sum of products Hᵢ Wᵢᵀ (+ b): one for a linear layer, two with LoRA on it.

    Args:
        hidden: Hᵢ [T, Dᵢ]
        weight: Wᵢ [V, Dᵢ]
        bias: [V] or None
    """

    hidden: tuple[Tensor, ...]
    weight: tuple[Tensor, ...]
    bias: Tensor | None

    def at(self, index: Tensor) -> Terms:
        """The terms at some tokens."""
        return Terms(tuple(h[index] for h in self.hidden), self.weight, self.bias)


@dataclass(frozen=True)
class Other:
    """Another policy's output layer at the same tokens, for KL; it gets no gradient."""

    terms: Terms
    post: Post
    direction: Direction


@dataclass(frozen=True)
class Scores:
    """Per token: log-probability of the target, entropy (or None), KL by name."""

    logps: Tensor
    entropy: Tensor | None
    kl: dict[str, Tensor]


def terms_of(layer: nn.Module, hidden: Tensor) -> Terms | None:
    """Write `layer(hidden)` as `Terms`; None for a layer of another kind (DoRA, quantised, several adapters mixed).

    Args:
        layer: `nn.Linear`, or PEFT's LoRA layer or copy (`modules_to_save`) around one.
        hidden: [T, D]
    """
    lora: Any = layer  # PEFT's classes are known by what they have, so that PEFT need not be there
    if type(layer).__name__ == "ModulesToSaveWrapper":
        active = [] if lora.disable_adapters else list(lora.active_adapters)
        return terms_of(lora.modules_to_save[active[0]] if active else lora.original_module, hidden)
    adapters: list[str] = []
    base: nn.Module = layer
    if hasattr(layer, "lora_A"):
        base = lora.base_layer
        if any(lora.use_dora.values()) or any(getattr(lora, "lora_variant", {}).values()):
            return None
        if lora.disable_adapters and lora.merged:
            return None
        if not lora.disable_adapters and not lora.merged:
            adapters = [name for name in lora.active_adapters if name in lora.lora_A]
    if not (type(base) is nn.Linear or type(base).__name__ == "FSDPLinear"):
        return None
    linear: Any = base
    hiddens, weights = [hidden], [linear.weight]
    for name in adapters:
        a, b = lora.lora_A[name], lora.lora_B[name]
        if b.bias is not None:
            return None
        hiddens.append(a(lora.lora_dropout[name](hidden.to(a.weight.dtype))) * lora.scaling[name])
        weights.append(b.weight)
    return Terms(tuple(hiddens), tuple(weights), linear.bias)
