"""Samples during training: what the policy writes now, to the same prompts, kept as a table over the steps."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zermelo.errors import positive
from zermelo.feedback.records import Group, Prompt
from zermelo.policies.sampling.local import TransformersSampler
from zermelo.policies.sampling.protocol import Sampling
from zermelo.training.callbacks import Callback
from zermelo.training.folder import Row, line

if TYPE_CHECKING:
    from zermelo.training.loop import Run

__all__ = ["Samples"]


class Samples(Callback):
    """A callback that samples from the policy being trained: `samples.jsonl` in the run's folder.

    Adds `samples/length` (mean tokens) and `samples/finished` (share that ended by themselves) to the metrics, by which
    a policy that learns to write ever longer is noticed.

    Args:
        prompts: The same prompts every time.
        every: Steps between; also before the first step and at the end.
        sampling: Temperature and longest answer.
        seed: Of the draws, the same every time, so that tables differ by the policy alone.
    """

    def __init__(
        self,
        prompts: Sequence[Group | Prompt],
        *,
        every: int = 50,
        sampling: Sampling = Sampling(max_tokens=256),
        seed: int = 0,
    ) -> None:
        self.prompts, self.every, self.sampling, self.seed = list(prompts), every, sampling, seed
        positive(self, "every")

    def on_start(self, run: Run) -> None:
        """The policy before training; after an interruption, later tables are forgotten."""
        path = self._path(run)
        if path is not None and path.exists():
            rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text.endswith("}")]
            beside = path.with_name(path.name + ".part")
            kept = [row for row in rows if row["step"] <= run.position.step]
            beside.write_text("".join(line(row) for row in kept), encoding="utf-8")
            os.replace(beside, path)
        if run.position.step == 0:
            self._table(run, 0)

    def on_step(self, run: Run, row: Row) -> None:
        """A table when one is due."""
        if row["step"] % self.every == 0 or row["step"] == run.plan.n_steps:
            self._table(run, row["step"])

    def _table(self, run: Run, step: int) -> None:
        sampler = TransformersSampler(run.policy, self.sampling)
        groups = sampler.sample(self.prompts, n=1, seed=self.seed)
        responses = [group.responses[0] for group in groups]
        lengths = [len(response.token_ids or ()) for response in responses]
        finished = [response.finish == "stopped" for response in responses]
        run.record(
            {
                "step": step,
                "samples/length": sum(lengths) / len(lengths),
                "samples/finished": sum(finished) / len(finished),
            }
        )
        if run.folder is None:
            return
        for group, response, length in zip(groups, responses, lengths, strict=True):
            prompt = group.prompt if isinstance(group.prompt, str) else [m.as_dict() for m in group.prompt or ()]
            entry = {
                "step": step,
                "id": group.id,
                "prompt": prompt,
                "response": response.content,
                "tokens": length,
                "finish": response.finish,
            }
            run.folder.append(entry, self._name)

    _name = "samples.jsonl"

    def _path(self, run: Run) -> Path | None:
        return None if run.folder is None else run.folder.path / self._name
