"""FlexAttention over a laid-out row: one call per layer, a block mask that skips what no branch sees.

Compiled on CUDA (`dynamic=True`: rows differ in length, static shapes would recompile each). On a processor PyTorch's
uncompiled reference runs: exact, slow, good for tests.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from zermelo.policies.layout import Layout

__all__ = ["flexible"]


def flexible(
    q: Tensor, k: Tensor, v: Tensor, row: Layout, scale: float, window: int | None, softcap: float | None
) -> Tensor:
    """q [1, H, L, D], k and v [1, Hk, L, D] → [1, L, H, D]; `window` and `softcap` as in `group_attention`."""
    score = None if softcap is None else _capped(softcap)
    out: Tensor = _kernel(q.device.type)(
        q,
        k,
        v,
        score_mod=score,
        block_mask=block_mask(row, window),
        scale=scale,
        enable_gqa=k.shape[1] != q.shape[1],
    )
    return out.transpose(1, 2).contiguous()


@cache
def _kernel(device: str) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True) if device == "cuda" else flex_attention


@cache
def _capped(softcap: float) -> Any:
    def cap(score: Tensor, _b: Tensor, _h: Tensor, _q: Tensor, _k: Tensor) -> Tensor:
        return softcap * torch.tanh(score / softcap)

    return cap


def block_mask(row: Layout, window: int | None) -> Any:
    """The block mask of a row; kept for the next layer."""
    if ("flex", window) not in row.masks:
        from torch.nn.attention.flex_attention import create_block_mask

        branch, group, root = row.branch_and_group()
        position = row.positions[0]

        def visible(_b: Tensor, _h: Tensor, i: Tensor, j: Tensor) -> Tensor:
            near = position[i] - position[j]
            same = (group[i] == group[j]) & (root[j] | (branch[i] == branch[j])) & (near >= 0)
            return same if window is None else same & (near < window)

        row.masks["flex", window] = create_block_mask(
            visible, None, None, row.length, row.length, device=row.ids.device.type
        )
    return row.masks["flex", window]
