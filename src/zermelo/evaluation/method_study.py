"""Which kind of training finds the reward? Methods on a bandit of known geometry, by three axes.

| axis | means |
|---|---|
| on-policy | samples come from the policy as it is, not from the reference |
| reuse | gradient steps on one batch of samples before the next |
| negative gradient | the likelihood of worse samples is pushed down |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import one_of, positive
from zermelo.worlds.bandits import GeometryBandit

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["METHODS", "MethodStudy", "StudyCurve"]

Array: TypeAlias = NDArray[np.float64]
Method: TypeAlias = Literal["pref_ft", "dpo", "ipo", "best_of_n", "rwr", "reinforce"]
METHODS: tuple[Method, ...] = ("pref_ft", "dpo", "ipo", "best_of_n", "rwr", "reinforce")


@dataclass(frozen=True)
class StudyCurve:
    """How one run went; one row an update.

    Args:
        reward: Exact expected reward after the update. [U]
        kl: Exact KL(π ‖ π_ref), nat. [U]
        better: Mean log π/π_ref of the better side of the batch's pairs, nat. [U]
        worse: Of the other side. [U]
        log_policy: The policy at the end. [A]
        samples: Responses drawn in all: not the same as updates where samples are reused.
    """

    reward: Array
    kl: Array
    better: Array
    worse: Array
    log_policy: Array
    samples: int


@dataclass(frozen=True)
class MethodStudy:
    """One method on one bandit.

    `pref_ft` −log π of the better side; `dpo`, `ipo` on pairs; `best_of_n` −log π of the best of n; `rwr` likelihood
    weighted by e^{(r−r̄)/τ}; `reinforce` −(r − r̄ of the batch) log π, of r − β log π/π_ref where β is its pull.

    Args:
        method: Which.
        on_policy: Fresh samples of the policy; otherwise from a pool of `pool` reference samples.
        steps: Updates.
        batch: Samples of a batch; half as many pairs.
        n: Of `best_of_n`.
        reuse: Updates on one batch of samples.
        pool: Offline samples.
        beta: Of DPO, IPO (as τ) and REINFORCE's pull.
        tau: Temperature of RWR.
        lr: Of Adam.
    Raises:
        SettingError: an unknown method, a size that is not positive.
    Source: "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data", 2024, arXiv 2404.14367.
    """

    method: Method = "dpo"
    on_policy: bool = False
    steps: int = 400
    batch: int = 20
    n: int = 5
    reuse: int = 1
    pool: int = 200
    beta: float = 0.1
    tau: float = 0.1
    lr: float = 0.05

    def __post_init__(self) -> None:
        one_of(self, "method", METHODS)
        positive(self, "steps", "batch", "n", "reuse", "pool", "beta", "tau", "lr")

    def run(self, bandit: GeometryBandit, *, seed: int) -> StudyCurve:
        """Train from the reference; exact figures after every update."""
        import torch

        rng = np.random.default_rng(seed)
        phi, reference = torch.as_tensor(bandit.phi), torch.as_tensor(bandit.reference)
        reward = torch.as_tensor(bandit.reward)
        weights = torch.as_tensor(bandit.start).clone().requires_grad_()
        optimiser = torch.optim.Adam([weights], lr=self.lr)
        pool = rng.choice(bandit.actions, size=self.pool, p=np.exp(bandit.reference))
        loss_of = self._loss(reference, reward)
        rows, samples, chosen = [], self.pool * (not self.on_policy), torch.zeros(0, dtype=torch.long)
        for step in range(self.steps):
            log_policy = (phi @ weights).log_softmax(0)
            if step % self.reuse == 0:
                if self.on_policy:
                    p = log_policy.detach().exp().numpy()
                    drawn = rng.choice(bandit.actions, size=self.batch, p=p / p.sum())
                    samples += self.batch
                else:
                    drawn = rng.choice(pool, size=self.batch)
                chosen = torch.as_tensor(drawn)
            loss = loss_of(log_policy, chosen)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                now = (phi @ weights).log_softmax(0)
                ratio = now - reference
                win, lose = _sides(chosen, reward)
                figures = (now.exp() @ reward, now.exp() @ ratio, ratio[win].mean(), ratio[lose].mean())
                rows.append([float(value) for value in figures])
        table = np.array(rows)
        end = now.numpy()
        return StudyCurve(table[:, 0], table[:, 1], table[:, 2], table[:, 3], end, samples)

    def _loss(self, reference: Tensor, reward: Tensor) -> Callable[[Any, Any], Any]:
        """(log π of all actions, sampled actions) → the loss of a batch."""
        import torch

        from zermelo.objectives import DPO, IPO, RWR, RaggedBatch

        def batch_of(log_policy: Tensor, actions: Tensor, **fields: Any) -> RaggedBatch:
            place = torch.arange(len(actions))
            return RaggedBatch(log_policy[actions], place, place // 2, logps_of={"ref": reference[actions]}, **fields)

        def of_pairs(objective: Any) -> Callable[[Tensor, Tensor], Tensor]:
            def loss(log_policy: Tensor, actions: Tensor) -> Tensor:
                sides = torch.stack(_sides(actions, reward), 1)
                if not len(sides):
                    return log_policy.sum() * 0.0
                pairs = torch.arange(2 * len(sides)).reshape(-1, 2)
                batch = batch_of(log_policy, sides.reshape(-1), pairs=pairs)
                each: Tensor = objective(batch).terms[0].each
                return each.mean()

            return loss

        def pref_ft(log_policy: Tensor, actions: Tensor) -> Tensor:
            win, _ = _sides(actions, reward)
            return -log_policy[win].mean() if len(win) else log_policy.sum() * 0.0

        def best_of_n(log_policy: Tensor, actions: Tensor) -> Tensor:
            groups = actions[: len(actions) // self.n * self.n].reshape(-1, self.n)
            best = groups.gather(1, reward[groups].argmax(1, keepdim=True)).squeeze(1)
            return -log_policy[best].mean()

        def rwr(log_policy: Tensor, actions: Tensor) -> Tensor:
            batch = batch_of(log_policy, actions, scores=reward[actions] - reward[actions].mean())
            each: Tensor = RWR(tau=self.tau)(batch).terms[0].each
            return each.mean()

        def reinforce(log_policy: Tensor, actions: Tensor) -> Tensor:
            gain = reward[actions] - self.beta * (log_policy.detach() - reference)[actions]
            others = (gain.sum() - gain) / (len(gain) - 1)  # without its own: an unbiased baseline
            return -((gain - others) * log_policy[actions]).mean()

        return {
            "pref_ft": pref_ft,
            "dpo": of_pairs(DPO(beta=self.beta)),
            "ipo": of_pairs(IPO(tau=self.beta)),
            "best_of_n": best_of_n,
            "rwr": rwr,
            "reinforce": reinforce,
        }[self.method]


def _sides(actions: Tensor, reward: Tensor) -> tuple[Tensor, Tensor]:
    """The better and the worse action of disjoint pairs; pairs of equal reward are left out. [≤ batch/2] each"""
    import torch

    pairs = actions[: len(actions) // 2 * 2].reshape(-1, 2)
    one, two = reward[pairs].unbind(1)
    kept = one != two
    first = (one > two)[kept]
    a, b = pairs[kept].unbind(1)
    return torch.where(first, a, b), torch.where(first, b, a)
