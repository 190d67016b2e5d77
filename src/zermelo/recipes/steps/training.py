"""The steps that train: the reward model, and the alignments side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zermelo.feedback.records import Group
from zermelo.recipes.run import Context
from zermelo.recipes.schema import Objective, Training
from zermelo.recipes.steps.answers import best_and_worst
from zermelo.recipes.steps.tools import load_groups, load_policy, set_up, start_model
from zermelo.training.settings import OfflineSettings

if TYPE_CHECKING:
    from zermelo.policies.load import LoRA
    from zermelo.policies.policy import Policy
    from zermelo.training.result import TrainResult

__all__ = ["align", "figures_of", "groups_for", "reward", "train"]

# figures over training that the report draws
SERIES = ("loss", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected", "kl", "grad_norm")
POINTS = 120


def reward(context: Context) -> dict[str, Any]:
    """Train a Bradley–Terry reward model on the pairs; measure it on pairs of held-out prompts where it can."""
    settings = context.recipe.reward
    assert settings is not None
    groups = load_groups(context.latest("groups.parquet", "pairs", "doctor"))
    if settings.encoder is not None:
        return _head(context, settings.encoder, groups)
    from zermelo.training.reward import train_reward

    set_up(context.recipe)
    result = train_reward(
        start_model(context.recipe),
        groups,
        settings=_settings(context, settings, validation_share=0.1),
        lora=_lora(settings),
        out=context.out / "run",
        bar=lambda _description, total=None: context.bar("reward", total),
    )
    return figures_of(result)


def _head(context: Context, encoder: str, groups: Sequence[Group]) -> dict[str, Any]:
    """A head on frozen embeddings, with its cross-validated accuracy."""
    from zermelo.scorers.embedding_reward import EmbeddingReward

    maker = EmbeddingReward(encoder=encoder, seed=context.recipe.seed)
    cache = context.kept("embeddings")
    checked = maker.cross_validate(groups, cache=cache, bar=context.bar)
    maker.fit(groups, cache=cache, bar=context.bar).save(context.out / "run" / "model", report=checked)
    return {"cross_validated": checked.to_json()}


def align(context: Context) -> dict[str, Any]:
    """Train the start policy with every objective of the recipe, one after the other."""
    start = load_policy(context.recipe)
    return {
        name: figures_of(train(context, name, settings, start, groups_for(context, settings), context.out / name))
        for name, settings in context.recipe.align.items()
    }


def train(
    context: Context,
    name: str,
    settings: Objective,
    start: Policy,
    groups: Sequence[Group],
    out: Path,
    *,
    references: Mapping[str, Policy] | None = None,
) -> TrainResult[Any]:
    """One alignment of a policy on groups, in a folder of its own.

    Args:
        context: Of the step; reference log-probabilities are kept where it says.
        name: For the progress bar.
        settings: Objective and training.
        start: Trained from (it stays as it is).
        groups: What to learn from.
        out: Folder of the run.
        references: Other policies by name; `ref` of the settings is added, and `prev` is `start` where it is read.
    """
    from zermelo.objectives.config import from_config
    from zermelo.training.offline import align as run
    from zermelo.training.online import Online
    from zermelo.training.watch import Entangled

    objective = from_config(settings.objective)
    others = dict(references or {})
    if settings.reference is not None:
        others["ref"] = load_policy(context.recipe, settings.reference)
    if "prev" in objective.needs.policies:
        others.setdefault("prev", start)
    online = None
    if settings.fresh is not None:
        limit = settings.fresh.max_tokens or context.recipe.max_tokens
        online = Online(n=settings.fresh.n, prompts=settings.fresh.prompts, max_tokens=limit)
    return run(
        start,
        groups,
        objective,
        settings=_settings(context, settings),
        references=others,
        lora=_lora(settings),
        out=out,
        online=online,
        callbacks=[Entangled()] if objective.needs.pairs else (),
        reference_cache=context.kept("reference"),
        bar=lambda _description, total=None: context.bar(f"align {name}", total),
        say=context.say,
    )


def groups_for(context: Context, settings: Objective) -> list[Group]:
    """What an alignment learns from, as its `data` says."""
    if settings.data == "pairs":
        return load_groups(context.latest("groups.parquet", "pairs", "doctor"))
    groups = load_groups(judged(context))
    return right_answers(groups) if settings.data == "right" else groups


def right_answers(groups: Sequence[Group]) -> list[Group]:
    """Each group with the answers judged right alone; groups without any are left out.

    Equal answers stay as often as they were sampled: dropping them would train on another distribution than the
    policy's own, filtered by the truth.
    """
    found = []
    for group in groups:
        right, _ = best_and_worst(group)
        if right:
            found.append(group.keep_responses(right))
    return found


def model_folder(context: Context, name: str) -> Path:
    """The trained model of an alignment, or of the last of its rounds."""
    if name in context.recipe.rounds:
        return context.file("rounds", name) / f"round-{context.recipe.rounds[name].n - 1}" / "align" / name / "model"
    return context.file("align", name) / "model"


def judged(context: Context) -> Path:
    """The judged answers, without injected ones; or the user's own groups."""
    return context.file("judge", "groups.parquet") if "judge" in context.done else context.file("data", "train.parquet")


def _settings(context: Context, settings: Training, **more: Any) -> OfflineSettings:
    pairs = not isinstance(settings, Objective) or settings.data == "pairs"
    return OfflineSettings(
        lr=settings.lr,
        epochs=settings.epochs,
        groups_per_step=settings.pairs_per_step,
        pairs_per_step=settings.pairs_per_step if pairs else None,
        tokens=settings.tokens,
        schedule=settings.schedule,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        overlong=settings.overlong,
        seed=context.recipe.seed,
        save_every=25,
        **more,
    )


def _lora(settings: Training) -> LoRA | None:
    if settings.lora is None:
        return None
    from zermelo.policies.load import LoRA

    return LoRA(rank=settings.lora)


def figures_of(result: TrainResult[Any]) -> dict[str, Any]:
    """What the report and the summary show of a run of training."""
    return {
        "steps": result.steps,
        "counts": dict(result.counts),
        "final": dict(result.final),
        "alarms": [alarm.to_json() for alarm in result.alarms],
        "checks": list(result.checks),
        "series": {name: thinned(result.series(name)) for name in SERIES if result.series(name)},
    }


def thinned(series: Sequence[tuple[int, float]]) -> list[list[float]]:
    """At most `POINTS` (step, value) of a series, each the mean of its stretch: one batch is noise."""
    size = max(1, -(-len(series) // POINTS))
    parts = [series[at : at + size] for at in range(0, len(series), size)]
    return [[float(part[-1][0]), sum(value for _, value in part) / len(part)] for part in parts]


def alarms(figures: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(alignment, alarm) of all alignments."""
    return [(name, alarm) for name, run in figures.items() for alarm in run["alarms"]]
