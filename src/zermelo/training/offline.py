"""Align a policy on groups that are already there.

from zermelo.training import OfflineSettings, align
result = align("Qwen/Qwen2.5-0.5B-Instruct", read_groups("pairs.parquet"), DPO(beta=0.1), out="runs/dpo")
print(result.final["rewards/accuracies"], result.alarms)
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from zermelo.feedback.records import Group
from zermelo.objectives.config import from_config
from zermelo.objectives.protocol import Objective
from zermelo.policies.fingerprint import fingerprint
from zermelo.policies.groups import TokenGroup
from zermelo.policies.load import LoRA, load, with_lora
from zermelo.policies.policy import Policy
from zermelo.progress import Bar, silent
from zermelo.training.callbacks import Callback
from zermelo.training.checks import GROUPS
from zermelo.training.examples import Example, make_examples
from zermelo.training.execute import Job, execute
from zermelo.training.folder import RunFolder
from zermelo.training.heads import make_heads
from zermelo.training.online import Online, OnlineSupplier, Sampled
from zermelo.training.plan import make_plan, split_by_prompt
from zermelo.training.references import AdapterOff, Kept
from zermelo.training.result import TrainResult
from zermelo.training.settings import OfflineSettings
from zermelo.training.supply import CPU_ROW, PolicySupplier, borrowed, mismatched
from zermelo.training.trainee import Trainee, accelerator_for
from zermelo.training.useful import useful

__all__ = ["AlignResult", "align"]

AlignResult: TypeAlias = TrainResult[Policy]
log = logging.getLogger("zermelo.training")


def align(
    policy: Policy | str | os.PathLike[str],
    groups: Iterable[Group],
    objective: Any,
    *,
    settings: OfflineSettings = OfflineSettings(),
    out: str | os.PathLike[str] | None = None,
    validation: Iterable[Group] | None = None,
    references: Mapping[str, Policy | str] | None = None,
    lora: LoRA | None = None,
    online: Online | None = None,
    callbacks: Sequence[Callback] = (),
    trackers: Sequence[str] = (),
    push_to_hub: str | None = None,
    reference_cache: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    bar: Bar = silent,
    say: Callable[[str], None] = log.info,
) -> AlignResult:
    """Train a policy on groups with an objective.

    The same call in the same folder goes on where an interrupted one stopped, and returns at once where one has ended.

    Args:
        policy: A folder, a hub name, or a `Policy` (which is copied: the one passed in stays as it is).
        groups: What to learn from; suspicious groups are left out and counted.
        objective: An objective, or its plain form (`"dpo"`, `{"simpo": {"beta": 2.0}}`, a list to sum).
        settings: How to train.
        out: Folder of the run: `model/`, `metrics.jsonl`, `checkpoints/`, `summary.json`. None = nothing is written.
        validation: Held-out groups; or `settings.validation_share` of the groups.
        references: name → policy, for objectives that read other policies. `ref` is by default the policy itself as it
            is before the first step.
        lora: Train a new adapter instead of the weights.
        online: Fresh samples of the policy join every step (`training/online.py`); the reference then stays in memory.
        callbacks: Look on, see `Callback`.
        trackers: Accelerate's trackers: `tensorboard`, `wandb`, … `metrics.jsonl` is always written.
        push_to_hub: Name of a hub repository for the trained model.
        reference_cache: Folder in which the reference's log-probabilities are kept, so that other runs find them; by
            default `reference/` in `out`.
        fresh: Start over in a folder that another run was made in.
        bar: Shows progress.
        say: Told the self-checks and the alarms, one line each.
    Raises:
        DataError: nothing to train on; too long with `overlong="error"`.
        SettingError: a setting is wrong; a self-check failed; the folder holds another run; the gradient is not finite.
        MissingError: no such model; the extra `train` is not installed.
    """
    objective = objective if hasattr(objective, "needs") else from_config(objective)
    folder = None if out is None else RunFolder(out)
    accelerator = accelerator_for(settings, trackers, None if folder is None else folder.path)
    start = start_of(policy, lora, accelerator.device, settings.seed)
    dtype, weights = start.dtype, fingerprint(start)
    kept, held = split(groups, validation, settings)
    heads = make_heads(objective, start.model, kept)
    trainee = Trainee(start.model, settings, accelerator, heads)
    cache = None if folder is None else folder.path / "reference"
    cache = cache if reference_cache is None else Path(reference_cache)
    supplier = make_supplier(
        trainee.module,
        start,
        objective,
        settings,
        references or {},
        cache,
        device=trainee.device,
        new_adapter=lora is not None,
        online=online is not None,
        heads=heads,
    )
    examples = useful(make_examples(kept, start, objective.needs, settings), objective, supplier)
    if online is not None:
        examples = replace(examples, counts=online.counts(examples.counts))
    aside = useful(make_examples(held, start, objective.needs, settings), objective, supplier).items if held else ()
    job = Job(
        kind="align",
        name=start.name,
        objective=objective,
        examples=examples,
        validation=aside,
        supplier=supplier,
        trainee=trainee,
        settings=settings,
        tokenizer=start.tokenizer,
        result=start,
        end_ids=start.end_ids,
        dtype=dtype,
        weights=weights,
        start_is_reference="ref" not in (references or {}),
        fresh=Sampled(online, start, kept, objective.needs, settings, trainee) if online else lambda step: (),
        remember=lambda: _remember(supplier, examples.items, aside, trainee, settings, bar),
        callbacks=callbacks,
        trackers=trackers,
        push_to_hub=push_to_hub,
        more={
            **({} if online is None else {"online": online.described()}),
            "lora": None if lora is None else asdict(lora),
            "references": {name: str(getattr(other, "name", other)) for name, other in (references or {}).items()},
        },
    )
    return execute(job, folder, fresh=fresh, bar=bar, say=say)


def split(
    groups: Iterable[Group], validation: Iterable[Group] | None, settings: OfflineSettings
) -> tuple[list[Group], list[Group]]:
    """Groups to train on and groups held out."""
    known = list(groups)
    if validation is not None:
        return known, list(validation)
    if not settings.validation_share:
        return known, []
    kept, held = split_by_prompt([group.key for group in known], settings.validation_share, settings.seed)
    return [known[i] for i in kept], [known[i] for i in held]


def start_of(policy: Policy | str | os.PathLike[str], lora: LoRA | None, device: Any, seed: int) -> Policy:
    """The policy to train: loaded, or a copy of the one given; a new adapter's first weights follow from the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if not isinstance(policy, Policy):
            return load(policy, lora=lora, device=device)
        model = copy.deepcopy(policy.model)
        return replace(policy, model=model if lora is None else with_lora(model, lora))


