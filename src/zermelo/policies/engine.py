"""The group engine: log-probabilities of every response of every group, each prompt computed once.

layout.py      groups as one row of tokens, each a tree
packing.py     which groups share a row or a micro-batch
attention.py   the attention function that models call for a laid-out row; branching.py, flex.py: its kernels
head.py        the output layer fused with log-softmax
backends.py    which backend serves a model and a shape
plain.py       one ordinary forward per sequence: the oracle
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.policies.attention import checkpointed, switched
from zermelo.policies.backends import Facts, choose, output_layer
from zermelo.policies.groups import TokenGroup, TokenGroups
from zermelo.policies.head import Other, Post, Scores, Terms, terms_of, tiled, untiled
from zermelo.policies.layout import Layout, layout
from zermelo.policies.packing import pack
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
    return policy.model


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

    Equal to one ordinary forward per sequence, values and gradients; K responses cost P + Σ R tokens, not
    Σ (P + R), and the output layer runs where a response token is predicted only. The model's weights, mode and
    configuration are as before when the call returns. Dropout, where the model trains with it, is drawn once for a
    shared prompt.

    Args:
        policy: A `Policy`, or any Transformers causal language model, wrapped (PEFT, DDP, FSDP2) or not. A body
            without an output layer will do where nothing of `want` needs one.
        groups: Prompt and response ids.
        want: What to compute; see `Want` for the positions at which things are read.
        grad: False computes without a graph.
        others: name → policy, for `want.kl`.
        heads: name → module (D → 1), for `want.heads`.
        backend: How attention branches. `auto` chooses by architecture and shape (logged once): `split` a few causal
            calls merged by log-sum-exp, `flex` one block-masked call, `dense` a mask per group, `sequences` no
            sharing (models that cannot branch), `plain` the model's own logits, one sequence at a time.
        rows: At most so many tokens in one packed row (a longer group gets a row of its own). None: one row, one
            forward, which sharded training wants (every rank must run as many forwards).
        checkpointing: Recompute each layer in the backward pass instead of keeping its activations (train mode).
    Raises:
        SettingError: a name in `want` has no policy or head; a prompt or response is empty; the backend asked for
            cannot serve the model.
    """
    named = {name: module_of(other) for name, other in (others or {}).items()}
    modules = dict(heads or {})
    _check(groups, want, named, modules)
    model = module_of(policy)
    with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
        choice, facts = choose(model, groups, backend, vocabulary=want.vocabulary)
        if choice.backend == "plain":
            return plain_logprobs(model, groups, want=want, others=named, heads=modules)
        if want.vocabulary and not facts.head:
            raise SettingError("bad-setting", "the model has no output layer; Want(logps=False, …) does without")
        units = _units(groups.groups, choice.backend)
        packed = _packed(units, choice.backend, rows)
        run = _Run(model, facts, choice.backend, want, named, modules, backend, checkpointing)
        parts = [run.row([units[i] for i in row]) for row in packed]
    return _in_order(parts, units, packed, want, choice.backend)


def _units(groups: Sequence[TokenGroup], backend: str) -> list[TokenGroup]:
    """Groups, or one group per response where nothing is shared; the flat order is the same."""
    if backend != "sequences":
        return list(groups)
    return [TokenGroup(group.id, group.prompt, (response,)) for group in groups for response in group.responses]


def _packed(units: Sequence[TokenGroup], backend: str, budget: int | None) -> list[list[int]]:
    if backend == "sequences":
        return [[i] for i in range(len(units))]
    return pack([unit.n_tokens for unit in units], budget)


@dataclass
class _Part:
    """What one row gave, in row order."""

    tokens: dict[str, Tensor] = field(default_factory=dict)  # name → [T, …]
    responses: dict[str, Tensor] = field(default_factory=dict)  # name → [N, …]


