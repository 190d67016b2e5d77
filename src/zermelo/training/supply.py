"""From examples to the batch that an objective reads: the data, and what the engine computes. No more than it needs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.objectives.batch import Axis, RaggedBatch
from zermelo.objectives.protocol import EXTRAS, Needs
from zermelo.policies.engine import group_logprobs
from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse
from zermelo.policies.want import Backend, Direction, GroupLogprobs, Want
from zermelo.synthesis.marks import id_marks
from zermelo.training.examples import Example
from zermelo.training.heads import HEADS, PER_TOKEN
from zermelo.training.plan import MicroBatch
from zermelo.training.references import Reference
from zermelo.training.totals import Sums

__all__ = ["CPU_ROW", "PolicySupplier", "Supplier", "data_batch", "ids_of", "mismatched"]


CPU_ROW = 1024  # tokens of one forward pass on a processor: longer rows leave its caches (forward 25 % slower at 4096)


class Supplier(Protocol):
    """Makes batches for the loop; `PolicySupplier` for language models, `RewardSupplier` for reward models."""

    needs: Needs

    def data(self, micro: MicroBatch, *, blank: bool = False) -> RaggedBatch:
        """The data alone, log-probabilities zero (`blank`: also those of other policies); on the device."""
        ...

    def computed(
        self, micro: MicroBatch, batch: RaggedBatch, partners: Mapping[str, Example], *, grad: bool
    ) -> RaggedBatch:
        """The batch with what the model says. `partners`: example id → example of the step whose prompt it borrows."""
        ...

    def figures(self, batch: RaggedBatch, sums: Sums, *, counts: bool) -> None:
        """Add the figures that every run logs, whatever its objective."""
        ...

    def outputs(self, examples: Sequence[Example], backend: Backend) -> Tensor:
        """What the model says, without gradient, by a given backend of the engine; for the self-checks."""
        ...


def ids_of(examples: Sequence[Example]) -> TokenGroups:
    """All ids of some examples, in order."""
    return TokenGroups(tuple(group for example in examples for group in example.tokens))


def data_batch(examples: Sequence[Example], needs: Needs, device: torch.device) -> RaggedBatch:
    """Everything that an objective reads and no model has to compute."""
    responses = [response for example in examples for response in example.responses]
    counts = [len(example.responses) for example in examples]
    starts = [0, *itertools.accumulate(counts[:-1])]
    lengths = torch.tensor([len(response.ids) for response in responses])
    n_tokens = int(lengths.sum())

    def floats(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    fields: dict[str, Tensor | None] = {}
    if any(response.weight is not None for response in responses):
        fields["token_weight"] = floats([w for r in responses for w in (r.weight or (1.0,) * len(r.ids))])
    if needs.scores:
        fields["scores"] = floats([value for example in examples for value in example.scores])
    if needs.labels:
        fields["labels"] = floats([value for example in examples for value in example.labels])
    if any(example.weight != 1.0 for example in examples):
        weights = [example.weight for example, n in zip(examples, counts, strict=True) for _ in range(n)]
        fields["response_weight"] = floats(weights)
    if needs.pairs:
        pairs = [(pair, start) for example, start in zip(examples, starts, strict=True) for pair in example.pairs]
        index = [(pair.win + start, pair.lose + start) for pair, start in pairs]
        fields["pairs"] = torch.tensor(index, dtype=torch.long, device=device).reshape(-1, 2)
        fields["prob"] = floats([pair.prob for pair, _ in pairs])
        fields["margin"] = floats([pair.margin for pair, _ in pairs])
        fields["weight"] = floats([pair.weight for pair, _ in pairs])
        fields["annotator"] = torch.tensor([pair.annotator for pair, _ in pairs], dtype=torch.long, device=device)
    if needs.steps:
        fields["token_step"], fields["step_response"] = _steps(responses, device)
    group = torch.tensor([i for i, n in enumerate(counts) for _ in range(n)], device=device)
    return RaggedBatch(
        logps=torch.zeros(n_tokens, device=device),
        token_response=torch.repeat_interleave(torch.arange(len(responses)), lengths).to(device),
        response_group=group,
        finished=torch.tensor([response.finished for response in responses], device=device),
        extra=_data_extra(examples, needs, device),
        **fields,  # type: ignore[arg-type]
    )


def _steps(responses: Sequence[TokenResponse], device: torch.device) -> tuple[Tensor, Tensor]:
    """Steps numbered over the batch, [T] with −1 = none, and the response of each, [S]."""
    tokens: list[int] = []
    owners: list[int] = []
    for number, response in enumerate(responses):
        if response.step is None:
            tokens += [-1] * len(response.ids)
            continue
        place: dict[int, int] = {}
        for step in response.step:
            if step < 0:
                tokens.append(-1)
                continue
            if step not in place:
                place[step] = len(owners)
                owners.append(number)
            tokens.append(place[step])
    return torch.tensor(tokens, device=device), torch.tensor(owners, dtype=torch.long, device=device)


def _origin(examples: Sequence[Example]) -> list[float]:
    return [float(example.origin) for example in examples for _ in example.responses]


def _per_response(name: str) -> Callable[[Sequence[Example]], list[float]]:
    """One number a response from the group's meta: a number for all of them, or a list."""

    def read(examples: Sequence[Example]) -> list[float]:
        values: list[float] = []
        for example in examples:
            found = example.meta.get(name, math.nan)
            n = len(example.responses)
            listed = list(found) if isinstance(found, list | tuple) else [found] * n
            if len(listed) != n:
                raise SettingError(
                    "not-supplied", f"group {example.id}: meta[{name!r}] has {len(listed)} values; expected {n}"
                )
            values += [float(cast(float, value)) for value in listed]
        return values

    return read


