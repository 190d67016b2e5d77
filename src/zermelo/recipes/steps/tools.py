"""What steps share: the policy, the sampler, the judge, groups on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zermelo.feedback.journal import Journal
from zermelo.feedback.reading import read_groups
from zermelo.feedback.records import Group, Judgement
from zermelo.feedback.writing import write_groups
from zermelo.recipes.run import Context
from zermelo.recipes.schema import Recipe
from zermelo.worlds.protocol import World, folder, world

if TYPE_CHECKING:
    from zermelo.policies.policy import Policy

__all__ = [
    "WorldJudge",
    "judge_of",
    "load_groups",
    "load_policy",
    "reward_model",
    "sample",
    "save_groups",
    "seed_of",
    "set_up",
    "start_model",
]


@dataclass(frozen=True)
class WorldJudge:
    """The world's own verifier as a scorer: labels, and step labels where answers have steps."""

    world: World

    @property
    def name(self) -> str:
        """The name that stands in `by`."""
        return self.world.name

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """What the world says of each response."""
        return [self.world.verify(group) for group in groups]


def start_model(recipe: Recipe) -> str:
    """Folder or hub name of the policy that the recipe starts from."""
    if recipe.model == "world" and recipe.data.world is not None:
        return str(folder(recipe.data.world))
    return recipe.model


def load_policy(recipe: Recipe, name: str | Path | None = None) -> Policy:
    """A policy of this run; by default the start. Sets the number of threads that the recipe asks for."""
    from zermelo.policies.load import load

    set_up(recipe)
    return load(str(name) if name is not None else start_model(recipe), dtype=recipe.dtype)


def set_up(recipe: Recipe) -> None:
    """Threads as the recipe asks; the libraries' own progress bars off, ours are shown."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    if recipe.threads:
        torch.set_num_threads(recipe.threads)


def judge_of(recipe: Recipe, context: Context | None = None) -> Any | None:
    """Who says whether an answer is right: the world, a named verifier, a reward model, or nobody (None)."""
    if context is not None and recipe.judge is not None and recipe.judge.scorer == "reward":
        return reward_model(context)
    if recipe.data.world is not None and (recipe.judge is None or recipe.judge.scorer == "world"):
        return WorldJudge(world(recipe.data.world))
    if recipe.judge is None:
        return None
    from zermelo.scorers.load import load_scorer

    return load_scorer(recipe.judge.scorer, recipe.judge.settings)


def reward_model(context: Context) -> Any | None:
    """The reward model that this run trained, as a scorer; None where the recipe has no `reward` step."""
    if "reward" not in context.done:
        return None
    from zermelo.scorers.load import load_scorer

    return load_scorer(str(context.file("reward", "run") / "model"))


def sample(
    context: Context,
    policy: Policy,
    prompts: Sequence[Group],
    *,
    n: int,
    purpose: str,
    temperature: float,
    top_p: float = 1.0,
    max_tokens: int | None = None,
    batch: int = 256,
) -> list[Group]:
    """Answers of a policy, from a journal where the step was interrupted."""
    from zermelo.policies.fingerprint import fingerprint
    from zermelo.policies.sampling.local import TransformersSampler
    from zermelo.policies.sampling.protocol import Sampling

    recipe = context.recipe
    settings = Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens or recipe.max_tokens)
    # the version lets training check its log-probabilities against the sampler's, fatally where they differ
    return TransformersSampler(policy, settings, batch=batch, version=fingerprint(policy)).sample(
        prompts,
        n=n,
        seed=seed_of(recipe.seed, purpose),
        journal=Journal(context.out / f"{purpose}.jsonl"),
        bar=lambda _description, total=None: context.bar(purpose, total),
    )


def seed_of(seed: int, purpose: str) -> int:
    """A seed of its own for each purpose, so that no two steps draw the same stream."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=4).digest(), "big")


def load_groups(path: Path) -> list[Group]:
    """The groups of a file that an earlier step wrote."""
    return list(read_groups(str(path), format="native", quiet=True))


def save_groups(groups: Iterable[Group], path: Path) -> None:
    """Write groups beside and rename."""
    write_groups(groups, path)