@dataclass(frozen=True)
class _Run:
    model: nn.Module
    facts: Facts
    backend: str
    want: Want
    others: Mapping[str, nn.Module]
    heads: Mapping[str, nn.Module]
    asked: Backend
    checkpointing: bool

    def row(self, groups: Sequence[TokenGroup]) -> _Part:
        """One forward over one row."""
        want = self.want
        device = next(self.model.parameters()).device
        # a sequence on its own keeps its last token: some rotary positions depend on the length
        whole = want.pooled is not None or self.backend == "sequences"
        row = layout(groups, whole=whole, prompt=want.prompt, device=device, backend=self.backend)
        theirs = {name: self._other(name, groups) for name in want.kl}
        part = _Part()

        def read(layer: nn.Module | None, hidden: Tensor) -> list[Tensor]:
            """Everything that needs the output layer, while a sharded model has it at hand."""
            states = hidden[row.predict]
            if want.hidden or want.heads:
                part.tokens["hidden"] = states
            if want.pooled:
                part.responses["pooled"] = _pool(hidden, row, want.pooled)
            if want.vocabulary and layer is not None:
                assert self.facts.post is not None
                scores = _score(layer, states, row.target, self.facts.post, want, theirs)
                part.tokens["logps"] = scores.logps
                if scores.entropy is not None:
                    part.tokens["entropy"] = scores.entropy
                part.tokens.update({f"kl.{name}": value for name, value in scores.kl.items()})
                if want.prompt:
                    part.responses["prompt"] = _prompt(layer, hidden, row, self.facts.post)
            return [*part.tokens.values(), *part.responses.values()]

        tie = _forward(self.model, row, read, checkpointing=self.checkpointing)
        part.tokens = {name: value + tie.to(value.dtype) for name, value in part.tokens.items()}
        part.responses = {name: value + tie.to(value.dtype) for name, value in part.responses.items()}
        for name in want.heads:
            states = part.tokens["hidden"]
            part.tokens[f"heads.{name}"] = self.heads[name](states).reshape(-1).to(_wide(states))
        return part

    @torch.no_grad()
    def _other(self, name: str, groups: Sequence[TokenGroup]) -> _Theirs:
        model = self.others[name]
        choice, facts = choose(model, TokenGroups(tuple(groups)), self.asked, vocabulary=True)
        if facts.post is None or choice.backend == "plain":
            raise SettingError("bad-setting", f"the output layer of {name!r} is not one that a KL can be computed with")
        device = next(model.parameters()).device
        states: list[Tensor] = []

        def read(_layer: nn.Module | None, hidden: Tensor) -> list[Tensor]:
            states.append(hidden[row.predict])
            return []

        units = _units(groups, choice.backend)
        for piece in [units] if choice.backend != "sequences" else [[unit] for unit in units]:
            row = layout(
                piece, whole=choice.backend == "sequences", prompt=False, device=device, backend=choice.backend
            )
            _forward(model, row, read, checkpointing=False)
        layer = output_layer(model)
        assert layer is not None
        return _Theirs(layer, torch.cat(states), facts.post)


@dataclass(frozen=True)
class _Theirs:
    layer: nn.Module
    hidden: Tensor
    post: Post

    def logp(self, start: int, stop: int) -> Tensor:
        """Log-probabilities at some tokens. [stop − start, V]"""
        with torch.no_grad():
            z = type(self.layer).forward(self.layer, self.hidden[start:stop])
            return self.post(z.to(_wide(z))).log_softmax(-1)


def _forward(
    model: nn.Module,
    row: Layout,
    read: Callable[[nn.Module | None, Tensor], list[Tensor]],
    *,
    checkpointing: bool,
) -> Tensor:
    """Run the model over a row and call `read` where it would apply its output layer.

    Returns:
        Zero, connected to everything `read` returned *through the model's output*: added to results, it lets the
        hooks of sharded models (which look at outputs) see their gradients. []
    """
    layer = output_layer(model)
    inputs: dict[str, Any] = {}
    if row.backend == "sequences":
        context = checkpointed(model, on=checkpointing)
    else:
        context = switched(model, row, checkpointing=checkpointing)
        inputs = {"attention_mask": row.mask(), "position_ids": row.positions}
    with context:
        if layer is None:
            hidden = model(input_ids=row.ids, use_cache=False, **inputs).last_hidden_state[0, -row.length :]
            return _nothing_of(read(None, hidden), hidden).reshape(())

        def instead(hidden: Tensor) -> Tensor:
            # from the end: PEFT may put virtual tokens in front
            return _nothing_of(read(layer, hidden[0, -row.length :]), hidden)

        with _replaced(layer, instead):
            logits: Tensor = model(input_ids=row.ids, use_cache=False, **inputs).logits
        return logits.reshape(()) * 0.0


@contextmanager
def _replaced(layer: nn.Module, forward: Callable[[Tensor], Tensor]) -> Iterator[None]:
    before = layer.__dict__.get("forward")
    layer.__dict__["forward"] = forward
    try:
        yield
    finally:
        if before is None:
            del layer.__dict__["forward"]
        else:
            layer.__dict__["forward"] = before


