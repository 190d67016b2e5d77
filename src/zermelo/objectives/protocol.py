"""The contract between an objective and the loop that drives it.

An objective is a frozen dataclass of hyper-parameters, called with a `RaggedBatch`; it says in `needs` what must be
supplied and returns `Losses`: items, one per token, response, pair, step or group, and never an average. The loop
divides once: per term, Σ w·each / Σ w over the whole optimiser step, all micro-batches and ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from zermelo.errors import SettingError
from zermelo.objectives.batch import Axis, RaggedBatch

__all__ = [
    "Composable",
    "Gradients",
    "Losses",
    "Needs",
    "Objective",
    "Schedule",
    "Stats",
    "Step",
    "Sum",
    "Term",
    "Weighted",
    "has_gradient_rule",
    "prepares",
    "refuse_rules",
    "term",
    "weights_of",
]

Stats: TypeAlias = Mapping[str, Any]
Schedule: TypeAlias = Callable[[float], float]  # progress in [0, 1] → value
Gradients: TypeAlias = Mapping[str, Tensor]  # parameter name → gradient, the parameter's shape


# names an objective may ask for in `Needs.extra`: (axis, what). Differentiable where the policy or a head computes it.
EXTRAS: Mapping[str, tuple[Axis, str]] = {
    "reward": ("responses", "output of the reward head on the finished response"),
    "value": ("tokens", "output of the value head at the state before each token, V(s_t)"),
    "entropy": ("tokens", "entropy of π(· | x, y_<t) over the vocabulary, nat"),
    "kl:ref:forward": ("tokens", "KL(π_ref(· | x, y_<t) ‖ π(· | x, y_<t)) over the vocabulary, nat"),
    "kl:ref:reverse": ("tokens", "KL(π(· | x, y_<t) ‖ π_ref(· | x, y_<t)) over the vocabulary, nat"),
    "origin": ("responses", "data: where the group came from: 0 offline, 1 online, 2 calibration"),
    "phrase": ("tokens", "data: 0 = text shared by the two sides of a pair, n ≥ 1 = n-th phrase in which they differ"),
    "fault": ("tokens", "data: 1 = token in which a right and a faulty text differ"),
    "empty_trace": ("responses", "data: 1 = answered with an empty reasoning trace"),
    "gate": ("tokens", "output of the gate head, a logit per token"),
    "degree_logits": ("responses", "output of the degree head on the finished response, [N, C]"),
    "degree": ("responses", "data: degree class 0…C−1, −1 = none"),
    "denoising_error": ("responses", "mean squared denoising error of an image"),
    "part": ("responses", "data: 0 general text, 1 text to be repaired"),
}


@dataclass(frozen=True)
class Needs:
    """What an objective wants supplied; the trainer computes that and nothing else.

    Args:
        pairs: Pairs (and their prob, margin, weight).
        scores: A score for each response (groups without any are left out).
        labels: A 0/1 label for each response.
        policies: Names under which other log-probabilities are wanted (`ref`, `old`, `prev`, …).
        extra: Names of extra tensors; `EXTRAS` says what each is (`reward`, `value`, `kl:ref:forward`, …).
        steps: Token-to-step map.
        mismatched: `extra["mismatched"]` and `extra["mismatched_ref"]`: the sequence log-probability of each response
            under the *prompt of another group* of the step (policy and reference, no gradient), for KTO's z₀. [N]
        prompt_logps: Log-probabilities of the prompt tokens: `extra["prompt_logps"]`, summed per response, with
            gradient, and `extra["prompt_logps_ref"]` where `ref` is among the policies, without. [N]
    """

    pairs: bool = False
    scores: bool = False
    labels: bool = False
    policies: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    steps: bool = False
    mismatched: bool = False
    prompt_logps: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            pairs=self.pairs or other.pairs,
            scores=self.scores or other.scores,
            labels=self.labels or other.labels,
            policies=tuple(dict.fromkeys(self.policies + other.policies)),
            extra=tuple(dict.fromkeys(self.extra + other.extra)),
            steps=self.steps or other.steps,
            mismatched=self.mismatched or other.mismatched,
            prompt_logps=self.prompt_logps or other.prompt_logps,
        )


@dataclass(frozen=True)
class Term:
    """One loss term, one number per item.

    Args:
        name: For logs.
        over: Axis of the items.
        each: The loss of each item, in nats where it is a log-loss. [items]
        metrics: name → one number per item, no gradient; averaged by the loop with the same weights. [items]
        index: Which items of the axis these are (default: all, in order); fixed by data, never by log-probabilities.
        scale: Constant factor that composition put in front.
    """

    name: str
    over: Axis
    each: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    index: Tensor | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Losses:
    """The terms an objective returned."""

    terms: tuple[Term, ...]

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)

    def __add__(self, other: Losses) -> Losses:
        return Losses(self.terms + other.terms)

    def scaled(self, factor: float) -> Losses:
        """Every term multiplied."""
        return Losses(tuple(replace(item, scale=item.scale * factor) for item in self.terms))


def term(
    name: str,
    *,
    over: Axis,
    each: Tensor,
    metrics: Mapping[str, Tensor] | None = None,
    index: Tensor | None = None,
) -> Losses:
    """Losses of a single term; metrics are detached here."""
    kept = {key: value.detach() for key, value in (metrics or {}).items()}
    return Losses((Term(name, over, each, kept, index),))


def weights_of(item: Term, batch: RaggedBatch) -> Tensor:
    """Data weights of a term's items: what the loop multiplies `each` with and divides by the sum of."""
    weight = batch.axis_weight(item.over)
    return weight if item.index is None else weight[item.index]


