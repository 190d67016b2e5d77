"""A policy's fingerprint: equal where log-probabilities are equal, in seconds even for large models."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.policies.backends import unwrapped
from zermelo.policies.engine import ENGINE_VERSION, Model, module_of

__all__ = ["fingerprint"]

_WRAPPERS = re.compile(
    r"^(base_model\.model\.)+|(?:^|(?<=\.))(?:module|_orig_mod|_checkpoint_wrapped_module|base_layer|original_module)\."
)
_ADAPTER = re.compile(r"(^|\.)(lora_\w+|modules_to_save|trainable_tokens_\w+|ia3_\w+|prompt_encoder|vera_\w+)(\.|$)")
# what a configuration says about files and habits, not about the function
_IRRELEVANT = {"name_or_path", "transformers_version", "architectures", "use_cache", "dtype", "torch_dtype"}
_CHUNK = 1 << 22


def fingerprint(policy: Model) -> str:
    """Hash of everything that determines log-probabilities: weights, adapters and whether they are on, dtype,
    configuration, autocast, version of the engine.

    Adapters that are switched off do not count, so that a base model, and a policy with its adapters off, have one
    fingerprint. Weights are summed up by wrapping integer sums on their own device, at the speed of memory: two
    policies that differ anywhere get different fingerprints but for a chance of about 2^-64; it is no protection
    against someone who wants them equal. Under FSDP2 all ranks must call it together.

    Args:
        policy: A `Policy` or a module.
    Returns:
        32 hexadecimal digits.
    """
    model = module_of(policy)
    on = _adapters_on(model)
    inner: Any = unwrapped(model)
    config = getattr(inner, "config", None)
    settings = {} if config is None else {k: v for k, v in config.to_dict().items() if _counts(k)}
    kind = next(model.parameters()).device.type
    cast = str(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else ""
    name = type(inner).__name__.removeprefix("FSDP")
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([ENGINE_VERSION, name, settings, cast, on], sort_keys=True, default=str).encode())
    tensors = [*model.named_parameters(), *((n, b) for n, b in model.named_buffers() if n in _persistent(model))]
    found: dict[str, bytes] = {}
    for name, tensor in tensors:
        if on or not _ADAPTER.search(name):
            whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
            found[_WRAPPERS.sub("", name)] = f"{tuple(whole.shape)} {whole.dtype} {_sums(whole.detach())}".encode()
    for key in sorted(found):
        digest.update(key.encode() + b"\0" + found[key] + b"\0")
    return digest.hexdigest()


def _counts(key: str) -> bool:
    return not key.startswith("_") and key not in _IRRELEVANT


@functools.cache
def _mixers(device: torch.device) -> Tensor:
    """One odd 64-bit integer per place in a chunk, the same on every device."""
    place = torch.arange(_CHUNK, dtype=torch.int64, device=device)
    mixed = place * -7046029254386353131  # Weyl sequence; integers wrap
    mixed = (mixed ^ (mixed >> 29)) * -4658895280553007687
    return (mixed ^ (mixed >> 32)) | 1


def _sums(tensor: Tensor) -> tuple[int, int]:
    """Two wrapping sums over the bits of a tensor, every place with its own factor. 0-D and empty tensors too."""
    flat = tensor.contiguous().reshape(-1)
    width = flat.element_size()
    words = flat.view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[width])
    total = torch.zeros(2, dtype=torch.int64, device=flat.device)
    for number, chunk in enumerate(words.split(_CHUNK)):
        mixed = chunk.to(torch.int64) * _mixers(flat.device)[: chunk.numel()]
        part = torch.stack([mixed.sum(), (mixed ^ (mixed >> 31)).sum()])
        total += part * (2 * number + 1)
    first, second = total.tolist()
    return first, second


def _adapters_on(model: nn.Module) -> list[str]:
    """Settings of the adapters in force, layer by layer alike; empty where there are none or they are off."""
    found: set[str] = set()
    for module in model.modules():
        layer: Any = module
        if hasattr(layer, "active_adapters") and hasattr(layer, "disable_adapters") and not layer.disable_adapters:
            scaling = getattr(layer, "scaling", {})
            for name in layer.active_adapters:
                found.add(f"{name} {scaling.get(name)} {bool(getattr(layer, 'merged', False))}")
    if not found and getattr(model, "peft_config", None) and not _has_layers(model):
        found.update(str(type(part).__name__) for part in model.peft_config.values())  # type: ignore[union-attr, operator]
    return sorted(found)


def _has_layers(model: nn.Module) -> bool:
    return any(hasattr(module, "disable_adapters") for module in model.modules())


def _persistent(model: nn.Module) -> set[str]:
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        for name in module._buffers
        if name not in module._non_persistent_buffers_set
    }
