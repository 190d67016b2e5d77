"""The fused layer tile by tile: one autograd function over blocks of tokens and of the vocabulary.

The forward pass keeps the log-sum-exp ℓ of each token (and the other results) alone; the backward pass makes each tile
again and turns it into ∂z in place:

    ∂z = g_logp (1[j = y] − p) − g_ent p (log p + entropy) + g_rev p (log p − log q − KL) + g_fwd (p − q)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from zermelo.policies.head_terms import Other, Post, Terms

__all__ = ["Spec", "Tiled"]

# Measured on two cores with 512-bit vectors, D = 512, V = 32,768: 2,048 × 2,048 reaches 90 % of the bare matrix
# product forward; tiles of 512 columns or of a whole vocabulary lose 10–30 %. On CUDA launches count, memory less.
TILE = {"cpu": (2048, 2048), "cuda": (8192, 16384)}

Weigh: TypeAlias = Callable[[], Tensor]


@dataclass(frozen=True)
class Spec:
    post: Post
    entropy: bool
    others: tuple[Other, ...]
    n_terms: int
    work: torch.dtype

    @property
    def wide(self) -> torch.dtype:
        return torch.float64 if self.work == torch.float64 else torch.float32


class _Tiles:
    """Makes tiles of logits in one buffer that is used again and again (fresh pages cost more than the products)."""

    def __init__(self, terms: Terms, post: Post, work: torch.dtype) -> None:
        self.terms, self.post, self.work = terms, post, work
        self.wide = torch.float64 if work == torch.float64 else torch.float32
        self.buffer: Tensor | None = None

    def __call__(self, rows: slice, columns: slice) -> Tensor:
        """post(logits) of some tokens and vocabulary entries, `wide`; overwritten by the next call."""
        h = [x[rows].to(self.work) for x in self.terms.hidden]
        w = [x[columns].to(self.work) for x in self.terms.weight]
        n, m = h[0].shape[0], w[0].shape[0]
        if self.buffer is None or self.buffer.numel() < n * m:
            self.buffer = h[0].new_empty(n * m)
        z = self.buffer[: n * m].view(n, m)
        torch.mm(h[0], w[0].t(), out=z)
        for x, y in zip(h[1:], w[1:], strict=True):
            z.addmm_(x, y.t())
        if self.terms.bias is not None:
            z.add_(self.terms.bias[columns].to(self.work))
        return self.post(z if z.dtype == self.wide else z.to(self.wide))


def _blocks(n: int, size: int) -> Iterator[slice]:
    parts = max(1, -(-n // size))
    step = max(1, -(-n // parts))  # equal parts: a short last one runs at a fraction of the speed
    return (slice(a, min(a + step, n)) for a in range(0, max(n, 1), step))  # one empty part where there is nothing


def _tile(device: torch.device) -> tuple[int, int]:
    return TILE.get(device.type, TILE["cuda"])


class _Online:
    """Running maximum and sum of exponentials over vocabulary tiles, and sums weighted by them."""

    def __init__(self, n: int, like: Tensor, dtype: torch.dtype) -> None:
        self.top = torch.full((n,), float("-inf"), dtype=dtype, device=like.device)
        self.sum = torch.zeros(n, dtype=dtype, device=like.device)
        self.weighted: dict[object, Tensor] = {}

    def add(self, z: Tensor, weigh: Mapping[object, Weigh]) -> None:
        """Take one tile in; `z` is overwritten unless something is weighed."""
        top = torch.maximum(self.top, z.amax(1))
        shrink = (self.top - top).exp_()
        e = (z - top[:, None] if weigh else z.sub_(top[:, None])).exp_()
        self.sum.mul_(shrink).add_(e.sum(1))
        for key, value in weigh.items():
            part = (e * value()).sum(1)
            old = self.weighted.get(key)
            self.weighted[key] = part if old is None else old * shrink + part
        self.top = top

    @property
    def lse(self) -> Tensor:
        return self.top + self.sum.log()

    def mean(self, key: object) -> Tensor:
        """Σ softmax · value."""
        return self.weighted[key] / self.sum


def _value(z: Tensor) -> Weigh:
    return lambda: z


def _difference(a: Tensor, b: Tensor) -> Weigh:
    return lambda: a - b


class Tiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spec: Spec, target: Tensor, bias: Tensor | None, *flat: Tensor) -> tuple[Tensor, ...]:
        terms = Terms(flat[: spec.n_terms], flat[spec.n_terms :], bias)
        n, v, device = target.shape[0], terms.weight[0].shape[0], target.device
        at_target = torch.zeros(n, dtype=spec.wide, device=device)
        lse, ent = torch.empty_like(at_target), torch.empty_like(at_target)
        kls = [torch.empty_like(at_target) for _ in spec.others]
        other_lse = [torch.empty_like(at_target) for _ in spec.others]
        make = _Tiles(terms, spec.post, spec.work)
        make_other = [_Tiles(o.terms, o.post, o.terms.weight[0].dtype) for o in spec.others]
        tokens, vocabulary = _tile(device)
        for rows in _blocks(n, tokens):
            y = target[rows]
            own = _Online(len(y), target, spec.wide)
            theirs = [_Online(len(y), target, spec.wide) for _ in spec.others]
            for columns in _blocks(v, vocabulary):
                z = make(rows, columns)
                _pick(at_target[rows], z, y, columns)
                us = [m(rows, columns).to(spec.wide) for m in make_other]
                weigh: dict[object, Weigh] = {"z": _value(z)} if spec.entropy else {}
                for i, other in enumerate(spec.others):
                    if other.direction == "forward":
                        theirs[i].add(us[i], {i: _difference(us[i], z)})
                    else:
                        weigh[i] = _difference(z, us[i])
                own.add(z, weigh)  # may overwrite z, so last but for those who overwrite their own
                for i, other in enumerate(spec.others):
                    if other.direction == "reverse":
                        theirs[i].add(us[i], {})
            lse[rows] = own.lse
            if spec.entropy:
                ent[rows] = own.lse - own.mean("z")
            for i, other in enumerate(spec.others):
                gap = theirs[i].lse - own.lse
                kls[i][rows] = own.mean(i) + gap if other.direction == "reverse" else theirs[i].mean(i) - gap
                other_lse[i][rows] = theirs[i].lse
        ctx.save_for_backward(target, bias, lse, ent, *kls, *other_lse, *flat)
        ctx.spec = spec
        return (at_target - lse, *([ent] if spec.entropy else []), *kls)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        spec: Spec = ctx.spec
        target, bias, lse, ent, *rest = ctx.saved_tensors
        k, n_terms = len(spec.others), spec.n_terms
        kls, other_lse, flat = rest[:k], rest[k : 2 * k], rest[2 * k :]
        terms = Terms(tuple(flat[:n_terms]), tuple(flat[n_terms:]), bias)
        zero = torch.zeros_like(lse)
        given = [zero if g is None else g.to(spec.wide) for g in grads]
        g_logp, g_ent, g_kl = given[0], given[1] if spec.entropy else None, given[1 + spec.entropy :]
        needs = ctx.needs_input_grad
        wants_bias, wants_h, wants_w = needs[2], needs[3 : 3 + n_terms], needs[3 + n_terms :]

        dh = [
            torch.zeros(h.shape, dtype=spec.wide, device=h.device) if w else None
            for h, w in zip(terms.hidden, wants_h, strict=True)
        ]
        dw = [torch.empty_like(x) if want else None for x, want in zip(terms.weight, wants_w, strict=True)]
        db = torch.empty_like(bias) if wants_bias and bias is not None else None
        make = _Tiles(terms, spec.post, spec.work)
        make_other = [_Tiles(o.terms, o.post, o.terms.weight[0].dtype) for o in spec.others]
        keep_z = spec.entropy or k > 0 or spec.post.cap is not None
        tokens, vocabulary = _tile(target.device)
        blocks = list(_blocks(len(target), tokens))
        for columns in _blocks(terms.weight[0].shape[0], vocabulary):
            sums: list[Tensor | None] = [None] * n_terms
            bias_sum: Tensor | None = None
            for rows in blocks:
                z = make(rows, columns)
                p = (z - lse[rows, None] if keep_z else z.sub_(lse[rows, None])).exp_()
                factor = -g_logp[rows]
                if g_ent is None and not k:
                    dz = p.mul_(factor[:, None])
                else:
                    dz = p * factor[:, None]
                    logp = z - lse[rows, None]
                    if g_ent is not None:
                        dz -= g_ent[rows, None] * p * (logp + ent[rows, None])
                    for i, other in enumerate(spec.others):
                        logq = make_other[i](rows, columns).to(spec.wide) - other_lse[i][rows, None]
                        if other.direction == "reverse":
                            dz += g_kl[i][rows, None] * p * (logp - logq - kls[i][rows, None])
                        else:
                            dz += g_kl[i][rows, None] * (p - logq.exp_())
                _place(dz, g_logp[rows], target[rows], columns)
                dz = spec.post.pull(dz, z)
                bias_sum = _plus(bias_sum, dz.sum(0)) if db is not None else None
                dz = dz.to(spec.work)
                for i in range(n_terms):
                    into = dh[i]
                    if into is not None:
                        w = terms.weight[i][columns].to(spec.work)
                        if into.dtype == spec.work:
                            into[rows].addmm_(dz, w)
                        else:
                            into[rows] += dz @ w
                    if dw[i] is not None:
                        h = terms.hidden[i][rows].to(spec.work)
                        out = dw[i]
                        if len(blocks) == 1 and out is not None and out.dtype == spec.work:
                            torch.mm(dz.t(), h, out=out[columns])
                        else:
                            sums[i] = _plus(sums[i], (dz.t() @ h).to(spec.wide))
            for i, total in enumerate(sums):
                if total is not None:
                    dw[i][columns] = total.to(dw[i].dtype)  # type: ignore[index, union-attr]
            if db is not None and bias_sum is not None:
                db[columns] = bias_sum.to(db.dtype)
        dh = [None if x is None else x.to(h.dtype) for x, h in zip(dh, terms.hidden, strict=True)]
        return (None, None, db, *dh, *dw)


def _plus(total: Tensor | None, part: Tensor) -> Tensor:
    return part if total is None else total.add_(part)


def _pick(into: Tensor, z: Tensor, y: Tensor, columns: slice) -> None:
    """Write z[t, y_t] where y_t lies in the tile; no shape depends on values, so nothing waits for the device."""
    inside = (y >= columns.start) & (y < columns.stop)
    local = (y - columns.start).clamp_(0, z.shape[1] - 1)
    torch.where(inside, z.gather(1, local[:, None])[:, 0], into, out=into)


def _place(dz: Tensor, grad: Tensor, y: Tensor, columns: slice) -> None:
    inside = (y >= columns.start) & (y < columns.stop)
    local = (y - columns.start).clamp_(0, dz.shape[1] - 1)
    dz.scatter_add_(1, local[:, None], torch.where(inside, grad, torch.zeros_like(grad))[:, None])
