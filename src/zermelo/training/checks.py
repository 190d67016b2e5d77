"""Self-checks on the first real batch: five lines, fatal when one fails. Each guards against a bug that stays silent.

| check | what would be wrong |
|---|---|
| packed = plain | the engine computes other log-probabilities than the model alone |
| margin 0 | the reference is not the policy that training starts from |
| end token | responses are trained without the token that ends them |
| cut | the gradient depends on the size of the micro-batches |
| sampler | sampled log-probabilities are not those of the policy being trained |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.objectives.protocol import Objective
from zermelo.training.examples import Example
from zermelo.training.loop import Run, at, gradient_of, prepared
from zermelo.training.plan import MicroBatch
from zermelo.training.supply import mismatched
from zermelo.training.totals import share_of, totals_of

__all__ = ["SAMPLER_TOLERANCE", "Check", "self_checks", "slopes_of"]

GROUPS = 4  # groups of the first step that are looked at
PARAMETERS = 8  # parameters whose gradients are compared
# ‖a − b‖ / ‖b‖ of log-probabilities, the same of gradients, mean |a − b| per token in nat
TOLERANCE = {
    torch.float64: (1e-9, 1e-7, 1e-9),
    torch.float32: (1e-4, 1e-3, 1e-4),  # sums of some thousand products, a dozen layers
    torch.bfloat16: (5e-2, 2e-1, 5e-2),  # 8 bits of mantissa
    torch.float16: (1e-2, 5e-2, 1e-2),
}
# samplers compute in other kernels, often another type: a hundred times the trainer's own noise is still no bug
SAMPLER_TOLERANCE = {dtype: max(100 * gap, 0.02) for dtype, (_, _, gap) in TOLERANCE.items()}


@dataclass(frozen=True)
class Check:
    """One check: `passed` is None where it does not apply."""

    name: str
    figure: str
    passed: bool | None

    def line(self) -> str:
        """One line for the log."""
        verdict = "not checked" if self.passed is None else "ok" if self.passed else "FAILED"
        return f"{self.name}: {verdict}: {self.figure}"


def self_checks(run: Run, *, end_ids: Sequence[int], start: bool, version: str | None = None) -> list[Check]:
    """Run the five checks on the first groups of the plan.

    Args:
        run: Before its first step.
        end_ids: Ids that end a response.
        start: Whether the reference is the policy as it is now.
        version: Name of this policy's weights in `Response.policy_version`.
    Raises:
        SettingError: one failed (`self-check`); the message has all its figures.
    """
    first = next(iter(run.plan.steps()))
    examples = sorted(first.examples, key=lambda example: example.n_tokens)[:GROUPS]
    objective = at(run.objective, 0.0)
    tolerance = TOLERANCE[torch.bfloat16 if run.settings.precision == "bfloat16" else dtype_of(run.trainee.model)]
    with run.trainee.still():
        found = [
            _packed(run, examples, tolerance[0]),
            _margin(run, examples, tolerance[2], start),
            _end(run, objective, examples, end_ids),
            _cut(run, objective, examples, tolerance[1]),
            _sampler(run, first.examples, version, tolerance[2]),
        ]
    for check in found:
        if check.passed is False:
            raise SettingError(
                "self-check", check.line(), hint="`zermelo explain self-check` says what each check guards against"
            )
    return found


def _packed(run: Run, examples: Sequence[Example], tolerance: float) -> Check:
    name = "packed = plain"
    if run.trainee.sharded:
        return Check(name, "sharded weights", None)
    packed, plain = run.supplier.outputs(examples, "auto"), run.supplier.outputs(examples, "plain")
    figure = apart(packed, plain)
    return Check(
        name,
        f"relative difference {figure:.1e} over {len(plain):,} values (at most {tolerance:g})",
        figure <= tolerance,
    )


def _margin(run: Run, examples: Sequence[Example], tolerance: float, start: bool) -> Check:
    name = "margin 0 against the reference"
    if "ref" not in run.supplier.needs.policies:
        return Check(name, "no reference is read", None)
    if not start:
        return Check(name, "the reference is another policy", None)
    batch = _computed(run, examples)
    gap = (batch.logps - batch.logps_of["ref"]).abs()
    figure = float(gap.mean())
    return Check(
        name,
        f"mean difference {figure:.1e} nat per token, largest {float(gap.max()):.1e} (mean at most {tolerance:g})",
        figure <= tolerance,
    )


def _end(run: Run, objective: Objective, examples: Sequence[Example], end_ids: Sequence[int]) -> Check:
    """Where a response gets a gradient at all, its end token gets one."""
    name = "end token is trained"
    responses = [response for example in examples for response in example.responses]
    finished = [i for i, response in enumerate(responses) if response.finished]
    if not finished:
        return Check(name, "no response of the first groups ends by itself", None)
    strange = [i for i in finished if end_ids and responses[i].ids[-1] not in end_ids]
    if strange:
        return Check(name, f"{len(strange)} of {len(finished)} finished responses do not end in an end token", False)
    slopes = slopes_of(run, objective, examples)
    if slopes is None:
        return Check(name, f"{len(finished)} responses end in an end token; the score is read there", True)
    lengths = [len(response.ids) for response in responses]
    per_response = slopes.abs().split(lengths)
    trained = [i for i in finished if float(per_response[i].sum()) > 0]
    without = [i for i in trained if float(per_response[i][-1]) == 0]
    if not trained:
        return Check(name, "no finished response of the first groups has a gradient", None)
    return Check(name, f"{len(trained) - len(without)} of {len(trained)} end tokens have a gradient", not without)


def _cut(run: Run, objective: Objective, examples: Sequence[Example], tolerance: float) -> Check:
    name = "gradient does not depend on the cut"
    chosen = sampled(run.trainee.parameters)

    def gradient(micros: list[MicroBatch]) -> Tensor:
        gradient_of(run, objective, examples, micros, 0.0)
        found = [parameter.grad for parameter in chosen]
        flat = torch.cat([whole(g).detach().reshape(-1).double().cpu() for g in found if g is not None])
        for parameter in run.trainee.parameters:
            parameter.grad = None
        return flat

    if len(examples) < 2:
        return Check(name, "the first step has one group", None)
    together = gradient([MicroBatch(tuple(examples))])
    alone = gradient([MicroBatch((example,)) for example in examples])
    if float(together.norm()) == 0:
        return Check(name, "the gradient of the first groups is zero", None)
    figure = apart(alone, together)
    return Check(name, f"relative difference {figure:.1e} (at most {tolerance:g})", figure <= tolerance)


def _sampler(run: Run, examples: Sequence[Example], version: str | None, tolerance: float) -> Check:
    name = "sampler = trainer log-probabilities"
    known = [example for example in examples if example.sampled and all(v is not None for v in example.sampled)][
        :GROUPS
    ]
    if not known or run.supplier.needs.extra == ("reward",):
        return Check(name, "no sampled log-probabilities in the first step", None)
    sampled_values = [value for example in known for values in example.sampled for value in values or ()]
    computed = run.supplier.outputs(known, "auto").double().cpu()
    if len(sampled_values) != len(computed):
        return Check(name, "sampled log-probabilities do not belong to the ids", False)
    gap = (computed - torch.tensor(sampled_values, dtype=torch.float64)).abs()
    same = version is not None and all(by == version for example in known for by in example.sampled_by)
    figure = f"mean difference {float(gap.mean()):.1e} nat, largest {float(gap.max()):.1e}"
    if not same:
        return Check(name, f"{figure}; sampled by another policy or unnamed", None)
    return Check(name, figure, float(gap.mean()) <= max(100 * tolerance, 0.02))


def _computed(run: Run, examples: Sequence[Example]):  # type: ignore[no-untyped-def]
    micro = MicroBatch(tuple(examples))
    partners = mismatched(examples) if run.supplier.needs.mismatched else {}
    batch = run.supplier.data(micro).with_(state=run.position.state)
    return run.supplier.computed(micro, batch, partners, grad=False)


def slopes_of(run: Run, objective: Objective, examples: Sequence[Example]) -> Tensor | None:
    """Gradient of the loss with respect to each log-probability; None where the objective reads none. [T]"""
    if run.supplier.needs.extra == ("reward",):
        return None
    micro = MicroBatch(tuple(examples))
    batch = _computed(run, examples)
    totals = totals_of(objective, [(batch, True)], lambda tensor: tensor)
    partners = mismatched(examples) if run.supplier.needs.mismatched else {}
    _, stats = prepared(run, objective, [micro], [batch], partners, 0.0)
    leaf = batch.logps.detach().clone().requires_grad_()
    batch = batch.with_(logps=leaf, stats=stats)
    share = share_of(objective(batch), batch, totals)
    if not share.requires_grad:
        return torch.zeros_like(leaf)
    (slopes,) = torch.autograd.grad(share, leaf, allow_unused=True)
    return torch.zeros_like(leaf) if slopes is None else slopes


def sampled(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """A few parameters, evenly spaced, the first and the last among them."""
    n = min(PARAMETERS, len(parameters))
    places = {round(i * (len(parameters) - 1) / max(1, n - 1)) for i in range(n)}
    return [parameters[i] for i in sorted(places)]


def apart(a: Tensor, b: Tensor) -> float:
    """‖a − b‖ / ‖b‖; infinite where something is not finite."""
    a, b = a.double().cpu(), b.double().cpu()
    figure = float((a - b).norm() / b.norm().clamp_min(1e-300))
    return figure if math.isfinite(figure) else math.inf


def whole(tensor: Tensor) -> Tensor:
    """All of a sharded tensor."""
    gather: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


def dtype_of(model: nn.Module) -> torch.dtype:
    """The type in which a model computes."""
    found = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    return found if found in TOLERANCE else torch.float32