def make_supplier(
    module: nn.Module,
    start: Policy,
    objective: Objective,
    settings: OfflineSettings,
    references: Mapping[str, Policy | str],
    cache: Path | None,
    *,
    device: torch.device,
    new_adapter: bool,
    online: bool = False,
    heads: nn.ModuleDict | None = None,
) -> PolicySupplier:
    """What makes batches for this objective, with every other policy that it reads.

    `online`: sequences come up that nobody knew before, so that a reference has to stay in memory.
    """
    needs = objective.needs
    known: dict[str, Kept] = {}
    for name, other in references.items():
        found = other if isinstance(other, Policy) else load(other, device=device)
        known[name] = Kept(found.model.to(device).eval(), frozen=True, folder=cache, forgetful=online)
    divergence = any(name.startswith("kl:ref") for name in needs.extra)
    if "ref" not in known and ("ref" in needs.policies or needs.mismatched or divergence):
        whole = None
        if divergence or online:  # a new adapter can be switched off; anything else needs a copy
            whole = AdapterOff(start.model) if new_adapter else copy.deepcopy(start.model).eval()
        known["ref"] = Kept(module, frozen=False, model=whole, folder=cache, forgetful=online)
    return (OnlineSupplier if online else PolicySupplier)(
        module,
        needs,
        device,
        references=known,
        heads={} if heads is None else dict(heads.items()),
        limit=start.max_length,
        checkpointing=settings.checkpointing,
        entropy=settings.entropy,
    )


def _remember(
    supplier: PolicySupplier,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    trainee: Trainee,
    settings: OfflineSettings,
    bar: Bar,
) -> None:
    """Reference log-probabilities of every sequence that the run will meet, while the policy still is the reference."""
    for name, reference in supplier.references.items():
        if not isinstance(reference, Kept):
            continue
        tokens: list[TokenGroup] = []
        if name in supplier.needs.policies:
            tokens += [group for example in (*examples, *held_out) for group in example.tokens]
        if name == "ref" and supplier.needs.mismatched:
            tokens += _borrowed(supplier, examples, held_out, settings)
        if tokens:
            reference.fill(
                tokens,
                # without a graph there is room for more; on a processor long rows only leave its caches
                budget=2 * settings.tokens if trainee.device.type != "cpu" else min(2 * settings.tokens, CPU_ROW),
                prompts=supplier.needs.prompt_logps,
                share=(trainee.rank, trainee.world),
                gather=trainee.gather,
                bar=bar if trainee.main else silent,
            )
        reference.seal()


def _borrowed(
    supplier: PolicySupplier, examples: Sequence[Example], held_out: Sequence[Example], settings: OfflineSettings
) -> list[TokenGroup]:
    """Responses under other prompts, as they will be met step by step."""
    size = settings.groups_per_step
    steps = [step.examples for step in make_plan(examples, settings).steps()]
    steps += [tuple(held_out[i : i + size]) for i in range(0, len(held_out), size)]
    smallest = sorted(steps[0], key=lambda example: example.n_tokens)[:GROUPS]  # what the self-checks look at
    return [
        group
        for step in (*steps, tuple(smallest))
        for group in borrowed(step, mismatched(step), supplier.limit)[0].groups
    ]