def _nothing_of(results: Sequence[Tensor], hidden: Tensor) -> Tensor:
    """Zero that depends on every result. [1, 1, 1]"""
    zero = hidden.new_zeros(())
    for result in results:
        zero = zero + result[:0].sum().to(zero.dtype)
    return zero.reshape(1, 1, 1)


def _score(layer: Any, states: Tensor, target: Tensor, post: Post, want: Want, theirs: Mapping[str, _Theirs]) -> Scores:
    terms = terms_of(layer, states)
    others: dict[str, Other] = {}
    for name, other in theirs.items():
        found = terms_of(other.layer, other.hidden)
        if found is not None:
            others[name] = Other(found, other.post, want.kl[name])
            _same_vocabulary(name, found, terms)
    if terms is not None and len(others) == len(theirs):
        return tiled(terms, target, post, entropy=want.entropy, others=others)
    slow = {name: other.logp for name, other in theirs.items()}
    # the class's forward: the instance's is replaced for the moment
    own = functools.partial(type(layer).forward, layer)
    return untiled(own, states, target, post, entropy=want.entropy, others=slow, directions=want.kl)


def _same_vocabulary(name: str, other: Terms, own: Terms | None) -> None:
    if own is not None and other.weight[0].shape[0] != own.weight[0].shape[0]:
        raise SettingError(
            "bad-setting",
            f"KL to {name!r}: its vocabulary has {other.weight[0].shape[0]} entries, "
            f"the policy's {own.weight[0].shape[0]}",
        )


def _prompt(layer: nn.Module, hidden: Tensor, row: Layout, post: Post) -> Tensor:
    scores = _score(layer, hidden[row.prompt_predict], row.prompt_target, post, Want(), {})
    lengths = torch.tensor([tree.prompt - 1 for tree in row.trees], device=hidden.device)
    total = torch.stack([part.sum() for part in scores.logps.split(lengths.tolist())])
    return total.repeat_interleave(torch.tensor([len(tree.branches) for tree in row.trees], device=hidden.device))


def _pool(hidden: Tensor, row: Layout, how: str) -> Tensor:
    n = sum(len(tree.branches) for tree in row.trees)
    lengths = torch.bincount(row.response, minlength=n)
    if how == "last":
        return hidden[row.own[lengths.cumsum(0) - 1]]
    total = hidden.new_zeros(n, hidden.shape[1]).index_add(0, row.response, hidden[row.own])
    return total / lengths[:, None].to(hidden.dtype)


def _in_order(
    parts: Sequence[_Part], units: Sequence[TokenGroup], packed: Sequence[Sequence[int]], want: Want, backend: str
) -> GroupLogprobs:
    """Row results back in the order of the groups."""
    order = list(itertools.chain.from_iterable(packed))
    by_token = _permutation(order, [sum(len(r.ids) for r in unit.responses) for unit in units])
    by_response = _permutation(order, [len(unit.responses) for unit in units])

    def tokens(name: str) -> Tensor | None:
        return _gather([part.tokens[name] for part in parts], by_token) if name in parts[0].tokens else None

    def responses(name: str) -> Tensor | None:
        return _gather([part.responses[name] for part in parts], by_response) if name in parts[0].responses else None

    return GroupLogprobs(
        logps=tokens("logps") if want.logps else None,
        entropy=tokens("entropy"),
        kl={name: cast(Tensor, tokens(f"kl.{name}")) for name in want.kl},
        hidden=tokens("hidden") if want.hidden else None,
        pooled=responses("pooled"),
        heads={name: cast(Tensor, tokens(f"heads.{name}")) for name in want.heads},
        prompt_logps=responses("prompt"),
        backend=backend,
    )


def _permutation(order: Sequence[int], sizes: Sequence[int]) -> Tensor | None:
    """Where each item of the flat original order lies in the packed order; None where nothing moved."""
    if list(order) == sorted(order):
        return None
    at, start = {}, 0
    for unit in order:
        at[unit] = start
        start += sizes[unit]
    return torch.cat([torch.arange(at[unit], at[unit] + size) for unit, size in enumerate(sizes)])


def _gather(parts: Sequence[Tensor], index: Tensor | None) -> Tensor:
    flat = parts[0] if len(parts) == 1 else torch.cat(list(parts))
    return flat if index is None else flat[index.to(flat.device)]


def _wide(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _check(groups: TokenGroups, want: Want, others: Mapping[str, nn.Module], heads: Mapping[str, nn.Module]) -> None:
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
