"""Attention of branches without a mask: a few plain or causal calls, merged exactly by their log-sum-exps.

For one tree the first response continues the prompt, as one causal call over P + R₁. The queries of all other
responses attend to the prompt in one call without a mask, and each response to itself in one causal call. Two calls
over disjoint keys merge exactly:

    ℓ = log(e^ℓ₁ + e^ℓ₂),   o = e^(ℓ₁−ℓ) o₁ + e^(ℓ₂−ℓ) o₂

and the backward pass of each call with the merged o and ℓ yields its exact share of dq, dk and dv, because a
flash kernel rebuilds its probabilities as exp(s − ℓ) and its row term as Σ do·o. So nothing is kept but q, k, v, o, ℓ.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from zermelo.policies.layout import Layout, Tree

__all__ = ["branched", "lower_right"]

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Call(NamedTuple):
    """Queries [q0, q1) attend to keys [k0, k1).

    `new_queries`: no earlier call served these queries (else the results are merged); `new_keys`: nor these keys.
    """

    q0: int
    q1: int
    k0: int
    k1: int
    causal: bool
    new_queries: bool
    new_keys: bool


def calls_of(tree: Tree) -> list[Call]:
    """The calls that make up one tree's attention; every query and every key is new to exactly one of them."""
    start, p = tree.start, tree.prompt
    at, length = tree.branches[0]
    calls = [Call(start, at + length, start, at + length, True, True, True)]
    rest = [(b, n) for b, n in tree.branches[1:] if n]
    if rest:
        calls.append(Call(rest[0][0], tree.end, start, start + p, False, True, False))
        calls += [Call(b, b + n, b, b + n, True, False, True) for b, n in rest]
    return calls


class _Branched(torch.autograd.Function):
    """q [Hk, g, L, D] (g query heads per key head), k and v [Hk, 1, L, D] → [Hk, g, L, D]; processors only."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, calls: list[Call], scale: float) -> Tensor:
        # laid out as [L, Hk, g, D], the order in which the model flattens heads: its reshape is then free
        hk, g, length, d = q.shape
        out = q.new_empty(length, hk, g, d).permute(1, 2, 0, 3)
        wide = torch.float64 if q.dtype == torch.float64 else torch.float32
        lse = torch.empty(length, hk, g, dtype=wide).permute(1, 2, 0)
        for c in calls:
            keys = slice(c.k0, c.k1)
            o, l = _forward(
                q[:, :, c.q0 : c.q1],
                k[:, :, keys].expand(-1, g, -1, -1),
                v[:, :, keys].expand(-1, g, -1, -1),
                0.0,
                c.causal,
                scale=scale,
            )
            into, at = out[:, :, c.q0 : c.q1], lse[:, :, c.q0 : c.q1]
            if c.new_queries:
                into.copy_(o)
                at.copy_(l)
            else:
                both = torch.logaddexp(at, l)
                old, new = (at - both).exp_()[..., None], (l - both).exp_()[..., None]
                if into.dtype == wide:
                    into.mul_(old).add_(o.mul_(new))
                else:  # in half precision round once, not three times
                    into.copy_(into.to(wide) * old + o.to(wide) * new)
                at.copy_(both)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.calls, ctx.scale = calls, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        q, k, v, out, lse = ctx.saved_tensors
        g = q.shape[1]
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for c in ctx.calls:
            queries, keys = slice(c.q0, c.q1), slice(c.k0, c.k1)
            a, b, e = _backward(
                grad[:, :, queries],
                q[:, :, queries],
                k[:, :, keys].expand(-1, g, -1, -1),
                v[:, :, keys].expand(-1, g, -1, -1),
                out[:, :, queries],
                lse[:, :, queries],
                0.0,
                c.causal,
                scale=ctx.scale,
            )
            _put(dq[:, :, queries], a, c.new_queries)
            _put(dk[:, :, keys], b if g == 1 else b.sum(1, keepdim=True), c.new_keys)
            _put(dv[:, :, keys], e if g == 1 else e.sum(1, keepdim=True), c.new_keys)
        return dq, dk, dv, None, None


def _put(into: Tensor, part: Tensor, new: bool) -> None:
    into.copy_(part) if new else into.add_(part)


def branched(q: Tensor, k: Tensor, v: Tensor, row: Layout, scale: float) -> Tensor:
    """Merged calls on a processor.

    Args:
        q: [1, H, L, D]
        k: [1, Hk, L, D]; H a multiple of Hk
        v: [1, Hk, L, D]
        row: The layout.
        scale: Of q·k.
    Returns:
        [1, L, H, D]
    """
    if "calls" not in row.masks:
        row.masks["calls"] = [call for tree in row.trees for call in calls_of(tree)]
    _, h, length, d = q.shape
    hk = k.shape[1]
    out: Tensor = _Branched.apply(
        q[0].unflatten(0, (hk, h // hk)), k[0].unsqueeze(1), v[0].unsqueeze(1), row.masks["calls"], scale
    )  # type: ignore[no-untyped-call]
    return out.permute(2, 0, 1, 3).reshape(1, length, h, d)


def lower_right(q: Tensor, k: Tensor, v: Tensor, row: Layout, scale: float) -> Tensor:
    """The same by PyTorch's public calls: per response one lower-right-causal call over [prompt; response].

    Flash kernels take it without a mask on CUDA; prompt keys are copied once per response. Shapes as `branched`.
    """
    from torch.nn.attention.bias import causal_lower_right

    shared = k.shape[1] != q.shape[1]
    parts: list[Tensor] = []
    for tree in row.trees:
        root = slice(tree.start, tree.start + tree.prompt)
        at, length = tree.branches[0]
        first = slice(tree.start, at + length)
        parts.append(
            scaled_dot_product_attention(
                q[:, :, first], k[:, :, first], v[:, :, first], is_causal=True, scale=scale, enable_gqa=shared
            )
        )
        for b, n in tree.branches[1:]:
            if n:
                own = slice(b, b + n)
                keys = torch.cat([k[:, :, root], k[:, :, own]], 2)
                values = torch.cat([v[:, :, root], v[:, :, own]], 2)
                bias = causal_lower_right(n, tree.prompt + n)
                parts.append(
                    scaled_dot_product_attention(
                        q[:, :, own], keys, values, attn_mask=bias, scale=scale, enable_gqa=shared
                    )
                )
    return torch.cat(parts, 2).transpose(1, 2)
