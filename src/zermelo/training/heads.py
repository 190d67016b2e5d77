"""Heads beside the policy, for objectives that read them: made, trained with it, kept in checkpoints, saved with it.

| `Needs.extra` | read at | shape | begins as |
|---|---|---|---|
| `value` | the state before each token | [T] | 0 |
| `gate` | the state before each token | [T] | 2: gates of 0.88, nearly open |
| `reward` | the last token of a response | [N] | 0 |
| `degree_logits` | the last token of a response | [N, C] | 0: log C |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.feedback.records import Group
from zermelo.objectives.degree import DegreeLoss

__all__ = ["HEADS", "PER_TOKEN", "Head", "load_heads", "make_heads", "save_heads"]

PER_TOKEN = ("value", "gate")
HEADS = (*PER_TOKEN, "reward", "degree_logits")
FIRST = {"gate": 2.0}  # bias at the start; a closed gate has no gradient to open by
FILE = "heads.safetensors"


class Head(nn.Linear):
    """A linear layer on hidden states of any type, itself in float32 (float64 for a float64 model). [*, D] → [*, C]"""

    def forward(self, states: Tensor) -> Tensor:
        """The head's output, in its own type."""
        with torch.autocast(states.device.type, enabled=False):
            return super().forward(states.to(self.weight.dtype))


def make_heads(objective: Any, model: nn.Module, groups: Sequence[Group]) -> nn.ModuleDict | None:
    """The heads that an objective reads, weights zero, on the model's device; None where it reads none.

    Args:
        objective: Its `needs.extra` says which.
        model: Its output layer says how wide hidden states are.
        groups: Where degrees of preference are read, the data says how many there are.
    Raises:
        SettingError: degrees are read and the data has fewer than two (`not-supplied`).
    """
    names = [name for name in HEADS if name in objective.needs.extra]
    if not names:
        return None
    weight = next(p for p in model.parameters() if p.is_floating_point())
    dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
    heads = nn.ModuleDict()
    for name in names:
        out = degree_outputs(objective, groups) if name == "degree_logits" else 1
        head = Head(width_of(model), out, device=weight.device, dtype=dtype)
        nn.init.zeros_(head.weight)
        nn.init.constant_(head.bias, FIRST.get(name, 0.0))
        heads[name] = head
    return heads


def width_of(model: Any) -> int:
    """D, the width of the hidden states that the output layer reads."""
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if head is not None:
        return int(head.weight.shape[1])
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    return int(config.hidden_size)


def degree_outputs(objective: Any, groups: Iterable[Group]) -> int:
    """C logits, or C − 1 thresholds where the loss is ordinal."""
    most = max((value for group in groups for value in degrees(group)), default=-1)
    if most < 1:
        raise SettingError(
            "not-supplied",
            "the objective reads degrees of preference, and no group has two of them in meta['degree']",
            hint="zermelo.synthesis.degrade makes graded versions of answers",
        )
    ordinal = any(isinstance(part, DegreeLoss) and part.kind == "ordinal" for part in parts_of(objective))
    return most if ordinal else most + 1


def degrees(group: Group) -> Iterator[int]:
    """The degrees that a group's meta states."""
    found: Any = group.meta.get("degree", ())
    for value in found if isinstance(found, list | tuple) else (found,):
        if isinstance(value, int | float) and value == value:
            yield int(value)


def parts_of(objective: Any) -> Iterator[Any]:
    """An objective and everything that it is composed of."""
    yield objective
    for part in getattr(objective, "parts", ()):
        yield from parts_of(part)
    if hasattr(objective, "base"):
        yield from parts_of(objective.base)


def save_heads(heads: nn.Module | None, folder: Path) -> None:
    """Write `heads.safetensors` beside a model, where there are any."""
    if heads is not None:
        from safetensors.torch import save_file

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in heads.state_dict().items()}
        save_file(tensors, folder / FILE)


def load_heads(heads: nn.Module | None, folder: Path) -> None:
    """Put the weights of a folder that `save_heads` wrote into the heads."""
    if heads is not None:
        from safetensors.torch import load_file

        heads.load_state_dict(load_file(folder / FILE))
