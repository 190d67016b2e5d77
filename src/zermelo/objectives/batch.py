"""`RaggedBatch`: what an objective sees. Per-token, per-response and per-pair tensors; no ids, no padding, no model.

Shape letters: T tokens, N responses, G groups, M pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from zermelo.errors import SettingError

__all__ = ["Axis", "RaggedBatch"]

Axis: TypeAlias = Literal["tokens", "responses", "pairs", "steps", "groups"]


@dataclass(frozen=True)
class RaggedBatch:
    """Whole groups, flat. Tokens of a response never include the prompt and do include its end token.

    `pairs[:, 0]` is the preferred one (prob ≥ ½); objectives with soft labels read `prob`. NaN = missing.

    Args:
        logps: log π(y_t | x, y_<t), nat, differentiable. [T]
        token_response: Response of each token, ascending. [T]
        response_group: Group of each response, ascending. [N]
        token_weight: 0 = read but not trained (tool output); default 1. [T]
        token_step: Step of each token, numbered over the batch, −1 = none. [T]
        step_response: Response of each step. [S]
        scores: Data: a reward or rating of each response, NaN = missing. [N]
        labels: Data: 1 good, 0 bad, NaN = missing. [N]
        finished: Whether the response ended by itself (its end token is among the tokens). [N]
        pairs: Response indices (preferred, other). [M, 2]
        prob: P(pairs[:, 0] ≻ pairs[:, 1]) as stated, 1 for a hard label. [M]
        margin: Stated strength of preference, 0 = none. [M]
        weight: Data weight of the pair. [M]
        annotator: Index of the annotator, −1 = unknown. [M]
        response_weight: Data weight of the response. [N]
        logps_of: Log-probabilities under other policies (`ref`, `old`, `prev`, …), no gradient. name → [T]
        extra: name → (axis, tensor) for what `Needs.extra` asked: `reward`, `value`, `entropy`, …
        stats: What `prepare` of the objective returned for this optimiser step.
        state: The objective's state (`init_state`), owned by the loop.
    """

    logps: Tensor
    token_response: Tensor
    response_group: Tensor
    token_weight: Tensor = None  # type: ignore[assignment]
    token_step: Tensor | None = None
    step_response: Tensor | None = None
    scores: Tensor = None  # type: ignore[assignment]
    labels: Tensor = None  # type: ignore[assignment]
    finished: Tensor = None  # type: ignore[assignment]
    pairs: Tensor = None  # type: ignore[assignment]
    prob: Tensor = None  # type: ignore[assignment]
    margin: Tensor = None  # type: ignore[assignment]
    weight: Tensor = None  # type: ignore[assignment]
    annotator: Tensor = None  # type: ignore[assignment]
    response_weight: Tensor = None  # type: ignore[assignment]
    logps_of: Mapping[str, Tensor] = field(default_factory=dict)
    extra: Mapping[str, tuple[Axis, Tensor]] = field(default_factory=dict)
    stats: Mapping[str, object] = field(default_factory=dict)
    state: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, device = self.response_group.shape[0], self.logps.device
        dtype = self.logps.dtype if self.logps.dtype == torch.float64 else torch.float32
        m = 0 if self.pairs is None else self.pairs.shape[0]

        def default(name: str, value: Tensor) -> None:
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

        default("token_weight", torch.ones(self.logps.shape[0], dtype=dtype, device=device))
        default("scores", torch.full((n,), float("nan"), dtype=dtype, device=device))
        default("labels", torch.full((n,), float("nan"), dtype=dtype, device=device))
        default("finished", torch.ones(n, dtype=torch.bool, device=device))
        default("pairs", torch.zeros((0, 2), dtype=torch.long, device=device))
        default("prob", torch.ones(m, dtype=dtype, device=device))
        default("margin", torch.zeros(m, dtype=dtype, device=device))
        default("weight", torch.ones(m, dtype=dtype, device=device))
        default("annotator", torch.full((m,), -1, dtype=torch.long, device=device))
        default("response_weight", torch.ones(n, dtype=dtype, device=device))
        self._check()

    def _check(self) -> None:
        sizes = {"tokens": self.logps.shape[0], "responses": self.n_responses, "pairs": self.n_pairs}
        fields: dict[str, list[tuple[str, Tensor]]] = {
            "tokens": [("token_response", self.token_response), ("token_weight", self.token_weight)],
            "responses": [(k, getattr(self, k)) for k in ("scores", "labels", "finished", "response_weight")],
            "pairs": [(k, getattr(self, k)) for k in ("prob", "margin", "weight", "annotator")],
        }
        fields["tokens"] += [(f"logps_of[{name!r}]", value) for name, value in self.logps_of.items()]
        if self.token_step is not None:
            fields["tokens"].append(("token_step", self.token_step))
        for name, (over, value) in self.extra.items():
            if over in fields:
                fields[over].append((f"extra[{name!r}]", value))
        for axis, items in fields.items():
            for name, value in items:
                if value.shape[0] != sizes[axis]:
                    raise SettingError(
                        "bad-shape", f"RaggedBatch.{name} has {value.shape[0]} rows; expected {sizes[axis]} {axis}"
                    )
        if self.pairs.dim() != 2 or self.pairs.shape[1] != 2:
            raise SettingError("bad-shape", f"RaggedBatch.pairs must be [M, 2]. Got {tuple(self.pairs.shape)}")

    @property
    def n_responses(self) -> int:
        """N."""
        return int(self.response_group.shape[0])

    @property
    def n_pairs(self) -> int:
        """M."""
        return int(self.pairs.shape[0])

    @property
    def n_groups(self) -> int:
        """G; groups are numbered 0..G−1."""
        return int(self.response_group[-1]) + 1 if self.n_responses else 0

    @property
    def lengths(self) -> Tensor:
        """Trained tokens of each response (token_weight > 0), the end token included. [N]"""
        return self._sum((self.token_weight > 0).to(self.token_weight.dtype), self.token_response, self.n_responses)

    @property
    def lists(self) -> Tensor:
        """Responses of each group as a padded index table, −1 = no item. [G, K]"""
        counts = torch.bincount(self.response_group, minlength=self.n_groups)
        table = torch.full((self.n_groups, int(counts.max()) if len(counts) else 0), -1, device=counts.device)
        start = torch.cumsum(counts, 0) - counts
        place = torch.arange(self.n_responses, device=counts.device) - start[self.response_group]
        table[self.response_group, place] = torch.arange(self.n_responses, device=counts.device)
        return table

    def response_sum(self, per_token: Tensor) -> Tensor:
        """Σ over the trained tokens of each response (`token_weight` multiplies). [T] → [N]"""
        return self._sum(per_token * self.token_weight, self.token_response, self.n_responses)

    def response_mean(self, per_token: Tensor) -> Tensor:
        """Mean over the trained tokens of each response; 0 for a response without any. [T] → [N]"""
        weight = self._sum(self.token_weight, self.token_response, self.n_responses)
        return self.response_sum(per_token) / weight.clamp_min(1e-9)

    def group_sum(self, per_response: Tensor) -> Tensor:
        """Σ over the responses of each group. [N] → [G]"""
        return self._sum(per_response, self.response_group, self.n_groups)

    def log_ratio(self, against: str = "ref") -> Tensor:
        """log π(y|x) − log π_against(y|x) of each response, nat. [N]"""
        return self.response_sum(self.logps - self.logps_of[against])

    def sides(self, per_response: Tensor) -> tuple[Tensor, Tensor]:
        """The values of the preferred and of the other response of each pair. [N] → [M], [M]"""
        win, lose = per_response[self.pairs].unbind(1)
        return win, lose

    def extra_of(self, name: str) -> Tensor:
        """The extra tensor of that name.

        Raises:
            SettingError: nobody supplied it.
        """
        if name not in self.extra:
            raise SettingError("not-supplied", f"the objective reads extra[{name!r}], which the batch does not have")
        return self.extra[name][1]

    def axis_weight(self, axis: Axis) -> Tensor:
        """The data weights of an axis: what the loop multiplies and divides by."""
        if axis == "tokens":
            return self.token_weight * self.response_weight[self.token_response]
        if axis == "responses":
            return self.response_weight
        if axis == "pairs":
            return self.weight
        if axis == "steps":
            if self.step_response is None:
                raise SettingError("bad-shape", "a term is over steps, but the batch has none")
            return self.response_weight[self.step_response]
        return torch.ones(self.n_groups, dtype=self.weight.dtype, device=self.weight.device)

    def with_(self, **changes: object) -> RaggedBatch:
        """A copy with some fields replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @staticmethod
    def _sum(values: Tensor, index: Tensor, size: int) -> Tensor:
        values = values if values.dtype == torch.float64 else values.float()
        return torch.zeros(size, dtype=values.dtype, device=values.device).index_add(0, index, values)