@dataclass(frozen=True)
class Step:
    """All micro-batches of one optimiser step on this rank, without gradient, and sums over ranks.

    Args:
        batches: The micro-batches.
        reduce_sum: Sums a tensor over all ranks (identity for one process).
        progress: Share of training done, in [0, 1].
    """

    batches: Sequence[RaggedBatch]
    reduce_sum: Callable[[Tensor], Tensor] = lambda tensor: tensor
    progress: float = 0.0

    def mean(self, of: Callable[[RaggedBatch], tuple[Tensor, Tensor]]) -> Tensor:
        """Σ value / Σ weight over the step and all ranks; `of` gives (sum of values, sum of weights) of a batch."""
        parts = [torch.stack([torch.as_tensor(x, dtype=torch.float64) for x in of(batch)]) for batch in self.batches]
        # a device may have no group of a small step, and still takes part in the sum
        total = self.reduce_sum(torch.stack(parts).sum(0) if parts else torch.zeros(2, dtype=torch.float64))
        return total[0] / total[1].clamp_min(1e-12)


@runtime_checkable
class Objective(Protocol):
    """A pure function of a batch. See the module's docstring; optional hooks are listed in `hooks`."""

    needs: ClassVar[Needs]

    def __call__(self, batch: RaggedBatch) -> Losses: ...


class Composable:
    """Gives an objective `+` and multiplication; carries no state and nothing to override but the optional hooks.

    Optional hooks (their defaults do nothing):
        prepare(step) -> stats: once per optimiser step, no gradient, over all micro-batches and ranks.
        init_state() / update(state, sums) -> state: state owned and checkpointed by the loop (JSON values).
        at(progress) -> objective: the objective with its schedules evaluated.
    """

    def __add__(self, other: Any) -> Sum:
        return Sum((*_parts(self), *_parts(other)))

    def __mul__(self, weight: float | Schedule) -> Any:
        return Weighted(self, weight)

    def __rmul__(self, weight: float | Schedule) -> Any:
        return self * weight

    def prepare(self, step: Step) -> Stats:
        """Statistics of the whole optimiser step; they come back as `batch.stats`. A wrapper's are its base's."""
        base = getattr(self, "base", None)
        return {} if base is None else base.prepare(step)

    def init_state(self) -> Stats:
        """First state, JSON values; it comes back as `batch.state`. A wrapper's is its base's."""
        base = getattr(self, "base", None)
        return {} if base is None else base.init_state()

    def update(self, state: Stats, sums: Mapping[str, float]) -> Stats:
        """Next state, from the step's averaged metrics (`"term/metric"` → number)."""
        base = getattr(self, "base", None)
        return state if base is None else base.update(state, sums)

    def at(self, progress: float) -> Any:
        """This objective with every schedule among its fields replaced by its value at `progress`."""
        values = {name: getattr(self, name) for name in getattr(self, "__dataclass_fields__", {})}
        now = {
            name: value(progress) for name, value in values.items() if callable(value) and not hasattr(value, "needs")
        }
        inner = {name: value.at(progress) for name, value in values.items() if hasattr(value, "needs")}
        return replace(self, **now, **inner) if now or inner else self  # type: ignore[type-var]


