"""Trained models as plain folders: what `transformers` (and PEFT, and vLLM) load as they are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.training.heads import load_heads, save_heads
from zermelo.training.trainee import Trainee

__all__ = ["is_adapter", "load_weights", "owner_of", "publish", "write_model"]


def write_model(
    trainee: Trainee,
    tokenizer: Any,
    folder: Path,
    *,
    dtype: torch.dtype | None = None,
    card: Mapping[str, Any] | None = None,
    card_name: str = "zermelo.json",
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the model (of an adapter only the adapter) and its tokenizer into a folder, on the main process.

    Args:
        trainee: Whose model.
        tokenizer: Saved beside it.
        folder: Made if needed.
        dtype: Type of the written weights; None = as they are trained.
        card: Written beside it.
        card_name: Its file.
        weights: Whole weights of a sharded model.
    """
    if not trainee.main:
        return
    model = owner_of(trainee.model)
    folder.mkdir(parents=True, exist_ok=True)
    if dtype is not None and not is_adapter(model):
        found = weights if weights is not None else model.state_dict()
        weights = {name: cast(tensor, dtype) for name, tensor in found.items()}
    with quietly():
        model.save_pretrained(folder, **({} if weights is None else {"state_dict": weights}))
    if dtype is not None and (folder / "config.json").exists():
        named_dtype(folder / "config.json", dtype)
    tokenizer.save_pretrained(folder)
    save_heads(trainee.heads, folder)
    if card is not None:
        (folder / card_name).write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


@contextmanager
def quietly() -> Iterator[None]:
    """Without the libraries' own progress bars."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def publish(write: Any, target: Path) -> None:
    """Write a folder beside and put it in place of an older one."""
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    write(beside)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(beside, target)


def load_weights(model: Any, folder: Path, heads: nn.Module | None = None) -> None:
    """Put the weights of a folder that `write_model` wrote into a model of the same shape, and into its heads."""
    load_heads(heads, folder)
    model = owner_of(model)
    if is_adapter(model):
        from peft import set_peft_model_state_dict
        from peft.utils import load_peft_weights

        device = str(next(model.parameters()).device)
        set_peft_model_state_dict(model, load_peft_weights(str(folder), device=device))
        return
    with quietly():
        loaded = type(model).from_pretrained(folder, dtype=next(model.parameters()).dtype)
    model.load_state_dict(loaded.state_dict())


def owner_of(model: Any) -> Any:
    """What is saved: the model itself, or what it says that it is a part of."""
    return getattr(model, "owner", model)


def is_adapter(model: nn.Module) -> bool:
    """Whether a model is wrapped by PEFT."""
    return hasattr(model, "peft_config") and hasattr(model, "disable_adapter")


def cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Floating-point tensors in another type."""
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def named_dtype(path: Path, dtype: torch.dtype) -> None:
    """Write the type of the weights into a model's configuration."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["dtype"] = str(dtype).removeprefix("torch.")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
