"""Which backend serves a model and a shape: declared facts, a probe that checks them, thresholds."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.policies.attention import observed, switched
from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse
from zermelo.policies.head import Post
from zermelo.policies.layout import layout
from zermelo.policies.want import Backend

__all__ = ["Choice", "Facts", "choose", "evaluating", "examine", "output_layer", "unwrapped"]

log = logging.getLogger("zermelo.policies.engine")

# On a processor one masked call beats several small ones up to this many tokens in a group; above, the mask costs more
# than the calls. A first value, from a busy machine; benchmarks/dpo_backends.py measures it anew.
DENSE_UP_TO = 96
# On CUDA one compiled call per layer should beat a call per response unless responses are long: a guess, not measured.
FLEX_UP_TO = 4096


@dataclass(frozen=True)
class Facts:
    """What the engine needs to know about a model.

    Args:
        trees: Why attention cannot branch, or '' where it can.
        window: Smallest sliding window that a layer uses.
        known_windows: Whether every window reaches the attention function (else a biting window cannot branch).
        limit: Longest sequence up to which positions do not depend on the length (dynamic rotary positions).
        softcap: Whether attention scores are capped.
        post: What follows the output layer; None where it is not understood, or where there is no output layer.
        head: Whether there is an output layer.
    """

    trees: str
    window: int | None
    known_windows: bool
    limit: int | None
    softcap: bool
    post: Post | None
    head: bool


@dataclass(frozen=True)
class Choice:
    """A backend and why."""

    backend: str
    why: str


_examined: weakref.WeakKeyDictionary[nn.Module, Facts] = weakref.WeakKeyDictionary()
_said: weakref.WeakKeyDictionary[nn.Module, set[Choice]] = weakref.WeakKeyDictionary()


def unwrapped(model: nn.Module) -> nn.Module:
    """The Transformers model inside PEFT, DDP, DeepSpeed or a compiled module; the module itself if there is none."""
    inner: Any = model
    while not hasattr(type(inner), "get_output_embeddings"):
        # by registered child: PEFT forwards unknown attributes, so that `base_model` may name the body
        children = [
            inner._modules[name] for name in ("module", "_orig_mod", "base_model", "model") if name in inner._modules
        ]
        if not children:
            return model
        inner = children[0]
    return inner  # type: ignore[no-any-return]


def output_layer(model: nn.Module) -> nn.Module | None:
    """The layer that makes logits, found through any wrapper; None for a bare body."""
    inner = unwrapped(model)
    find = getattr(inner, "get_output_embeddings", None)
    return None if find is None else find()


def choose(model: nn.Module, groups: TokenGroups, backend: Backend, *, vocabulary: bool) -> tuple[Choice, Facts]:
    """The backend for these groups; logged once per model and reason.

    Raises:
        SettingError: a branching backend is asked of a model that cannot branch.
    """
    if backend == "plain":
        facts = Facts("", None, True, None, False, None, True)
        return Choice("plain", "asked for"), facts
    facts = examine(model)
    choice = _choose(facts, groups, backend, next(model.parameters()).device.type, vocabulary)
    said = _said.setdefault(model, set())
    if choice not in said:
        said.add(choice)
        log.info("group engine: %s backend: %s", choice.backend, choice.why)
    return choice, facts


def _choose(facts: Facts, groups: TokenGroups, backend: Backend, device: str, vocabulary: bool) -> Choice:
    longest = max(len(g.prompt) + max(len(r.ids) for r in g.responses) for g in groups.groups)
    name = unable(facts, longest)
    if vocabulary and facts.head and facts.post is None:
        return Choice("plain", "the model changes its logits in a way that the fused output layer does not know")
    if name:
        if backend not in ("auto", "sequences"):
            raise SettingError(
                "cannot-branch", f"backend={backend!r}: {name}", hint="backend='auto' finds the right one"
            )
        return Choice("sequences", name)
    if backend != "auto":
        return Choice(backend, "asked for")
    size = max(group.n_tokens for group in groups.groups)
    bites = facts.window is not None and longest > facts.window
    if device == "cuda":
        if facts.softcap or bites or size <= FLEX_UP_TO:
            return Choice("flex", "CUDA, one block-masked call per layer")
        return Choice("split", f"CUDA, groups longer than {FLEX_UP_TO} tokens")
    if facts.softcap:
        return Choice("dense", "attention scores are capped")
    if bites:
        return Choice("dense", f"sequences are longer than the sliding window of {facts.window}")
    if size <= DENSE_UP_TO:
        return Choice("dense", f"groups of at most {DENSE_UP_TO} tokens")
    return Choice("split", f"groups longer than {DENSE_UP_TO} tokens")


def unable(facts: Facts, longest: int) -> str:
    """Why sequences of this length cannot share their prompt; '' where they can."""
    if facts.trees:
        return facts.trees
    if facts.limit is not None and longest > facts.limit:
        return f"rotary positions depend on the sequence length above {facts.limit} tokens"
    if facts.window is not None and not facts.known_windows and longest > facts.window:
        return f"a sliding window of {facts.window} that attention is not told of"
    return ""


def examine(model: nn.Module) -> Facts:
    """The facts of a model, from its configuration, checked by three forward passes of a few tokens; kept per model."""
    if model not in _examined:
        _examined[model] = _examine(model)
    return _examined[model]


def _examine(model: nn.Module) -> Facts:
    inner = unwrapped(model)
    whole: Any = getattr(inner, "config", None)
    config = whole.get_text_config() if hasattr(whole, "get_text_config") else whole
    head = output_layer(model)
    window = _window(config)
    reason = _declared(model, inner, config)
    with torch.no_grad(), evaluating(model):
        post = None if head is None else _probed_post(model, head, inner, config)
        known = True
        if not reason:
            reason, windows = _probed_trees(model)
            known = window is None or window in windows
    return Facts(
        trees=reason,
        window=window,
        known_windows=known,
        limit=_limit(config),
        softcap=bool(getattr(config, "attn_logit_softcapping", None)),
        post=post,
        head=head is not None,
    )


def _declared(model: nn.Module, inner: nn.Module, config: Any) -> str:
    name = type(inner).__name__
    if any(getattr(part, "is_prompt_learning", False) for part in getattr(model, "peft_config", {}).values()):
        return "virtual prompt tokens (PEFT)"
    if getattr(inner, "_is_stateful", False):
        return f"{name} has recurrent layers"
    if any(isinstance(module, nn.Conv1d) for module in inner.modules()):
        return f"{name} convolves along the sequence"
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if kinds:
        return f"{name} has layers of kind {', '.join(sorted(kinds))}"
    if not getattr(inner, "_supports_attention_backend", False):
        return f"{name} has attention of its own"
    if getattr(config, "is_encoder_decoder", False):
        return f"{name} has an encoder"
    return ""


def _window(config: Any) -> int | None:
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if window is None or getattr(config, "use_sliding_window", True) is False:
        return None
    return None if kinds and "sliding_attention" not in kinds else int(window)


def _limit(config: Any) -> int | None:
    ropes = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    nested: list[Any] = [part for part in ropes.values() if isinstance(part, dict)] or [ropes]
    limits = [
        int(rope.get("original_max_position_embeddings") or config.max_position_embeddings)
        for rope in nested
        if rope.get("rope_type", rope.get("type")) in ("dynamic", "longrope")
    ]
    return min(limits, default=None)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every module has the mode it had."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _probe(model: nn.Module) -> TokenGroup:
    ids = [3 + i % 5 for i in range(9)]
    return TokenGroup("probe", tuple(ids[:4]), (TokenResponse((3, 5, 4)), TokenResponse((6, 4, 3, 7))))


def _probed_post(model: nn.Module, head: nn.Module, inner: nn.Module, config: Any) -> Post | None:
    """What follows the output layer, as declared; None unless the model's logits agree."""
    scale = getattr(inner, "logit_scale", None)
    scale = 1.0 if not isinstance(scale, int | float) else float(scale)
    divisor = getattr(config, "logits_scaling", None)
    cap = getattr(config, "final_logit_softcapping", None) or getattr(config, "logits_soft_cap", None)
    post = Post(scale / float(divisor or 1.0), cap)
    caught: list[tuple[Tensor, Tensor]] = []
    hook = head.register_forward_hook(
        lambda _m, args, out: caught.append((args[0].detach().clone(), out.detach().clone()))
    )
    group = _probe(model)
    row = torch.tensor([group.prompt], device=next(model.parameters()).device)
    try:
        logits = model(input_ids=row, use_cache=False).logits
    finally:
        hook.remove()
    if len(caught) != 1 or caught[0][1].shape[1:] != logits.shape[1:]:
        return None
    raw = caught[0][1].double()
    return post if _apart(post(raw), logits.double()) <= _tolerance(logits.dtype) else None