@dataclass(frozen=True)
class Weighted(Composable):
    """`weight · base`; each term keeps its axis."""

    base: Any
    weight: float | Schedule = 1.0

    def __post_init__(self) -> None:
        refuse_rules("weighted", self.base)

    @property
    def needs(self) -> Needs:  # type: ignore[override]
        """Those of the base."""
        return self.base.needs

    def __call__(self, batch: RaggedBatch) -> Losses:
        factor = self.weight(0.0) if callable(self.weight) else self.weight
        return self.base(batch).scaled(float(factor))

    def __mul__(self, weight: float | Schedule) -> Any:
        both_numbers = not callable(weight) and not callable(self.weight)
        return Weighted(self.base, weight * self.weight) if both_numbers else Weighted(self, weight)  # type: ignore[operator]


@dataclass(frozen=True)
class Sum(Composable):
    """Terms of several objectives side by side, each averaged over its own axis."""

    parts: tuple[Any, ...]

    def __post_init__(self) -> None:
        refuse_rules("added to others", *self.parts)

    @property
    def needs(self) -> Needs:  # type: ignore[override]
        """The union."""
        needs = Needs()
        for part in self.parts:
            needs = needs | part.needs
        return needs

    def __call__(self, batch: RaggedBatch) -> Losses:
        losses = Losses(())
        for index, part in enumerate(self.parts):
            own = batch.with_(stats=batch.stats.get(str(index), {}), state=batch.state.get(str(index), {}))
            losses = losses + part(own)
        return losses

    def prepare(self, step: Step) -> Stats:
        """Each part's, under its position."""
        return {str(index): part.prepare(_own(step, str(index))) for index, part in enumerate(self.parts)}

    def init_state(self) -> Stats:
        """Each part's, under its position."""
        return {str(index): part.init_state() for index, part in enumerate(self.parts)}

    def update(self, state: Stats, sums: Mapping[str, float]) -> Stats:
        """Each part's, under its position."""
        return {str(index): part.update(state.get(str(index), {}), sums) for index, part in enumerate(self.parts)}

    def __mul__(self, weight: float | Schedule) -> Any:
        return Sum(tuple(part * weight for part in self.parts))

    def at(self, progress: float) -> Any:
        """Each part at `progress`."""
        return Sum(tuple(part.at(progress) for part in self.parts))


def prepares(objective: Any) -> bool:
    """Whether the objective or a part of it has a `prepare` of its own, so that the loop has to run it."""
    if isinstance(objective, Sum):
        return any(prepares(part) for part in objective.parts)
    if getattr(type(objective), "prepare", Composable.prepare) is not Composable.prepare:
        return True
    base = getattr(objective, "base", None)
    return base is not None and prepares(base)


def has_gradient_rule(objective: Any) -> bool:
    """Whether the objective combines the gradients of its terms by a rule of its own."""
    return hasattr(objective, "gradient_rule")


def refuse_rules(done: str, *parts: Any) -> None:
    """Refuse to compose what combines gradients by a rule of its own: the rule would silently be lost.

    Raises:
        SettingError: one of the parts has a `gradient_rule`.
    """
    for part in parts:
        if has_gradient_rule(part):
            name = type(part).__name__
            raise SettingError("bad-setting", f"{name} combines gradients by a rule of its own and cannot be {done}")


def _parts(value: Any) -> tuple[Any, ...]:
    return value.parts if isinstance(value, Sum) else (value,)


def _own(step: Step, key: str) -> Step:
    return replace(step, batches=[batch.with_(state=batch.state.get(key, {})) for batch in step.batches])