def _differing(*, fill: bool) -> Callable[[Sequence[Example]], list[float]]:
    """Marks of the tokens in which the two sides of a pair differ; of several pairs of a response, all their marks."""

    def read(examples: Sequence[Example]) -> list[float]:
        values: list[float] = []
        for example in examples:
            ids = [response.ids for response in example.responses]
            marks = [[0.0] * len(own) for own in ids]
            for pair in example.pairs:
                for place, found in zip(
                    (pair.win, pair.lose), id_marks(ids[pair.win], ids[pair.lose], fill=fill), strict=True
                ):
                    marks[place] = [float(new or old) for new, old in zip(found, marks[place], strict=True)]
            values += [value for row in marks for value in row]
        return values

    return read


# what `Needs.extra` may ask of the data; everything else is computed by the model or a head
DATA_EXTRAS: Mapping[str, Callable[[Sequence[Example]], list[float]]] = {
    "origin": _origin,
    "empty_trace": _per_response("empty_trace"),
    "degree": _per_response("degree"),
    "part": _per_response("part"),
    "phrase": _differing(fill=False),
    "fault": _differing(fill=True),
}
COMPUTED = ("entropy", *HEADS)


def _data_extra(examples: Sequence[Example], needs: Needs, device: torch.device) -> dict[str, tuple[Axis, Tensor]]:
    found: dict[str, tuple[Axis, Tensor]] = {}
    for name in needs.extra:
        if name in DATA_EXTRAS:
            values = torch.tensor(DATA_EXTRAS[name](examples), dtype=torch.float32, device=device)
            found[name] = (EXTRAS[name][0], values)
    return found


def mismatched(examples: Sequence[Example]) -> dict[str, Example]:
    """Example id → the example whose prompt its responses are read under, for KTO's z₀.

    The next one by id within the step, whatever the order and the cut; none where the prompts are equal.
    """
    order = sorted(examples, key=lambda example: example.id)
    partners = {}
    for example, other in zip(order, order[1:] + order[:1], strict=True):
        if example.tokens[0].prompt != other.tokens[0].prompt:
            partners[example.id] = other
    return partners


def borrowed(
    examples: Sequence[Example], partners: Mapping[str, Example], limit: int | None
) -> tuple[TokenGroups, list[int]]:
    """Responses under their partners' prompts, and the batch's response index of each; what is too long is left out."""
    groups: list[TokenGroup] = []
    index: list[int] = []
    at = 0
    for example in examples:
        other = partners.get(example.id)
        for group in example.tokens:
            if other is not None:
                prompt = other.tokens[0].prompt
                room = math.inf if limit is None else limit - len(prompt)
                fits = [i for i, response in enumerate(group.responses) if len(response.ids) <= room]
                if fits:
                    groups.append(TokenGroup(group.id, prompt, tuple(group.responses[i] for i in fits)))
                    index += [at + i for i in fits]
            at += len(group.responses)
    return TokenGroups(tuple(groups)), index


