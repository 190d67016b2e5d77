"""For a loop that is not ours: from the engine's log-probabilities to a batch, from losses to a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zermelo.errors import SettingError
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Losses, weights_of
from zermelo.policies.groups import TokenGroups
from zermelo.training.totals import share_of

__all__ = ["batch_of", "mean_loss"]


def batch_of(
    tokens: TokenGroups,
    logps: Tensor,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    logps_of: Mapping[str, Tensor] | None = None,
    scores: Sequence[float] | None = None,
    labels: Sequence[float] | None = None,
) -> RaggedBatch:
    """What an objective sees of some groups.

    Args:
        tokens: Ids that the log-probabilities belong to.
        logps: log π(y_t | x, y_<t) as `group_logprobs` gives it, with its graph. [T]
        pairs: (preferred, other) responses, counted over all groups; None = the first of each group to its second.
        logps_of: name → the same under another policy, without graph: `ref`, … [T]
        scores: Of each response. [N]
        labels: 1 good, 0 bad, of each response. [N]
    Raises:
        SettingError: sizes do not fit; a group has one response and `pairs` is not given.
    """
    device = logps.device
    responses = [response for group in tokens.groups for response in group.responses]
    sizes = [len(group.responses) for group in tokens.groups]
    if pairs is None:
        if min(sizes) < 2:
            raise SettingError("bad-shape", "a group has one response: say which responses are compared (pairs=)")
        starts = torch.tensor([0, *sizes[:-1]]).cumsum(0).tolist()
        pairs = [(start, start + 1) for start in starts]
    lengths = torch.tensor([len(response.ids) for response in responses], device=device)
    weights = [value for r in responses for value in (r.weight or (1.0,) * len(r.ids))]

    def numbers(values: Sequence[float] | None) -> Tensor:
        # None leaves the batch's own default (all missing)
        return None if values is None else torch.tensor(values, dtype=torch.float32, device=device)  # type: ignore[return-value]

    return RaggedBatch(
        logps=logps,
        token_response=torch.repeat_interleave(torch.arange(len(responses), device=device), lengths),
        response_group=torch.repeat_interleave(
            torch.arange(len(sizes), device=device), torch.tensor(sizes, device=device)
        ),
        token_weight=torch.tensor(weights, dtype=torch.float32, device=device),
        finished=torch.tensor([response.finished for response in responses], device=device),
        pairs=torch.tensor(list(pairs), dtype=torch.long, device=device).reshape(-1, 2),
        scores=numbers(scores),
        labels=numbers(labels),
        logps_of=dict(logps_of or {}),
    )


def mean_loss(losses: Losses, batch: RaggedBatch) -> Tensor:
    """The loss of one batch: over the terms, scale · Σ w·each / Σ w, with gradient. []

    Over several batches of one optimiser step it is not the step's loss unless they weigh alike: see docs/own_loop.md.
    """
    if not losses.terms:
        return batch.logps.sum() * 0.0
    totals = torch.stack([weights_of(item, batch).sum(dtype=torch.float64) for item in losses])
    return share_of(losses, batch, totals)