def _probed_trees(model: nn.Module) -> tuple[str, set[int | None]]:
    """'' where a tiny tree gives the hidden states that its sequences give; else why not. And the windows seen."""
    from zermelo.policies.plain import forward_with_hidden

    group = _probe(model)
    device = next(model.parameters()).device
    row = layout([group], whole=True, prompt=False, device=device, backend="dense")
    windows: set[int | None] = set()
    try:
        with switched(model, row, checkpointing=False), observed() as windows:
            tree, _ = forward_with_hidden(model, row.ids, attention_mask=row.mask(), position_ids=row.positions)
    except Exception as error:  # a model's own code may fail in any way on a mask it does not expect
        return f"{type(unwrapped(model)).__name__} does not take a laid-out row ({type(error).__name__})", windows
    if not windows:
        return f"{type(unwrapped(model)).__name__} does not call the attention interface", windows
    at = 0
    for response in group.responses:
        ids = group.prompt + response.ids
        alone, _ = forward_with_hidden(model, torch.tensor([ids], device=device))
        own = row.own[at : at + len(response.ids)]
        if _apart(tree[own].double(), alone[len(group.prompt) :].double()) > _tolerance(alone.dtype):
            return f"{type(unwrapped(model)).__name__} does not branch exactly", windows
        at += len(response.ids)
    return "", windows


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm().clamp_min(1e-30))


def _tolerance(dtype: torch.dtype) -> float:
    # rounding of a few layers; a wrong mask or position is off by 0.1 and more, bfloat16 routers may flip an expert
    return {torch.float64: 1e-9, torch.float32: 1e-4}.get(dtype, 0.1)
