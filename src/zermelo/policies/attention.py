"""The attention function that Transformers models call for a laid-out row, and the switch that makes them call it.

The models' own code (projections, rotary positions, norms) runs unchanged: only `attn_implementation` is switched,
for the length of a call and of each recomputation under activation checkpointing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as dropout_of
from torch.nn.functional import scaled_dot_product_attention

from zermelo.errors import SettingError
from zermelo.policies.branching import branched, lower_right
from zermelo.policies.layout import Layout, Tree, layout_of

__all__ = ["NAME", "observed", "switched"]

NAME = "zermelo_groups"
BLOCK = 256  # tokens: short groups share one dense call up to here; a longer group has its own

_seen: list[set[int | None]] = []


@contextmanager
def observed() -> Iterator[set[int | None]]:
    """Collect the sliding windows that layers pass to attention (None: full attention)."""
    windows: set[int | None] = set()
    _seen.append(windows)
    try:
        yield windows
    finally:
        _seen.remove(windows)


def group_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of a laid-out row: query [1, H, L, D], key and value [1, Hk, L, D] → [1, L, H, D].

    Args:
        module: The attention layer.
        query: After rotary positions.
        key: After rotary positions.
        value: Values.
        attention_mask: From `Layout.mask`.
        dropout: Probability; only the dense path has it.
        scaling: Of q·k, default D^-1/2.
        sliding_window: A query attends to keys fewer than so many positions back.
        softcap: c · tanh(s/c) on the scores.
        kwargs: What else a model passes; attention sinks are refused, the rest is none of attention's business.
    """
    for windows in _seen:
        windows.add(sliding_window)
    if kwargs.get("s_aux") is not None or kwargs.get("position_bias") is not None:
        raise NotImplementedError("attention sinks and position biases do not branch")
    if torch.is_autocast_enabled(query.device.type):  # rotary positions leave float32 beside half-precision values
        half = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(half), key.to(half), value.to(half)
    row = layout_of(attention_mask)
    scale = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
    if sliding_window is not None and max(tree.longest for tree in row.trees) <= sliding_window:
        sliding_window = None  # nothing lies beyond the window
    plain = not dropout and softcap is None and sliding_window is None and query.shape[-1] == value.shape[-1]
    if row.backend == "flex" and not dropout:
        if query.device.type == "cpu" and query.requires_grad:
            raise SettingError("cannot-branch", "backend='flex': PyTorch has no backward pass for it on a processor")
        from zermelo.policies.flex import flexible

        return flexible(query, key, value, row, scale, sliding_window, softcap), None
    if row.backend == "split" and plain:
        kernel = branched if query.device.type == "cpu" else lower_right
        return kernel(query, key, value, row, scale), None
    return dense(query, key, value, row, scale, sliding_window, softcap, dropout), None


def dense(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    row: Layout,
    scale: float,
    window: int | None,
    softcap: float | None,
    dropout: float,
) -> Tensor:
    """Attention with a dense mask per block of whole groups; shapes as `group_attention`."""
    if k.shape[1] != q.shape[1]:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    parts = []
    for start, end in blocks(row.trees):
        at = slice(start, end)
        mask = dense_mask(row, start, end, window)
        if softcap is None:
            part = scaled_dot_product_attention(
                q[:, :, at], k[:, :, at], v[:, :, at], attn_mask=mask, dropout_p=dropout, scale=scale
            )
        else:
            scores = torch.tanh(q[:, :, at] @ k[:, :, at].transpose(2, 3) * (scale / softcap)) * softcap
            scores = scores.masked_fill(~mask, float("-inf"))
            wide = torch.float64 if q.dtype == torch.float64 else torch.float32
            part = dropout_of(scores.softmax(-1, dtype=wide).to(q.dtype), dropout) @ v[:, :, at]
        parts.append(part)
    return torch.cat(parts, 2).transpose(1, 2).contiguous()


def blocks(trees: tuple[Tree, ...], limit: int = BLOCK) -> list[tuple[int, int]]:
    """Runs of whole groups of at most `limit` tokens, or one longer group: (start, end) in the row."""
    found: list[tuple[int, int]] = []
    for tree in trees:
        if found and tree.end - found[-1][0] <= limit:
            found[-1] = (found[-1][0], tree.end)
        else:
            found.append((tree.start, tree.end))
    return found


def dense_mask(row: Layout, start: int, end: int, window: int | None) -> Tensor:
    """True where the query (row) may see the key (column). [n, n]; kept for the next layer."""
    if (start, end, window) not in row.masks:
        branch, group, root = (x[start:end] for x in row.branch_and_group())
        position = row.positions[0, start:end]
        apart = position[:, None] - position[None, :]
        mask = (
            (group[:, None] == group[None, :]) & (root[None, :] | (branch[:, None] == branch[None, :])) & (apart >= 0)
        )
        row.masks[start, end, window] = mask if window is None else mask & (apart < window)
    return row.masks[start, end, window]  # type: ignore[return-value]


@contextmanager
def switched(model: nn.Module, row: Layout, *, checkpointing: bool) -> Iterator[None]:
    """Let `model` attend by `row` inside the block; whatever it recomputes in the backward pass does so too.

    Args:
        model: The model, wrapped or not. Nothing about it is changed after the block.
        row: Kept alive as long as a recomputation may ask for it.
        checkpointing: Recompute layers (in train mode, as Transformers does) even if the model was not set to.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, group_attention)
    recompute = functools.partial(_recompute, model, row)
    with _implementation(model), _checkpoints(model, recompute, on=checkpointing):
        yield


@contextmanager
def checkpointed(model: nn.Module, *, on: bool) -> Iterator[None]:
    """Activation checkpointing for the length of a call, attention untouched."""
    with _checkpoints(model, None, on=on) if on else nullcontext():
        yield


@contextmanager
def _implementation(model: nn.Module) -> Iterator[None]:
    configs = {id(c): c for m in model.modules() if hasattr(c := getattr(m, "config", None), "_attn_implementation")}
    before = {key: config._attn_implementation_internal for key, config in configs.items()}  # type: ignore[union-attr]
    try:
        for config in configs.values():
            config._attn_implementation_internal = NAME  # type: ignore[union-attr]
        yield
    finally:
        for key, config in configs.items():
            config._attn_implementation_internal = before[key]  # type: ignore[union-attr]


def _recompute(model: nn.Module, row: Layout) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _held(model, row)


@contextmanager
def _held(model: nn.Module, row: Layout) -> Iterator[None]:
    # `row` is an argument so that the checkpoint, which keeps this context, keeps the layout alive
    with _implementation(model):
        yield


@contextmanager
def _checkpoints(model: nn.Module, recompute: Callable[[], Any] | None, *, on: bool) -> Iterator[None]:
    extra: dict[str, Any] = {} if recompute is None else {"context_fn": recompute}
    function = functools.partial(torch.utils.checkpoint.checkpoint, use_reentrant=False, **extra)
    changed: list[tuple[nn.Module, str, Any]] = []

    def put(module: nn.Module, name: str, value: Any) -> None:
        changed.append((module, name, module.__dict__.get(name, changed)))
        module.__dict__[name] = value

    try:
        for module in model.modules():
            if hasattr(module, "gradient_checkpointing") and (on or module.gradient_checkpointing):
                put(module, "_gradient_checkpointing_func", function)
                put(module, "gradient_checkpointing", True)
            elif extra and type(module).__name__ == "CheckpointWrapper":
                put(module, "checkpoint_fn", function)
        yield
    finally:
        for module, name, value in reversed(changed):
            if value is changed:
                del module.__dict__[name]
            else:
                module.__dict__[name] = value
