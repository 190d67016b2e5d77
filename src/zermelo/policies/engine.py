"""The group engine: log-probabilities of every response of every group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

import torch
from torch import nn

from zermelo.errors import SettingError
from zermelo.policies.groups import TokenGroups
from zermelo.policies.plain import plain_logprobs
from zermelo.policies.want import Backend, GroupLogprobs, Want

if TYPE_CHECKING:
    from zermelo.policies.policy import Policy

__all__ = ["ENGINE_VERSION", "GroupLogprobs", "Model", "Want", "group_logprobs", "module_of"]

ENGINE_VERSION = 1  # part of every reference fingerprint: raise it when numbers change

Model: TypeAlias = "nn.Module | Policy"


def module_of(policy: Model) -> nn.Module:
    """The module of a `Policy`, or the module itself (wrapped by PEFT, DDP, FSDP2 or not)."""
    if isinstance(policy, nn.Module):
        return policy
    return cast(nn.Module, policy.model)


def group_logprobs(
    policy: Model,
    groups: TokenGroups,
    *,
    want: Want = Want(),
    grad: bool = True,
    others: Mapping[str, Model] | None = None,
    heads: Mapping[str, nn.Module] | None = None,
    backend: Backend = "auto",
    rows: int | None = None,
    checkpointing: bool = False,
) -> GroupLogprobs:
    """Log-probabilities (and what else `want` names) of every response of every group.

        logps_t = log π(y_t | x, y_<t)      flat over groups, responses, tokens      [T], nat

    Equal to one ordinary forward per sequence, values and gradients.

    Args:
        policy: A `Policy`, or any Transformers causal language model, wrapped or not.
        groups: Prompt and response ids.
        want: What to compute; see `Want` for the positions at which things are read.
        grad: False computes without a graph.
        others: name → policy, for `want.kl`.
        heads: name → module (D → 1), for `want.heads`.
        backend: How attention branches; `auto` chooses by architecture and shape.
        rows: At most so many tokens in one packed row (a longer group gets a row of its own). None: one row.
        checkpointing: Recompute each layer in the backward pass instead of keeping its activations.
    Raises:
        SettingError: a name in `want` has no policy or head; a prompt or response is empty.
    """
    others, heads = dict(others or {}), dict(heads or {})
    _check(groups, want, others, heads)
    model = module_of(policy)
    with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
        return plain_logprobs(
            model, groups, want=want, others={name: module_of(other) for name, other in others.items()}, heads=heads
        )


def _check(groups: TokenGroups, want: Want, others: Mapping[str, Model], heads: Mapping[str, nn.Module]) -> None:
    for kind, names, given in (("kl", want.kl, others), ("heads", want.heads, heads)):
        for name in names:
            if name not in given:
                known = ", ".join(sorted(given)) or "none"
                raise SettingError("bad-setting", f"Want.{kind} names {name!r}; given: {known}")
    if not groups.groups:
        raise SettingError("bad-setting", "no groups to compute")
    for group in groups.groups:
        if not group.prompt or not group.responses or not all(response.ids for response in group.responses):
            raise SettingError(
                "bad-setting", f"group {group.id!r}: prompt, responses and each response need at least one id"
            )
