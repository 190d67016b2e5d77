"""What a run does to its pairs, watched on a few of them: do the two sides move together?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zermelo.errors import positive
from zermelo.objectives.diagnostics import entanglement, head_products
from zermelo.policies.engine import group_logprobs
from zermelo.policies.want import Want
from zermelo.training.callbacks import Callback
from zermelo.training.checks import slopes_of
from zermelo.training.folder import Row
from zermelo.training.loop import at
from zermelo.training.supply import ids_of

if TYPE_CHECKING:
    from zermelo.training.examples import Example
    from zermelo.training.loop import Run

__all__ = ["Entangled"]

LONGEST = 128  # tokens of a response that are looked at: each costs a row over the vocabulary, for one pair at a time


class Entangled(Callback):
    """A callback that measures gradient entanglement on a few pairs; the alarm `entanglement` reads what it logs.

    Inner products are those of the output layer's gradients, the weights those that the objective itself gives each
    side: a first-order prediction for plain gradient descent. Adds `entanglement/cosine` (mean),
    `entanglement/together` (share of pairs whose two sides move the same way) and `entanglement/both_down` (share in
    which both fall).

    Args:
        pairs: How many groups are looked at (one pair of each), the shortest of the first step.
        every: Steps between; None = at the start and at the end.
    Source: "A Common Pitfall of Margin-based Language Model Alignment: Gradient Entanglement", 2024, arXiv 2410.13828.
    """

    def __init__(self, *, pairs: int = 8, every: int | None = None) -> None:
        self.pairs, self.every = pairs, every
        positive(self, "pairs")
        if every is not None:
            positive(self, "every")

    def on_start(self, run: Run) -> None:
        """Before training."""
        if run.position.step == 0:
            self._measure(run, 0)

    def on_step(self, run: Run, row: Row) -> None:
        """When due, and at the end."""
        step = row["step"]
        if step == run.plan.n_steps or (self.every is not None and step % self.every == 0):
            self._measure(run, step)

    def _measure(self, run: Run, step: int) -> None:
        if run.trainee.sharded or not run.supplier.needs.pairs:
            return
        first = next(iter(run.plan.steps())).examples
        shortest = sorted((e for e in first if e.pairs), key=lambda example: example.n_tokens)[: self.pairs]
        if not shortest:
            return
        progress = min(step / run.plan.n_steps, 1.0)
        with run.trainee.still():
            slopes = slopes_of(run, at(run.objective, progress), shortest)
            if slopes is None:
                return
            parts = [
                self._of(run, example, own) for example, own in zip(shortest, split(slopes, shortest), strict=True)
            ]
        inner, win, lose, pull_win, pull_lose = (torch.cat([part[i] for part in parts]) for i in range(5))
        # only the ratio of a pair's two weights matters for the regime; both zero says nothing
        known = (pull_win.abs() + pull_lose.abs()) > 0
        if not bool(known.any()):
            return
        found = entanglement(
            inner[known], win[known], lose[known], weight_win=pull_win[known], weight_lose=pull_lose[known]
        ).shares()
        run.record(
            {
                "step": step,
                "entanglement/cosine": found["cosine"],
                "entanglement/together": found["both_up"] + found["both_down"],
                "entanglement/both_down": found["both_down"],
            }
        )

    @torch.no_grad()
    def _of(self, run: Run, example: Example, slopes: Tensor) -> tuple[Tensor, ...]:
        """⟨g_w, g_l⟩, ‖g_w‖², ‖g_l‖² and the pulls d_w, d_l of an example's first pair. [1] each"""
        out = group_logprobs(run.trainee.module, ids_of([example]), want=Want(hidden=True), grad=False)
        assert out.hidden is not None
        ids = [torch.tensor(response.ids) for response in example.responses]
        owner = torch.repeat_interleave(torch.arange(len(ids)), torch.tensor([len(own) for own in ids]))
        place = torch.cat([torch.arange(len(own)) for own in ids])
        pairs = torch.tensor([(example.pairs[0].win, example.pairs[0].lose)])
        kept = ((place < LONGEST) & torch.isin(owner, pairs)).nonzero().squeeze(1)
        model: Any = run.trainee.model
        head = model.get_output_embeddings()
        hidden = out.hidden[kept.to(out.hidden.device)]
        error = -head(hidden.to(head.weight.dtype)).float().softmax(-1)
        error[torch.arange(len(kept)), torch.cat(ids)[kept].to(error.device)] += 1.0
        products = head_products(hidden.float(), error, token_response=owner[kept].to(error.device), pairs=pairs)
        mean = torch.zeros(len(ids)).index_add(0, owner, slopes.cpu().float())
        mean = mean / torch.tensor([float(len(own)) for own in ids])
        win, lose = mean[pairs].unbind(1)
        return (*(value.cpu() for value in products), -win, lose)


def split(slopes: Tensor, examples: list[Example]) -> list[Tensor]:
    """The slopes of each example's tokens."""
    return list(slopes.split([sum(len(r.ids) for r in example.responses) for example in examples]))
