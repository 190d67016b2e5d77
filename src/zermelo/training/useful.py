"""Leave out the examples that an objective has nothing to say about: no item of any term, or weight zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Term, weights_of
from zermelo.training.examples import Examples, nothing
from zermelo.training.plan import MicroBatch
from zermelo.training.supply import Supplier

__all__ = ["useful"]

CHUNK = 256  # examples asked about at once


def useful(examples: Examples, objective: Any, supplier: Supplier) -> Examples:
    """The examples that some term of the objective has an item of; the others are counted as `no_signal`.

    A term that has no item in any of them is counted as `idle/TERM`.

    Raises:
        DataError: none is left (`nothing-to-train`).
    """
    kept = []
    heard: dict[str, float] = {}  # term → weight of its items in the whole data
    now = objective.at(0.0) if hasattr(objective, "at") else objective
    state = objective.init_state() if hasattr(objective, "init_state") else {}
    for start in range(0, len(examples), CHUNK):
        chunk = examples.items[start : start + CHUNK]
        batch = supplier.data(MicroBatch(chunk), blank=True).with_(state=state)
        weight = torch.zeros(len(chunk), dtype=torch.float64)
        with torch.no_grad():
            for item in now(batch):
                groups = groups_of(item, batch).cpu()
                own = weights_of(item, batch).double().cpu()
                weight.index_add_(0, groups, own)
                heard[item.name] = heard.get(item.name, 0.0) + float(own.sum())
        kept += [example for example, w in zip(chunk, weight.tolist(), strict=True) if w > 0]
    counts = {**examples.counts, "no_signal": len(examples) - len(kept), "groups": len(kept)}
    counts |= {f"idle/{name}": 1 for name, total in heard.items() if not total}
    if not kept:
        raise nothing(counts, supplier.needs)
    return replace(examples, items=tuple(kept), counts=counts)


def groups_of(item: Term, batch: RaggedBatch) -> torch.Tensor:
    """The group of every item of a term."""
    owner = {
        "tokens": lambda: batch.response_group[batch.token_response],
        "responses": lambda: batch.response_group,
        "pairs": lambda: batch.response_group[batch.pairs[:, 0]],
        "steps": lambda: batch.response_group[batch.step_response],
        "groups": lambda: torch.arange(batch.n_groups, device=batch.logps.device),
    }[item.over]()
    return owner if item.index is None else owner[item.index]
