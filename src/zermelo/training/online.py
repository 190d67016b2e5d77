"""The online loop: every optimiser step samples fresh responses from the policy as it is now.

It is the offline loop (`training/loop.py`) with one line more: the fresh groups join the step's own before it is cut.
Their log-probabilities, reference and losses are then computed beside the offline ones, and on every step the
sampler's log-probabilities must be the trainer's.

from zermelo.training import OfflineSettings, Online, align
result = align("my-model", groups, HyPO(beta=0.1, lam=0.01), online=Online(n=2, max_tokens=64), out="runs/hypo")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch

from zermelo.errors import SettingError, positive
from zermelo.feedback.records import Group, Judgement
from zermelo.objectives.batch import RaggedBatch
from zermelo.policies.sampling.local import TransformersSampler
from zermelo.policies.sampling.protocol import Sampling
from zermelo.training.checks import SAMPLER_TOLERANCE
from zermelo.training.examples import Example, make_examples
from zermelo.training.plan import MicroBatch, PlannedStep
from zermelo.training.settings import OfflineSettings
from zermelo.training.supply import PolicySupplier
from zermelo.training.totals import Sums

if TYPE_CHECKING:
    from zermelo.objectives.protocol import Needs
    from zermelo.policies.policy import Policy
    from zermelo.training.trainee import Trainee

__all__ = ["Judge", "Online", "OnlineSupplier", "Sampled"]


class Judge(Protocol):
    """What says something of fresh responses; every scorer does."""

    @property
    def name(self) -> str: ...

    def score(self, groups: Sequence[Group]) -> Sequence[tuple[Judgement, ...]]: ...


@dataclass(frozen=True)
class Online:
    """How fresh responses are drawn. At temperature 1 and from the whole distribution: gradients of a KL need that.

    Args:
        n: For each prompt; at least 2 where an objective compares samples of a prompt with each other (HyPO).
        prompts: Of the step's prompts at most so many, the first ones; None = all.
        max_tokens: Longest response; a longer one is cut and read as it is.
        judge: Says something of each fresh response; None where the objective reads their log-probabilities alone.
        batch: Rows decoded at once.
    Raises:
        SettingError: a number is not positive.
    """

    n: int = 2
    prompts: int | None = None
    max_tokens: int = 256
    judge: Judge | None = None
    batch: int = 256

    def __post_init__(self) -> None:
        positive(self, "n", "max_tokens", "batch")
        if self.prompts is not None:
            positive(self, "prompts")

    def counts(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Counts of the data without terms that only fresh responses have items of."""
        return {name: count for name, count in counts.items() if not name.startswith("idle/")}

    def described(self) -> dict[str, Any]:
        """Plain data, for the identity of a run."""
        told = {"n": self.n, "prompts": self.prompts, "max_tokens": self.max_tokens, "batch": self.batch}
        return told | ({} if self.judge is None else {"judge": self.judge.name})


class Sampled:
    """Fresh examples of a step: samples of the policy to the prompts of the step's own groups.

    What is drawn follows from the seed, the number of the step and the weights, so that a run that goes on from a
    checkpoint draws what the uninterrupted one would have drawn.

    Args:
        online: How.
        policy: As it is being trained.
        groups: Where the prompts are.
        needs: What the objective reads.
        settings: Seed; what is too long.
        trainee: Each device samples its share of the prompts.
    """

    def __init__(
        self,
        online: Online,
        policy: Policy,
        groups: Sequence[Group],
        needs: Needs,
        settings: OfflineSettings,
        trainee: Trainee,
    ) -> None:
        self._online, self._policy, self._settings, self._trainee = online, policy, settings, trainee
        self._prompt_of = {group.id: group for group in groups}
        # a fresh group has no pairs unless somebody judged it; what the objective asks of pairs it has from the others
        self._needs = needs if online.judge is not None else replace(needs, scores=False, labels=False)
        sampling = Sampling(max_tokens=online.max_tokens)
        self._sampler = TransformersSampler(policy, sampling, batch=online.batch, version="now")

    def __call__(self, step: PlannedStep) -> tuple[Example, ...]:
        """The fresh examples of a step, on all devices."""
        ids = list(dict.fromkeys(example.id for example in step.examples))[: self._online.prompts]
        own = [self._prompt_of[name] for name in ids[self._trainee.rank :: self._trainee.world]]
        seed = self._settings.seed * 1_000_003 + step.number
        groups = self._sampler.sample(own, n=self._online.n, seed=seed) if own else []
        if self._online.judge is not None:
            said = self._online.judge.score(groups)
            groups = [group.with_judgements(j) for group, j in zip(groups, said, strict=True)]
        # behind all others in order, so that KTO still meets other prompts
        groups = [replace(group, id=f"~{step.number}:{group.id}") for group in groups]
        settings = replace(self._settings, keep_suspicious=True, overlong="cut", max_tokens=None)
        examples = make_examples(groups, self._policy, self._needs, settings).items if groups else ()
        missing = (float("nan"),)
        examples = tuple(
            replace(
                example,
                scores=example.scores or missing * len(example.responses),
                labels=example.labels or missing * len(example.responses),
            )
            for example in examples
        )
        return tuple(sorted(self._trainee.gather(list(examples)), key=lambda example: example.id))


