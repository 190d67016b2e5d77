"""Control tokens: a soft prompt for each label, as rows of the input embedding that are a parameter of their own.

They are ids like any others, so engine, samplers and caches need not know of them; the output layer has no entry for
them, so they are never sampled and change no other probability.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Message, Prompt
from zermelo.policies.policy import Policy
from zermelo.policies.template import probe_template

__all__ = ["ControlEmbedding", "Controls", "add_controls", "controlled"]


class ControlEmbedding(nn.Module):
    """An embedding whose ids first … first + n − 1 read `control`, a parameter of its own, and all others the base.

    Args:
        base: The embedding that is kept.
        first: First control id.
        start: First values of the control rows. [n, D]
    """

    def __init__(self, base: nn.Module, first: int, start: Tensor) -> None:
        super().__init__()
        self.base = base
        self.first = first
        self.control = nn.Parameter(start.detach().clone())

    @property
    def weight(self) -> Tensor:
        """The base's weight, for code that asks an embedding for it."""
        weight: Tensor = self.base.weight  # type: ignore[assignment]
        return weight

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings of ids. [..., D]"""
        place = ids - self.first
        own = (place >= 0) & (place < len(self.control))
        found: Tensor = self.base(torch.where(own, torch.zeros_like(ids), ids))
        rows = self.control[place.clamp(0, len(self.control) - 1)]
        return torch.where(own[..., None], rows.to(found.dtype), found)


@dataclass(frozen=True)
class Controls:
    """The control tokens of a policy.

    Args:
        labels: One control for each.
        length: Tokens of each.
        first: First of their ids; those of a label follow each other.
    """

    labels: tuple[str, ...]
    length: int
    first: int

    def prefix(self, label: str) -> str:
        """The text that stands for a label's control; put it before the prompt.

        Raises:
            SettingError: there is no such label.
        """
        self._place(label)
        return "".join(f"<|control:{label}:{number}|>" for number in range(self.length))

    def ids(self, label: str) -> tuple[int, ...]:
        """The ids of a label's control."""
        start = self.first + self._place(label) * self.length
        return tuple(range(start, start + self.length))

    def _place(self, label: str) -> int:
        if label not in self.labels:
            raise SettingError("bad-setting", f"no control for {label!r}; there are {', '.join(self.labels)}")
        return self.labels.index(label)


def add_controls(
    policy: Policy, labels: Sequence[str], *, length: int = 10, texts: Mapping[str, str] | None = None, seed: int = 0
) -> tuple[Policy, Controls]:
    """A policy with a soft prompt for each label, and what they are called. The model is changed in place.

    Only `…control` among its parameters is new; `MEET(stage="control")` trains just that, `stage="both"` everything.
    The controls are no part of `model.save_pretrained`: keep the rows (`ControlEmbedding.control`) beside it.

    Args:
        policy: The policy; its tokenizer is copied, its model gets another input embedding.
        labels: Labels, such as `good` and `bad`.
        length: Tokens of each control, at least 1.
        texts: A label's control starts as the embeddings of this text, repeated or cut; others as those of random
            tokens.
        seed: Seeds that choice.
    Raises:
        SettingError: no label, one twice, a length below 1, or the policy has controls already.
    Source: "Parameter-Efficient Tuning Helps Language Model Alignment", 2023, arXiv 2310.00819.
    """
    if not labels or len(set(labels)) < len(labels):
        raise SettingError("bad-setting", f"labels must be different and at least one. Got {list(labels)!r}")
    if length < 1:
        raise SettingError("bad-setting", f"length must be at least 1. Got {length!r}")
    base = policy.model.get_input_embeddings()  # type: ignore[operator]
    if isinstance(base, ControlEmbedding):
        raise SettingError("bad-setting", "the policy has controls already; add all labels at once")
    tokenizer = copy.deepcopy(policy.tokenizer)
    controls = Controls(tuple(labels), length, len(tokenizer))
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for label in labels:
        text = (texts or {}).get(label, "")
        known = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        drawn = torch.randint(len(tokenizer), (length,), generator=generator).tolist()
        rows += [known[place % len(known)] if known else drawn[place] for place in range(length)]
    names = [f"<|control:{label}:{number}|>" for label in labels for number in range(length)]
    tokenizer.add_tokens(names, special_tokens=True)
    if tokenizer.convert_tokens_to_ids(names) != list(range(controls.first, controls.first + len(names))):
        raise SettingError("bad-setting", "the tokenizer knows some of these control tokens already")
    start = base.weight.detach()[torch.tensor(rows, device=base.weight.device)]
    policy.model.set_input_embeddings(ControlEmbedding(base, controls.first, start))  # type: ignore[operator]
    template = probe_template(tokenizer).with_chat(policy.template.chat)
    return replace(policy, tokenizer=tokenizer, template=template), controls


def controlled(groups: Iterable[Group], controls: Controls, label: Callable[[Group, int], str | None]) -> list[Group]:
    """Groups in which each response is read behind its label's control (`Response.prompt`).

    Args:
        groups: Groups with prompts.
        controls: The controls.
        label: (group, index of the response) → its label; None leaves the response as it is.
    """
    made = []
    for group in groups:
        responses = []
        for place, response in enumerate(group.responses):
            said, prompt = label(group, place), response.prompt if response.prompt is not None else group.prompt
            if said is not None and prompt is not None:
                response = replace(response, prompt=_behind(controls.prefix(said), prompt))
            responses.append(response)
        made.append(replace(group, responses=tuple(responses)))
    return made


def _behind(prefix: str, prompt: Prompt) -> Prompt:
    if isinstance(prompt, str):
        return prefix + prompt
    first, *rest = prompt
    return (Message(first.role, prefix + first.content, first.extra), *rest)
