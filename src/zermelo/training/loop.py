"""The loop that drives an objective over groups, from top to bottom. What varies is an argument.

`training/offline.py` runs it on policies, `training/reward.py` on reward models.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Objective, Step, prepares
from zermelo.progress import Bar, silent
from zermelo.training.callbacks import Callback
from zermelo.training.checkpoint import Best, Position, Saver
from zermelo.training.examples import Example
from zermelo.training.folder import Row, RunFolder
from zermelo.training.metrics import row_of
from zermelo.training.plan import MicroBatch, Plan, PlannedStep, cut
from zermelo.training.settings import OfflineSettings
from zermelo.training.supply import Supplier, mismatched
from zermelo.training.totals import Sums, totals_of
from zermelo.training.trainee import Gradient, Trainee

__all__ = ["Run", "fit", "gradient_of", "validate"]


@dataclass
class Run:
    """A run: what is trained on what, and where it stands.

    Args:
        objective: With its schedules.
        plan: Steps over the examples.
        supplier: Makes batches.
        trainee: Model, optimiser, devices.
        settings: See `OfflineSettings`.
        rates: Step number → learning rate.
        saver: Checkpoints; None = none are written.
        folder: Journal; None = nothing is written.
        validation: Held-out examples.
        callbacks: Lookers-on.
        bar: Shows progress.
        policy: What is trained, as the user knows it.
        fresh: Step → examples that join it, sampled from the policy as it is now (`training/online.py`).
        position: Between two steps.
        history: Rows of the journal.
        stopped: Why the run ended early, '' where it did not.
    """

    objective: Objective
    plan: Plan
    supplier: Supplier
    trainee: Trainee
    settings: OfflineSettings
    rates: Callable[[int], float]
    saver: Saver | None = None
    folder: RunFolder | None = None
    validation: Sequence[Example] = ()
    callbacks: Sequence[Callback] = ()
    bar: Bar = silent
    policy: Any = None
    fresh: Callable[[PlannedStep], tuple[Example, ...]] = lambda step: ()
    position: Position = field(default_factory=Position)
    history: list[Row] = field(default_factory=list)
    stopped: str = ""

    def stop(self, why: str) -> None:
        """End the run after the step that is being done."""
        self.stopped = self.stopped or why

    def record(self, row: Row) -> None:
        """Add a row to history and journal."""
        self.history.append(row)
        if self.folder is not None and self.trainee.main:
            self.folder.append(row)


def fit(run: Run) -> None:
    """Train to the end of the plan, or until told to stop.

    Raises:
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM; a checkpoint was written before.
    """
    tell(run, "on_start")
    done = run.plan.n_steps - run.position.step
    advance = run.bar("train", run.plan.n_steps)
    advance(run.plan.n_steps - done)
    with torch.random.fork_rng(), graceful() as asked:
        for step in run.plan.steps(run.position.groups):
            started = time.perf_counter()
            objective = at(run.objective, step.progress)
            torch.manual_seed(run.settings.seed * 1_000_003 + step.number * run.trainee.world + run.trainee.rank)
            examples = (*step.examples, *run.fresh(step))
            micros = cut(examples, tokens=run.settings.tokens, world=run.trainee.world, rank=run.trainee.rank)
            means = gradient_of(run, objective, examples, micros, step.progress)
            norm = run.trainee.step(run.rates(step.number))
            state = updated(objective, run.position.state, means)
            run.position = replace(run.position, step=step.number, groups=step.end, state=state)
            tokens = sum(example.n_tokens for example in examples)
            note(run, step, row_of(means), norm, tokens, time.perf_counter() - started)
            advance(1, note=headline(run.history[-1]))
            if run.validation and due(step.number, run.settings.validate_every or every(run.plan), run.plan):
                judge(run, validate(run, objective))
            # on any device: all of them go on, or none
            interrupted, stopped = run.trainee.reduce(torch.tensor([len(asked), len(run.stopped)])).tolist()
            if interrupted:
                save(run)
                raise KeyboardInterrupt
            if run.settings.save_every and step.number % run.settings.save_every == 0:
                save(run)
            if stopped:
                break
    tell(run, "on_end")


def gradient_of(
    run: Run, objective: Objective, examples: Sequence[Example], micros: Sequence[MicroBatch], progress: float
) -> dict[str, float]:
    """The gradient of one optimiser step, left in the parameters; returns the step's figures.

    It does not depend on how the step is cut: the divisors are those of the whole step, known before any model runs.

    Args:
        run: What is trained.
        objective: At this progress.
        examples: Groups of the step, on all devices.
        micros: This device's share of them.
        progress: Share of the run done.
    """
    partners = mismatched(examples) if run.supplier.needs.mismatched else {}
    data = [run.supplier.data(micro).with_(state=run.position.state) for micro in micros]
    counts = [micro.counts for micro in micros]
    totals = totals_of(objective, list(zip(data, counts, strict=True)), run.trainee.reduce)
    gradient, sums = Gradient(run.trainee, getattr(objective, "gradient_rule", None)), Sums()
    ready, stats = prepared(run, objective, micros, data, partners, progress)
    for number, (micro, batch) in enumerate(zip(micros, data, strict=True), 1):
        with run.trainee.accumulating(last=number == len(micros)):
            batch = ready or run.supplier.computed(micro, batch, partners, grad=True)
            batch = batch.with_(stats=stats)
            losses = objective(batch)
            gradient.add(losses, batch, totals, counts=micro.counts)
        sums.add_losses(losses, batch, counts=micro.counts)
        run.supplier.figures(batch, sums, counts=micro.counts)
    gradient.finish()
    return sums.means(run.trainee.reduce)


def prepared(
    run: Run,
    objective: Objective,
    micros: Sequence[MicroBatch],
    data: Sequence[RaggedBatch],
    partners: Mapping[str, Example],
    progress: float,
) -> tuple[RaggedBatch | None, Mapping[str, Any]]:
    """Statistics of the whole step, where the objective takes any; a single micro-batch is computed only once."""
    if not prepares(objective):
        return None, {}
    ready = None
    if len(micros) == 1:
        ready = run.supplier.computed(micros[0], data[0], partners, grad=True)
        seen = [without_gradient(ready)]
    else:
        with torch.no_grad():
            seen = [
                run.supplier.computed(micro, batch, partners, grad=False)
                for micro, batch in zip(micros, data, strict=True)
            ]
    seen = [batch for batch, micro in zip(seen, micros, strict=True) if micro.counts]
    with torch.no_grad():
        return ready, objective.prepare(Step(seen, run.trainee.reduce, progress))  # type: ignore[attr-defined]


def validate(run: Run, objective: Objective) -> dict[str, float]:
    """The figures of the held-out examples, without gradient; names begin with `eval/`."""
    sums = Sums()
    size = run.settings.groups_per_step
    with run.trainee.still(), torch.no_grad():
        for start in range(0, len(run.validation), size):
            chunk = run.validation[start : start + size]
            micros = cut(chunk, tokens=run.settings.tokens, world=run.trainee.world, rank=run.trainee.rank)
            partners = mismatched(chunk) if run.supplier.needs.mismatched else {}
            data = [run.supplier.data(micro).with_(state=run.position.state) for micro in micros]
            _, stats = prepared(run, objective, micros, data, partners, 1.0)
            for micro, batch in zip(micros, data, strict=True):
                batch = run.supplier.computed(micro, batch, partners, grad=False).with_(stats=stats)
                sums.add_losses(objective(batch), batch, counts=micro.counts)
                run.supplier.figures(batch, sums, counts=micro.counts)
    return {f"eval/{name}": value for name, value in row_of(sums.means(run.trainee.reduce)).items()}


def judge(run: Run, figures: Mapping[str, float]) -> None:
    """Note a validation, remember the best, stop when patience is at its end."""
    row: Row = {"step": run.position.step, **figures}
    run.record(row)
    value = figures.get(run.settings.best)
    best = run.position.best
    larger = any(word in run.settings.best for word in ("accuracies", "margins", "chosen", "accuracy"))
    if value is not None:
        better = best.value is None or (value > best.value if larger else value < best.value)
        best = Best(run.position.step, value) if better else replace(best, since=best.since + 1)
        run.position = replace(run.position, best=best)
        if better and run.settings.keep_best:
            save(run)
    tell(run, "on_validation", row)
    if run.settings.patience is not None and best.since >= run.settings.patience:
        run.stop(f"{run.settings.best} has not improved for {best.since} validations")


def note(run: Run, step: PlannedStep, figures: Mapping[str, float], norm: float, tokens: int, seconds: float) -> None:
    """Add a row to history and journal, and tell the callbacks."""
    row: Row = {
        "step": step.number,
        "epoch": step.end / len(run.plan.examples),
        "groups": step.end,
        **figures,
        "grad_norm": norm,
        "lr": run.rates(step.number),
        "run": {"seconds": round(seconds, 4), "tokens_per_s": round(tokens / seconds, 1)},
    }
    run.history.append(row)
    if run.trainee.main and (step.number % run.settings.log_every == 0 or step.number == run.plan.n_steps):
        if run.folder is not None:
            run.folder.append(row)
        run.trainee.accelerator.log(
            {**{name: value for name, value in row.items() if name != "run"}, **row["run"]}, step=step.number
        )
    tell(run, "on_step", row)


def save(run: Run) -> None:
    """Write a checkpoint, where checkpoints are kept."""
    if run.saver is not None:
        tell(run, "on_save", run.saver.save(run.trainee, run.position))


def tell(run: Run, event: str, *what: object) -> None:
    """Call the callbacks, on the main process."""
    if run.trainee.main:
        for callback in run.callbacks:
            getattr(callback, event)(run, *what)


def at(objective: Objective, progress: float) -> Objective:
    """The objective with its schedules evaluated, where it has any."""
    return objective.at(progress) if hasattr(objective, "at") else objective


def updated(objective: Objective, state: dict[str, Any], means: Mapping[str, float]) -> dict[str, Any]:
    """The objective's state after a step, where it has one."""
    return dict(objective.update(state, means)) if hasattr(objective, "update") else state


def without_gradient(batch: RaggedBatch) -> RaggedBatch:
    """The same batch, cut from its graph."""
    extra = {name: (axis, value.detach()) for name, (axis, value) in batch.extra.items()}
    return batch.with_(logps=batch.logps.detach(), extra=extra)


def every(plan: Plan) -> int:
    """A tenth of the run."""
    return max(1, plan.n_steps // 10)


def due(step: int, interval: int, plan: Plan) -> bool:
    """Whether something that happens every so many steps, and at the end, happens now."""
    return step % interval == 0 or step == plan.n_steps


def headline(row: Row) -> str:
    """Loss, margin and speed, for the progress bar."""
    parts = [f"loss {row['loss']:.4f}"] if "loss" in row else []
    if "rewards/margins" in row:
        parts.append(f"margin {row['rewards/margins']:+.3f}")
    if "run" in row:
        parts.append(f"{row['run']['tokens_per_s']:,.0f} tokens/s")
    return "  ".join(parts)


@contextmanager
def graceful() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM ask instead of interrupting, so that a step is never half done; a second one interrupts."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield asked  # signals reach the main thread only
        return
    before = {kind: signal.signal(kind, ask) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
