"""The plan of a run: which groups make up which optimiser step, and how a step is cut over devices and memory.

Everything follows from the sizes of the groups, the seed and the number of devices: a run that goes on from a
position (counted in groups) takes exactly the steps that an uninterrupted one would have taken.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zermelo.policies.packing import balance
from zermelo.training.examples import Example
from zermelo.training.settings import OfflineSettings

__all__ = ["MicroBatch", "Plan", "PlannedStep", "cut", "make_plan", "split_by_prompt"]


@dataclass(frozen=True)
class MicroBatch:
    """Examples of one forward and backward pass; `counts` is False for one that only keeps a device in step."""

    examples: tuple[Example, ...]
    counts: bool = True


@dataclass(frozen=True)
class PlannedStep:
    """One optimiser step.

    Args:
        number: 1, 2, …
        epoch: Pass over the data, counted from 0.
        start: Position at which it begins: groups taken before, over all epochs.
        examples: Its groups, on all devices.
        progress: Share of the run done before it, in [0, 1).
    """

    number: int
    epoch: int
    start: int
    examples: tuple[Example, ...]
    progress: float

    @property
    def end(self) -> int:
        """Position after it."""
        return self.start + len(self.examples)


@dataclass(frozen=True)
class Plan:
    """Steps over examples.

    Args:
        examples: All of them, in the order of the data.
        groups_per_step: Groups of a step.
        pairs_per_step: Pairs of a step instead; None = groups count.
        n_steps: Optimiser steps of the run.
        seed: Order of the data.
    """

    examples: tuple[Example, ...]
    groups_per_step: int
    pairs_per_step: int | None
    n_steps: int
    seed: int

    def steps(self, position: int = 0) -> Iterator[PlannedStep]:
        """The steps from a position on."""
        number, start = 0, 0
        for epoch in range(self.n_steps + 1):
            for members in self._epoch(epoch):
                number += 1
                if number > self.n_steps:
                    return
                if start >= position:
                    examples = tuple(self.examples[i] for i in members)
                    yield PlannedStep(number, epoch, start, examples, (number - 1) / self.n_steps)
                start += len(members)

    def _epoch(self, epoch: int) -> list[list[int]]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.examples)).tolist()
        sizes = [1 if self.pairs_per_step is None else len(example.pairs) for example in self.examples]
        return _filled(order, sizes, self.pairs_per_step or self.groups_per_step)


def make_plan(examples: Sequence[Example], settings: OfflineSettings) -> Plan:
    """The plan of a run; the last step of an epoch may be smaller than the others."""
    plan = Plan(tuple(examples), settings.groups_per_step, settings.pairs_per_step, 1, settings.seed)
    whole, share = divmod(settings.epochs, 1)
    counts = [len(plan._epoch(epoch)) for epoch in range(math.ceil(settings.epochs))]
    n_steps = sum(counts[: int(whole)]) + (math.ceil(share * counts[-1]) if share else 0)
    return replace(plan, n_steps=max(1, min(n_steps, settings.max_steps or n_steps)))


def cut(examples: Sequence[Example], *, tokens: int, world: int = 1, rank: int = 0) -> list[MicroBatch]:
    """A device's share of a step, as micro-batches of whole groups; every device gets as many.

    Args:
        examples: All groups of the step.
        tokens: Budget of a micro-batch.
        world: Number of devices.
        rank: Which of them.
    """
    sizes = [example.n_tokens for example in examples]
    shares = spread(sizes, world)
    needed = [len(balance([sizes[i] for i in share], tokens)) if share else 0 for share in shares]
    n = max(1, *needed)
    own = shares[rank]
    if needed[rank] == n:
        parts = [[own[i] for i in part] for part in balance([sizes[i] for i in own], tokens)]
    else:
        parts = [[own[i] for i in part] for part in spread([sizes[i] for i in own], n)]
    filler = MicroBatch((min(examples, key=lambda example: example.n_tokens),), counts=False)
    return [MicroBatch(tuple(examples[i] for i in part)) if part else filler for part in parts]


def spread(sizes: Sequence[int], n: int) -> list[list[int]]:
    """Items over `n` parts with nearly equal totals: the largest first, each to the emptiest part."""
    emptiest = [(0, part) for part in range(n)]
    parts: list[list[int]] = [[] for _ in range(n)]
    for item in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        total, part = heapq.heappop(emptiest)
        parts[part].append(item)
        heapq.heappush(emptiest, (total + sizes[item], part))
    return [sorted(part) for part in parts]


def split_by_prompt(keys: Sequence[str], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices (kept, held out) by prompt key, so that equal prompts stay together; the same for every order.

    Args:
        keys: `Group.key` of each group.
        share: Expected share held out.
        seed: Another seed, another split.
    """
    held = [_fraction(f"{seed}/{key}") < share for key in keys]
    return [i for i, out in enumerate(held) if not out], [i for i, out in enumerate(held) if out]


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2.0**64


def _filled(order: Sequence[int], sizes: Sequence[int], target: int) -> list[list[int]]:
    """Consecutive runs of `order` whose sizes reach `target`."""
    runs: list[list[int]] = []
    run: list[int] = []
    total = 0
    for item in order:
        run.append(item)
        total += sizes[item]
        if total >= target:
            runs.append(run)
            run, total = [], 0
    return [*runs, run] if run else runs