@dataclass
class PolicySupplier:
    """Batches for a language model.

    Args:
        module: The model as it is trained (wrapped or not).
        needs: What the objective reads.
        device: Where batches live.
        references: name → other policy, for `needs.policies`, KL and mismatched prompts.
        heads: name → module, for what `training/heads.py` lists.
        limit: The context, for borrowed prompts.
        checkpointing: Recompute activations.
        entropy: Also compute `extra["entropy"]`, for the log.
    """

    module: nn.Module
    needs: Needs
    device: torch.device
    references: Mapping[str, Reference] = field(default_factory=dict)
    heads: Mapping[str, nn.Module] = field(default_factory=dict)
    limit: int | None = None
    checkpointing: bool = False
    entropy: bool = False

    def __post_init__(self) -> None:
        for name in self.needs.extra:
            known = name in DATA_EXTRAS or name in COMPUTED or name.startswith("kl:")
            if not known or (name in HEADS and name not in self.heads):
                what = f" ({EXTRAS[name][1]})" if name in EXTRAS else ""
                supplied = [*DATA_EXTRAS, *COMPUTED, "kl:ref:forward", "kl:ref:reverse"]
                raise SettingError(
                    "not-supplied",
                    f"the objective reads {name!r}{what}, which training of a language model does not supply",
                    hint="supplied: " + ", ".join(supplied),
                )
        for name in self.needs.policies:
            if name not in self.references:
                raise SettingError(
                    "not-supplied", f"the objective reads log-probabilities under {name!r}: no such policy"
                )

    def data(self, micro: MicroBatch, *, blank: bool = False) -> RaggedBatch:
        """The data, and log-probabilities of the other policies."""
        batch = data_batch(micro.examples, self.needs, self.device)
        tokens = ids_of(micro.examples)
        extra = {**batch.extra, **self._placeholders(batch)}
        if blank:
            return batch.with_(logps_of=dict.fromkeys(self.needs.policies, batch.logps), extra=extra)
        others = {name: self.references[name].logps(tokens).to(self.device) for name in self.needs.policies}
        if self.needs.prompt_logps and "ref" in self.needs.policies:
            extra["prompt_logps_ref"] = ("responses", self.references["ref"].prompt_logps(tokens).to(self.device))
        return batch.with_(logps_of=others, extra=extra)

    def computed(
        self, micro: MicroBatch, batch: RaggedBatch, partners: Mapping[str, Example], *, grad: bool
    ) -> RaggedBatch:
        """Log-probabilities of the policy, and the extras that it computes."""
        tokens = ids_of(micro.examples)
        out = self._forward(tokens, self._want(), grad=grad)
        assert out.logps is not None
        extra = {**batch.extra, **self._read(out)}
        if self.needs.mismatched:
            extra.update(self._mismatched(micro, batch, partners))
        return batch.with_(logps=out.logps, extra=extra)

    def figures(self, batch: RaggedBatch, sums: Sums, *, counts: bool) -> None:
        """`logps/chosen`, `logps/rejected` (of pairs) or `logps/all`; `kl` and `entropy` where they are known."""
        total = batch.response_sum(batch.logps.detach())
        if self.needs.pairs:
            for name, side in zip(("chosen", "rejected"), batch.sides(total), strict=True):
                sums.add(f"logps/{name}", side, batch.weight * counts)
        else:
            sums.add("logps/all", total, batch.response_weight * counts)
        weight = batch.token_weight * counts
        if "ref" in batch.logps_of:
            gap = (batch.logps.detach() - batch.logps_of["ref"]).clamp_max(20.0)
            sums.add("kl", torch.expm1(gap) - gap, weight)
        if "entropy" in batch.extra:
            sums.add("entropy", batch.extra_of("entropy"), weight)

    def outputs(self, examples: Sequence[Example], backend: Backend) -> Tensor:
        """Log-probabilities. [T]"""
        found = group_logprobs(self.module, ids_of(examples), grad=False, backend=backend).logps
        assert found is not None
        return found

    def _want(self) -> Want:
        kinds = [name.split(":") for name in self.needs.extra if name.startswith("kl:")]
        return Want(
            entropy=self.entropy or "entropy" in self.needs.extra,
            kl={other: cast(Direction, direction) for _, other, direction in kinds},
            pooled="last" if {"reward", "degree_logits"} & set(self.needs.extra) else None,
            heads=tuple(name for name in PER_TOKEN if name in self.needs.extra),
            prompt=self.needs.prompt_logps,
        )

    def _forward(self, tokens: TokenGroups, want: Want, *, grad: bool) -> GroupLogprobs:
        others = {name: self.references[name].model() for name in want.kl}
        return group_logprobs(
            self.module,
            tokens,
            want=want,
            grad=grad,
            others=others,
            heads={name: self.heads[name] for name in want.heads},
            checkpointing=self.checkpointing and grad,
            rows=CPU_ROW if self.device.type == "cpu" else None,
        )

    def _read(self, out: GroupLogprobs) -> dict[str, tuple[Axis, Tensor]]:
        found: dict[str, tuple[Axis, Tensor]] = {}
        if out.entropy is not None:
            found["entropy"] = ("tokens", out.entropy)
        for name in self.needs.extra:
            if name.startswith("kl:"):
                found[name] = ("tokens", out.kl[name.split(":")[1]])
        found |= {name: ("tokens", value) for name, value in out.heads.items()}
        for name in ("reward", "degree_logits"):
            if out.pooled is not None and name in self.needs.extra:
                made = self.heads[name](out.pooled)
                found[name] = ("responses", made.reshape(-1) if name == "reward" else made)
        if out.prompt_logps is not None:
            found["prompt_logps"] = ("responses", out.prompt_logps)
        return found

    def _placeholders(self, batch: RaggedBatch) -> dict[str, tuple[Axis, Tensor]]:
        """Zeros in place of what the model will say, so that the objective can be asked what it will sum over."""
        names = [(name, EXTRAS[name][0]) for name in self.needs.extra if name not in DATA_EXTRAS]
        if self.needs.prompt_logps:
            names += [("prompt_logps", "responses"), ("prompt_logps_ref", "responses")]
        if self.needs.mismatched:
            names += [("mismatched", "responses"), ("mismatched_ref", "responses")]
        size = {"tokens": batch.logps.shape[0], "responses": batch.n_responses}
        found = {name: (axis, torch.zeros(size[axis], device=self.device)) for name, axis in names}
        if "degree_logits" in found:
            outputs = cast(nn.Linear, self.heads["degree_logits"]).out_features
            found["degree_logits"] = ("responses", torch.zeros(size["responses"], outputs, device=self.device))
        return found

    @torch.no_grad()
    def _mismatched(
        self, micro: MicroBatch, batch: RaggedBatch, partners: Mapping[str, Example]
    ) -> dict[str, tuple[Axis, Tensor]]:
        tokens, index = borrowed(micro.examples, partners, self.limit)
        empty = torch.full((batch.n_responses,), math.nan, device=self.device)
        if not index:
            return {"mismatched": ("responses", empty), "mismatched_ref": ("responses", empty)}
        own = self._forward(tokens, Want(), grad=False).logps
        theirs = self.references["ref"].logps(tokens).to(self.device)
        assert own is not None
        weights = [w for group in tokens.groups for r in group.responses for w in (r.weight or (1.0,) * len(r.ids))]
        lengths = torch.tensor([len(r.ids) for group in tokens.groups for r in group.responses])
        at = torch.repeat_interleave(torch.tensor(index), lengths).to(self.device)
        weight = torch.tensor(weights, device=self.device)

        def summed(values: Tensor) -> tuple[Axis, Tensor]:
            total = torch.zeros_like(empty).index_add(0, at, values.float() * weight)
            out = empty.clone()
            out[index] = total[index]
            return "responses", out

        return {"mismatched": summed(own), "mismatched_ref": summed(theirs)}
