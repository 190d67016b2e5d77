"""Batches by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from zermelo.objectives import RaggedBatch

torch.set_num_threads(1)

Make = Callable[..., RaggedBatch]


def make(
    responses: Sequence[tuple[float, int]] | Sequence[Sequence[float]],
    *,
    ref: Sequence[Any] | None = None,
    groups: Sequence[int] | None = None,
    pairs: Sequence[tuple[int, int]] | None = None,
    policies: dict[str, Sequence[Any]] | None = None,
    dtype: torch.dtype = torch.float64,
    **fields: Any,
) -> RaggedBatch:
    """A batch from (sum of log-probabilities, length) per response, spread evenly, or from lists per token.

    By default responses 2m and 2m + 1 are group m and pair m.
    """

    def tokens(given: Sequence[Any], like: Sequence[Any]) -> torch.Tensor:
        flat: list[float] = []
        for item, shape in zip(given, like, strict=True):
            length = int(shape[1]) if isinstance(shape, tuple) else len(shape)
            if isinstance(item, list):
                flat += item
            else:
                total = item[0] if isinstance(item, tuple) else item
                flat += [total / length] * length
        return torch.tensor(flat, dtype=dtype)

    lengths = [int(item[1]) if isinstance(item, tuple) else len(item) for item in responses]
    n = len(responses)
    group = list(groups) if groups is not None else [i // 2 for i in range(n)]
    if pairs is None:
        pairs = [(i, i + 1) for i in range(0, n - 1, 2)] if groups is None else []
    others = {**({"ref": ref} if ref is not None else {}), **(policies or {})}
    converted = {
        key: torch.tensor(value, dtype=dtype)
        if key in {"scores", "labels", "prob", "margin", "weight", "token_weight", "response_weight"}
        and not isinstance(value, torch.Tensor)
        else torch.tensor(value)
        if isinstance(value, list)
        else value
        for key, value in fields.items()
    }
    extra = {
        name: (axis, value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=dtype))
        for name, (axis, value) in converted.pop("extra", {}).items()
    }
    return RaggedBatch(
        tokens(responses, responses),
        torch.repeat_interleave(torch.arange(n), torch.tensor(lengths)),
        torch.tensor(group),
        pairs=torch.tensor(pairs, dtype=torch.long).reshape(-1, 2),
        logps_of={name: tokens(value, responses) for name, value in others.items()},
        extra=extra,
        **converted,
    )


@pytest.fixture
def make_batch() -> Make:
    return make


@pytest.fixture
def pairs_abc() -> RaggedBatch:
    """The catalogue's three pairs: h = 2, −1.5, 0."""
    return make(
        [(-12.0, 6), (-15.0, 8), (-20.0, 10), (-18.0, 9), (-7.5, 5), (-9.0, 6)],
        ref=[-13.0, -14.0, -19.0, -18.5, -7.5, -9.0],
    )


@pytest.fixture
def per_pair() -> Callable[[Any, RaggedBatch], torch.Tensor]:
    """Loss of each pair: every term over pairs, with its factor."""

    def total(objective: Any, batch: RaggedBatch) -> torch.Tensor:
        parts = [item.scale * item.each for item in objective(batch) if item.over == "pairs"]
        return torch.stack(parts).sum(0)

    return total
