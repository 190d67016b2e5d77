"""The output layer fused with log-softmax: log-probabilities, entropies and KLs without a [tokens, vocabulary] tensor.

    z = post(Σᵢ Hᵢ Wᵢᵀ + b)        post: scale, then c · tanh(z/c)
    log p(y) = z_y − ℓ,   ℓ = log Σⱼ e^zⱼ

The vocabulary is walked in tiles (`head_tiles`); layers that are no sum of products take chunks of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from zermelo.policies.head_terms import Other, Post, Scores, Terms, terms_of
from zermelo.policies.head_tiles import Spec, Tiled
from zermelo.policies.want import Direction

__all__ = ["Other", "Post", "Scores", "Terms", "terms_of", "tiled", "untiled"]


def tiled(terms: Terms, target: Tensor, post: Post, *, entropy: bool, others: Mapping[str, Other]) -> Scores:
    """log p(target), entropy and KLs, tile by tile, with exact gradients for every Hᵢ, Wᵢ and b.

    Args:
        terms: The output layer at T tokens.
        target: Ids. [T]
        post: What follows the layer.
        entropy: Whether to compute it.
        others: name → the other policy's layer at the same tokens.
    """
    kind = terms.hidden[0].device.type
    work = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else terms.weight[0].dtype
    spec = Spec(post, entropy, tuple(others.values()), len(terms.hidden), work)
    flat: tuple[Tensor, ...] = Tiled.apply(spec, target, terms.bias, *terms.hidden, *terms.weight)  # type: ignore[no-untyped-call]
    rest = flat[1 + entropy :]
    return Scores(flat[0], flat[1] if entropy else None, dict(zip(others, rest, strict=True)))


def untiled(
    layer: Callable[[Tensor], Tensor],
    hidden: Tensor,
    target: Tensor,
    post: Post,
    *,
    entropy: bool,
    others: Mapping[str, Callable[[int, int], Tensor]],
    directions: Mapping[str, Direction],
    chunk: int = 512,
) -> Scores:
    """The same for a layer of any kind: chunks of tokens, each recomputed in the backward pass.

    Args:
        layer: hidden [c, D] → logits before `post` [c, V].
        hidden: [T, D]
        target: [T]
        post: What follows the layer.
        entropy: Whether to compute it.
        others: name → function of (start, stop) that gives the other policy's log-probabilities [c, V].
        directions: name → direction of the KL.
        chunk: Tokens at a time.
    """
    from torch.utils.checkpoint import checkpoint

    def piece(h: Tensor, y: Tensor, start: int) -> tuple[Tensor, ...]:
        z = layer(h)
        wide = torch.float64 if z.dtype == torch.float64 else torch.float32
        logp = post(z.to(wide)).log_softmax(-1)
        found = [logp.gather(1, y[:, None])[:, 0]]
        if entropy:
            found.append(-(logp.exp() * logp).sum(-1))
        for name, other in others.items():
            q = other(start, start + len(y)).to(wide)
            reverse = directions[name] == "reverse"
            found.append((logp.exp() * (logp - q)).sum(-1) if reverse else (q.exp() * (q - logp)).sum(-1))
        return tuple(found)

    pieces = [
        checkpoint(piece, hidden[a : a + chunk], target[a : a + chunk], a, use_reentrant=False)
        for a in range(0, len(target), chunk)
    ]
    flat = [torch.cat(parts) for parts in zip(*pieces, strict=True)]
    return Scores(flat[0], flat[1] if entropy else None, dict(zip(others, flat[1 + entropy :], strict=True)))
