"""The plain path: one ordinary forward per sequence, the model's own logits. Slow, and right for every architecture.

It is the oracle that the fast backends are held to, and the last resort for a model whose output layer is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zermelo.policies.backends import output_layer
from zermelo.policies.groups import TokenGroups
from zermelo.policies.want import GroupLogprobs, Want

__all__ = ["forward_with_hidden", "plain_logprobs"]


def plain_logprobs(
    model: nn.Module,
    groups: TokenGroups,
    *,
    want: Want,
    others: Mapping[str, nn.Module],
    heads: Mapping[str, nn.Module],
) -> GroupLogprobs:
    """`group_logprobs` by definition: for each response, forward(prompt + response) and read off.

    Keeps [R, V] logits of every sequence for the backward pass.
    """
    seen: list[_Sequence] = []
    for group in groups.groups:
        for response in group.responses:
            seen.append(_sequence(model, group.prompt, response.ids, want, others))

    def flat(name: str) -> Tensor:
        return torch.cat([getattr(one, name) for one in seen])

    hidden = flat("hidden") if want.hidden or want.heads else None
    return GroupLogprobs(
        logps=flat("logps") if want.logps else None,
        entropy=flat("entropy") if want.entropy else None,
        kl={name: torch.cat([one.kl[name] for one in seen]) for name in want.kl},
        hidden=hidden if want.hidden else None,
        pooled=torch.stack([one.pooled for one in seen]) if want.pooled else None,
        heads={name: heads[name](hidden).reshape(-1).to(_wide(hidden)) for name in want.heads if hidden is not None},
        prompt_logps=torch.stack([one.prompt for one in seen]) if want.prompt else None,
        backend="plain",
    )


@dataclass
class _Sequence:
    logps: Tensor
    entropy: Tensor
    hidden: Tensor
    pooled: Tensor
    prompt: Tensor
    kl: dict[str, Tensor]


def _wide(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _sequence(
    model: nn.Module, prompt: tuple[int, ...], ids: tuple[int, ...], want: Want, others: Mapping[str, nn.Module]
) -> _Sequence:
    device = next(model.parameters()).device
    row = torch.tensor([prompt + ids], device=device)
    states, logits = forward_with_hidden(model, row)
    first = len(prompt) - 1
    none = torch.zeros(0)
    own = states[first + 1 :]
    predicting = states[first:-1]
    out = _Sequence(none, none, predicting, own[-1] if want.pooled == "last" else own.mean(0), none.sum(), {})
    if not want.vocabulary:
        return out
    assert logits is not None, "the model returned no logits"
    logp = logits.to(_wide(logits)).log_softmax(-1)  # [P + R, V]
    target = torch.cat([row[0, 1:], row[0, :1]])
    each = logp.gather(-1, target[:, None])[:, 0]
    at = slice(first, len(row[0]) - 1)
    out.logps, out.prompt = each[at], each[:first].sum()
    if want.entropy:
        out.entropy = -(logp[at].exp() * logp[at]).sum(-1)
    for name, direction in want.kl.items():
        with torch.no_grad():
            _, other = forward_with_hidden(others[name], row)
            assert other is not None, "the other policy returned no logits"
            q = other[at].to(_wide(other)).log_softmax(-1)
        p = logp[at]
        out.kl[name] = (p.exp() * (p - q) if direction == "reverse" else q.exp() * (q - p)).sum(-1)
    return out


def forward_with_hidden(model: nn.Module, row: Tensor, **inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """Final hidden states [L, D] (the output layer's input) and logits [L, V] of one row of ids [1, L].

    Args:
        model: Causal language model, or a bare body (then logits are None).
        row: Ids.
        inputs: More for the model's forward.
    """
    caught: list[Tensor] = []
    head = output_layer(model)
    hook = None if head is None else head.register_forward_pre_hook(lambda _module, args: caught.append(args[0][0]))
    try:
        out = model(input_ids=row, use_cache=False, **inputs)
    finally:
        if hook is not None:
            hook.remove()
    n = row.shape[1]  # from the end: PEFT may put virtual tokens in front
    return (out.last_hidden_state[0, -n:], None) if head is None else (caught[-1][-n:], out.logits[0, -n:])
