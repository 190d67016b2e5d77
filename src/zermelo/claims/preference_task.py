"""A task for comparison studies in miniature: prompts with twelve answers each, and a curved true reward.

Policies and reward models are linear in random features, so that a run takes a fraction of a second and what is learnt
on some prompts carries over to others, or fails to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zermelo.objectives import RaggedBatch, weights_of
from zermelo.objectives.protocol import Step, prepares

__all__ = ["Pairs", "Task", "align", "fine_tune", "make_pairs", "reinforce", "reward_model"]

ANSWERS, WIDTH, FEATURES = 12, 6, 48


@dataclass(frozen=True)
class Task:
    """True reward and features of the policy, drawn by a seed."""

    seed: int

    def prompts(self, n: int, *, shift: float = 0.0, part: int = 0) -> Tensor:
        """Prompts; `part` names a set that shares none with another. [n, WIDTH]"""
        rng = torch.Generator().manual_seed(1000 * self.seed + part)
        return torch.randn(n, WIDTH, generator=rng, dtype=torch.float64) + shift

    def features(self, prompts: Tensor, *, size: int = FEATURES, kind: int = 1) -> Tensor:
        """Random features tanh(Ax ∘ Be_a + b) of every answer; another `kind` draws others. [X, K, size]"""
        shared = torch.Generator().manual_seed(1000 * self.seed + 498)
        answers = torch.randn(ANSWERS, WIDTH, generator=shared, dtype=torch.float64)
        rng = torch.Generator().manual_seed(1000 * self.seed + 500 + kind)
        a, b = torch.randn(2, size, WIDTH, generator=rng, dtype=torch.float64) / WIDTH**0.5
        level = torch.randn(size, generator=rng, dtype=torch.float64) / 2
        # a product: which answer is best depends on the prompt
        return torch.tanh(1.5 * (prompts @ a.T)[:, None] * (answers @ b.T) + level)

    def reward(self, prompts: Tensor) -> Tensor:
        """True reward, of features that nobody is given; standard deviation about 1 over answers. [X, K]"""
        hidden = self.features(prompts, size=24, kind=0)
        rng = torch.Generator().manual_seed(1000 * self.seed + 499)
        found = hidden @ torch.randn(24, generator=rng, dtype=torch.float64)
        return (found - found.mean(1, keepdim=True)) / found.std(1, keepdim=True)

    def score(self, weights: Tensor, prompts: Tensor) -> float:
        """Expected reward between chance (0) and the best answer (1)."""
        r = self.reward(prompts)
        p = (self.features(prompts) @ weights).softmax(-1)
        return float(((p * r).sum(1).mean() - r.mean()) / (r.amax(1).mean() - r.mean()))


@dataclass(frozen=True)
class Pairs:
    """Comparisons: prompt of each, and its two answers, the preferred one first."""

    prompts: Tensor
    sides: Tensor

    def first(self, n: int) -> Pairs:
        """The first n; a smaller set is a part of a larger one."""
        return Pairs(self.prompts[:n], self.sides[:n])


def make_pairs(task: Task, n: int, *, flip: float, part: int, policy: Tensor | None = None) -> Pairs:
    """Pairs of answers (of a policy, or at random), the better one first but for a share of flips."""
    rng = torch.Generator().manual_seed(1000 * task.seed + 100 + part)
    prompts = task.prompts(n, part=part)
    logits = torch.zeros(n, ANSWERS, dtype=torch.float64) if policy is None else task.features(prompts) @ policy
    sides = torch.multinomial(logits.softmax(-1), 2, replacement=False, generator=rng)
    r = task.reward(prompts).gather(1, sides)
    swap = (r[:, 0] < r[:, 1]) ^ (torch.rand(n, generator=rng) < flip)
    return Pairs(prompts, torch.where(swap[:, None], sides.flip(1), sides))


def align(
    task: Task, start: Tensor, pairs: Pairs, objective: Any, *, epochs: int = 1, batch: int = 10, lr: float = 0.02
) -> Tensor:
    """Weights of a policy trained on pairs from a start, which is the reference; Adam."""
    weights = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=lr)
    rng = torch.Generator().manual_seed(task.seed)
    phi = task.features(pairs.prompts)
    with torch.no_grad():
        reference = (phi @ start).log_softmax(-1).gather(1, pairs.sides)
    state: Any = objective.init_state()
    for _ in range(epochs):
        for rows in torch.randperm(len(phi), generator=rng).split(batch):
            made = _batch(
                (phi[rows] @ weights).log_softmax(-1).gather(1, pairs.sides[rows]), reference[rows], phi, rows
            )
            made = made.with_(state=state, **_mismatched(phi, rows, weights, start, pairs.sides))
            if prepares(objective):
                made = made.with_(stats=objective.prepare(Step([made])))
            losses = objective(made)
            loss = sum(i.scale * (weights_of(i, made) * i.each).sum() / weights_of(i, made).sum() for i in losses)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[union-attr]
            optimiser.step()
    return weights.detach()


def fine_tune(task: Task, start: Tensor, prompts: Tensor, choose: Callable[[Tensor], Tensor], *, lr: float) -> Tensor:
    """Weights after one epoch of −log π on demonstrated answers; `choose`: reward [X, K] → answer [X]."""
    weights = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=lr)
    phi, answers = task.features(prompts), choose(task.reward(prompts))
    for rows in torch.arange(len(phi)).split(10):
        loss = torch.nn.functional.cross_entropy(phi[rows] @ weights, answers[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weights.detach()


def reward_model(task: Task, pairs: Pairs, *, size: int, steps: int = 300) -> Callable[[Tensor], Tensor]:
    """A Bradley–Terry model on random features of its own: prompts → reward of every answer. [X] → [X, K]"""
    phi = task.features(pairs.prompts, size=size, kind=2)
    gap = phi.gather(1, pairs.sides[..., None].expand(-1, -1, size))
    difference = gap[:, 0] - gap[:, 1]
    weights = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=0.05)
    for _ in range(steps):
        loss = torch.nn.functional.softplus(-(difference @ weights)).mean() + 1e-3 * (weights**2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    final = weights.detach()
    return lambda prompts: task.features(prompts, size=size, kind=2) @ final


def reinforce(
    task: Task, start: Tensor, prompts: Tensor, reward: Callable[[Tensor], Tensor], *, beta: float, steps: int = 300
) -> Tensor:
    """Weights that climb E r̂ − β KL(π ‖ start) on prompts by its exact gradient: what PPO estimates from samples."""
    weights = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=0.02)
    phi, r = task.features(prompts), reward(prompts)
    reference = (phi @ start).log_softmax(-1)
    for _ in range(steps):
        logps = (phi @ weights).log_softmax(-1)
        value = (logps.exp() * (r - beta * (logps - reference))).sum(1).mean()
        optimiser.zero_grad()
        (-value).backward()
        optimiser.step()
    return weights.detach()


def _batch(logps: Tensor, reference: Tensor, phi: Tensor, rows: Tensor) -> RaggedBatch:
    place = torch.arange(2 * len(rows))
    return RaggedBatch(
        logps.reshape(-1),
        place,
        place // 2,
        pairs=place.reshape(-1, 2),
        labels=torch.tensor([1.0, 0.0], dtype=torch.float64).repeat(len(rows)),
        logps_of={"ref": reference.reshape(-1)},
    )


def _mismatched(phi: Tensor, rows: Tensor, weights: Tensor, start: Tensor, sides: Tensor) -> dict[str, Any]:
    """The answers under the next prompt of the step, for KTO's z₀."""
    other = phi[rows.roll(-1)]
    with torch.no_grad():
        own, old = ((other @ w).log_softmax(-1).gather(1, sides[rows]).reshape(-1) for w in (weights, start))
    return {"extra": {"mismatched": ("responses", own), "mismatched_ref": ("responses", old)}}
