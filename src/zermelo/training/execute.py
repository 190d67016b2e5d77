"""A run from its folder to its result: claim, prepare, check, go on or start, train, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from zermelo.progress import Bar, silent
from zermelo.training.alarms import alarms_of
from zermelo.training.artifacts import load_weights, owner_of, publish, write_model
from zermelo.training.callbacks import Callback
from zermelo.training.checkpoint import Position, Saver, newest
from zermelo.training.checks import self_checks
from zermelo.training.examples import Example, Examples
from zermelo.training.folder import Row, RunFolder, write_json
from zermelo.training.identity import resolved
from zermelo.training.loop import Run, fit
from zermelo.training.optimiser import learning_rates
from zermelo.training.plan import PlannedStep, make_plan
from zermelo.training.result import TrainResult
from zermelo.training.settings import OfflineSettings
from zermelo.training.supply import Supplier
from zermelo.training.trainee import Trainee

__all__ = ["Job", "execute"]


@dataclass(frozen=True)
class Job:
    """Everything a run is made of.

    Args:
        kind: `align` or `reward`.
        name: Of the policy it starts from.
        objective: What is minimised.
        examples: To train on.
        validation: Held out.
        supplier: Makes batches.
        trainee: Model and optimiser.
        settings: How.
        tokenizer: Saved beside the model.
        result: What the user gets for the trained model.
        end_ids: Ids that end a response.
        dtype: Type of the weights that are written in the end.
        start_is_reference: Whether the reference is the policy before the first step.
        weights: Fingerprint of the policy before the first step; also its name in sampled responses.
        remember: Called before the first step, while the policy still is what it was.
        fresh: Step → examples sampled from the policy as it is now.
        finish: Called after the last step, before the model is written.
        card: Written into the model's folder, made from the last figures.
        card_name: Its file.
        callbacks: Look on.
        trackers: Accelerate's.
        push_to_hub: Hub repository.
        more: Further entries of the configuration.
    """

    kind: str
    name: str
    objective: Any
    examples: Examples
    validation: Sequence[Example]
    supplier: Supplier
    trainee: Trainee
    settings: OfflineSettings
    tokenizer: Any
    result: Any
    end_ids: Sequence[int]
    dtype: torch.dtype
    weights: str
    start_is_reference: bool = True
    remember: Callable[[], None] = lambda: None
    fresh: Callable[[PlannedStep], tuple[Example, ...]] = lambda step: ()
    finish: Callable[[], None] = lambda: None
    card: Callable[[Mapping[str, float]], Mapping[str, Any] | None] = lambda final: None
    card_name: str = "zermelo.json"
    callbacks: Sequence[Callback] = ()
    trackers: Sequence[str] = ()
    push_to_hub: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def execute(
    job: Job, folder: RunFolder | None, *, fresh: bool, bar: Bar = silent, say: Callable[[str], None]
) -> TrainResult[Any]:
    """Do a job in a folder, or without one; goes on where an interrupted run stopped."""
    main = job.trainee.main
    say = say if main else (lambda line: None)
    with folder.locked() if folder is not None and main else nullcontext():
        started = time.perf_counter()
        if folder is not None and main:
            folder.claim(configuration(job), fresh=fresh)
        job.trainee.wait()
        found = None if folder is None else folder.finished()
        if folder is not None and found is not None:
            return ended(job, folder, found)
        run = make_run(job, folder, bar)
        job.remember()
        lines: tuple[str, ...] = ()
        if job.settings.checks:
            checks = self_checks(run, end_ids=job.end_ids, start=job.start_is_reference, version=job.weights)
            lines = tuple(check.line() for check in checks)
            for line in lines:
                say(line)
        resume(run, say)
        if job.trackers:
            job.trainee.accelerator.init_trackers("zermelo", config={"policy": job.name, "kind": job.kind})
        try:
            fit(run)
        finally:
            if job.trackers:
                job.trainee.accelerator.end_training()
        best = restore_best(run)
        job.finish()
        job.trainee.model.eval()
        final = last(run.history)
        alarms = alarms_of(run.history, job.examples.counts)
        for alarm in alarms:
            say(alarm.line())
        result = TrainResult(
            policy=job.result,
            steps=run.position.step,
            history=tuple(run.history),
            counts=job.examples.counts,
            alarms=alarms,
            checks=lines,
            stopped=run.stopped,
            best_step=best,
            out=None if folder is None else folder.path,
            seconds=time.perf_counter() - started,
            final=final,
        )
        if folder is not None:
            write_end(job, folder, result)
        return result


def configuration(job: Job) -> dict[str, Any]:
    """What the folder is claimed with."""
    return resolved(
        job.kind,
        name=job.name,
        weights=job.weights,
        objective=job.objective,
        settings=job.settings,
        examples=job.examples.items,
        validation=job.validation,
        more=dict(job.more),
    )


def make_run(job: Job, folder: RunFolder | None, bar: Bar) -> Run:
    """The run before its first step."""
    plan = make_plan(job.examples.items, job.settings)
    saver = None
    if folder is not None:
        saver = Saver(
            folder.checkpoints,
            job.settings.save_total_limit,
            save_model=lambda path: write_model(job.trainee, job.tokenizer, path),
            load_model=lambda path: load_weights(job.trainee.model, path, job.trainee.heads),
        )
    state = job.objective.init_state() if hasattr(job.objective, "init_state") else {}
    return Run(
        objective=job.objective,
        plan=plan,
        supplier=job.supplier,
        trainee=job.trainee,
        settings=job.settings,
        rates=learning_rates(job.settings, plan.n_steps),
        saver=saver,
        folder=folder,
        validation=job.validation,
        callbacks=job.callbacks,
        bar=bar if job.trainee.main else silent,
        policy=job.result,
        fresh=job.fresh,
        position=Position(state=dict(state)),
    )


def resume(run: Run, say: Callable[[str], None]) -> None:
    """Go on from the newest checkpoint, where there is one; the journal forgets what came after it."""
    if run.folder is None or run.saver is None:
        return
    run.folder.checkpoints.mkdir(exist_ok=True)
    if run.trainee.main:
        run.saver.clean()
    run.trainee.wait()
    path = newest(run.folder.checkpoints)
    if path is not None:
        run.position = run.saver.load(run.trainee, path)
        say(f"going on from step {run.position.step} of {run.plan.n_steps} ({path})")
    if run.trainee.main:
        run.history = run.folder.rewind(run.position.step)
    run.trainee.wait()


def restore_best(run: Run) -> int:
    """Put the best weights back, where they were kept; returns the step whose weights the model has."""
    best = run.position.best.step
    if not run.settings.keep_best or run.saver is None or best in (0, run.position.step):
        return run.position.step
    run.saver.load_model(run.saver.of_step(best))
    return best


def ended(job: Job, folder: RunFolder, summary: Row) -> TrainResult[Any]:
    """The result of a run that ended before."""
    job.finish()
    load_weights(job.trainee.model, folder.model, job.trainee.heads)
    job.trainee.model.eval()
    history = tuple(folder.rows())
    return TrainResult(
        policy=job.result,
        steps=summary["steps"],
        history=history,
        counts=summary["counts"],
        alarms=alarms_of(history, summary["counts"]),
        checks=tuple(summary["checks"]),
        stopped=summary["stopped"] or "",
        best_step=summary["best_step"],
        out=folder.path,
        seconds=summary["run"]["seconds"],
        final=summary["final"],
    )


def write_end(job: Job, folder: RunFolder, result: TrainResult[Any]) -> None:
    """The model as a plain folder, then the summary: a summary says that the run has ended."""
    card = job.card(result.final)
    trainee = job.trainee
    weights = trainee.state_dict()
    if trainee.main:
        publish(
            lambda path: write_model(
                trainee, job.tokenizer, path, dtype=job.dtype, card=card, card_name=job.card_name, weights=weights
            ),
            folder.model,
        )
        if job.push_to_hub is not None:
            owner_of(trainee.model).push_to_hub(job.push_to_hub)
            job.tokenizer.push_to_hub(job.push_to_hub)
        write_json(folder.summary, result.to_json())
    trainee.wait()


def last(history: Sequence[Row]) -> dict[str, float]:
    """Every figure as it was last logged, in the last tenth of the run averaged."""
    known: dict[str, list[float]] = {}
    for row in history:
        for name, value in row.items():
            if isinstance(value, float) and name not in ("epoch",):
                known.setdefault(name, []).append(value)
    out = {}
    for name, values in known.items():
        n = 1 if name.startswith("eval/") or name == "lr" else max(1, min(10, len(values) // 10))
        out[name] = sum(values[-n:]) / n
    return out