@dataclass
class OnlineSupplier(PolicySupplier):
    """Batches of offline and fresh responses, with the check that the sampler's log-probabilities are the trainer's."""

    def data(self, micro: MicroBatch, *, blank: bool = False) -> RaggedBatch:
        """The data, and of fresh responses what the sampler said."""
        batch = super().data(micro, blank=blank)
        said: list[float] = []
        for example in micro.examples:
            sampled = example.sampled or (None,) * len(example.responses)
            fresh = example.sampled_by == ("now",) * len(example.responses)
            for response, values in zip(example.responses, sampled, strict=True):
                known = fresh and values is not None and len(values) == len(response.ids)
                said += (values or ()) if known else [float("nan")] * len(response.ids)
        extra = {**batch.extra, "sampled": ("tokens", torch.tensor(said, device=self.device))}
        return batch.with_(extra=extra)

    def figures(self, batch: RaggedBatch, sums: Sums, *, counts: bool) -> None:
        """As offline, and `sampler/gap`, `sampler/largest`; `fresh/length` and `fresh/kl` of the fresh responses.

        Raises:
            SettingError: the two differ by more than rounding does (`self-check`): nothing is learnt from this step.
        """
        super().figures(batch, sums, counts=counts)
        gap = (batch.logps.detach().double() - batch.extra_of("sampled").double()).abs()
        known = torch.isfinite(gap)
        seen = gap[known]  # a device may have none, and still adds the same figures
        mean, most = (float(seen.mean()), float(seen.max())) if len(seen) else (0.0, 0.0)
        # in training: where the samples were drawn a moment ago from these very weights
        if torch.is_grad_enabled() and mean > self.tolerance:
            raise SettingError(
                "self-check",
                f"sampler = trainer log-probabilities: FAILED: mean difference {mean:.1e} nat, largest {most:.1e} "
                f"(mean at most {self.tolerance:g})",
                hint="`zermelo explain self-check` says what each check guards against",
            )
        weight = known.double() * counts
        sums.add("sampler/gap", gap, weight)
        sums.add("sampler/largest", gap.new_tensor([most]), gap.new_tensor([float(counts and len(seen) > 0)]))
        fresh = torch.zeros(batch.n_responses, device=self.device)
        fresh[batch.token_response[known]] = 1.0
        sums.add("fresh/length", batch.lengths, fresh * counts)
        if "ref" in batch.logps_of:
            sums.add("fresh/kl", batch.log_ratio("ref").detach(), fresh * counts)
        if self.needs.scores:
            idle, weight = no_signal(batch, fresh > 0)
            sums.add("fresh/no_signal", idle, weight * counts)

    @property
    def tolerance(self) -> float:
        """Largest mean difference, nat a token: samplers compute in other kernels, often in another type."""
        kind = next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)
        return SAMPLER_TOLERANCE.get(kind, SAMPLER_TOLERANCE[torch.float32])


def no_signal(batch: RaggedBatch, fresh: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """1 for each group whose fresh responses all have the same score, and which groups have any. [G], [G]"""
    scored = fresh & torch.isfinite(batch.scores)
    low = torch.full((batch.n_groups,), float("inf"), device=batch.scores.device)
    low = low.scatter_reduce(0, batch.response_group[scored], batch.scores[scored].float(), "amin")
    high = torch.full_like(low, float("-inf"))
    high = high.scatter_reduce(0, batch.response_group[scored], batch.scores[scored].float(), "amax")
    return (high <= low).float(), torch.isfinite(low).float()
