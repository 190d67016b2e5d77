"""Does mending pay? A reward head trained on right labels, on labels of which a share is flipped, and after the fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zermelo.doctor.case import Case
from zermelo.doctor.fixes import apply
from zermelo.doctor.planted import plant
from zermelo.feedback import Feedback, Group, Judgement, Response, preferences
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import mean_interval

__all__ = ["Payoff", "halves", "payoff", "style_groups"]


@dataclass(frozen=True)
class Payoff:
    """Accuracy on held-out pairs with right labels, for each seed. [S]

    Args:
        clean: Trained on right labels.
        flipped: Trained on labels of which a share is flipped.
        mended: The same after `doctor fix`.
    """

    clean: tuple[float, ...]
    flipped: tuple[float, ...]
    mended: tuple[float, ...]

    @property
    def lost(self) -> Estimate:
        """Accuracy lost to the flips, paired over seeds."""
        return mean_interval(np.subtract(self.clean, self.flipped))

    @property
    def gained(self) -> Estimate:
        """Accuracy regained by the fix, paired over seeds."""
        return mean_interval(np.subtract(self.mended, self.flipped))

    @property
    def regained(self) -> float:
        """Share of what was lost that is regained; NaN where nothing was lost."""
        lost = float(np.subtract(self.clean, self.flipped).mean())
        return float(np.subtract(self.mended, self.flipped).mean()) / lost if lost > 0 else float("nan")

    @property
    def half_or_more(self) -> Estimate:
        """Mean over seeds of gained − lost / 2: above 0 where at least half is regained."""
        return mean_interval(np.subtract(self.mended, self.flipped) - np.subtract(self.clean, self.flipped) / 2)

    def to_json(self) -> dict[str, object]:
        """Plain numbers."""
        return {
            "clean": list(self.clean),
            "flipped": list(self.flipped),
            "mended": list(self.mended),
            "lost": self.lost.to_json(),
            "gained": self.gained.to_json(),
            "regained": self.regained,
            "gained_less_half_of_lost": self.half_or_more.to_json(),
        }


def payoff(
    draw: Callable[[int], tuple[Sequence[Group], Sequence[Group]]],
    *,
    fix: str = "relabel-suspects:soft",
    rate: float = 0.2,
    seeds: Sequence[int] = tuple(range(10)),
    encoder: str = "tfidf",
    features: tuple[str, ...] = ("response", "product", "length"),
    l2: float | None = None,
    cache: str | None = None,
    advance: Callable[[int], None] | None = None,
) -> Payoff:
    """Train a reward head three times for each seed and measure it on pairs that it has not seen.

    Args:
        draw: Seed → groups to train on and to test on, with right labels.
        fix: What mends the flipped data.
        rate: Share of the training pairs that is flipped.
        seeds: One experiment each.
        encoder: Features of the head and of the doctor's probe.
        features: Blocks of the head.
        l2: Its ridge; None = by cross-validation on the labels it is given.
        cache: Folder for the head's embeddings.
        advance: Told after each seed.
    """
    from zermelo.scorers.embedding_reward import EmbeddingReward

    head = EmbeddingReward(encoder=encoder, features=features, l2=l2)  # type: ignore[arg-type]
    found: dict[str, list[float]] = {"clean": [], "flipped": [], "mended": []}
    for seed in seeds:
        train, test = draw(seed)
        damaged = plant("flipped", train, rate=rate, seed=seed).feedback
        case = Case(damaged, seed=seed, encoder=encoder, n_pairs=10**9)
        mended, _ = apply(damaged, None, [fix], seed=seed, case=case)
        for name, groups in (("clean", list(train)), ("flipped", list(damaged)), ("mended", list(mended))):
            model = replace(head, seed=seed).fit(groups, cache=cache)
            found[name].append(_accuracy(model.rewards(test), test))
        if advance is not None:
            advance(1)
    return Payoff(*(tuple(found[name]) for name in ("clean", "flipped", "mended")))


def style_groups(seed: int, *, n_train: int = 600, n_test: int = 600) -> tuple[list[Group], list[Group]]:
    """Pairs of notes of the style world by writers of all styles; the one with the higher exact reward is preferred."""
    import random

    from zermelo.worlds.arithmetic import prompt_text
    from zermelo.worlds.notes import brief, write_note
    from zermelo.worlds.style import STYLES, Notes

    world = Notes()

    def made(n: int, split: str) -> list[Group]:
        groups: list[Group] = []
        for group in world.prompts(2 * n, seed=seed, split=split):  # type: ignore[arg-type]
            rng = random.Random(f"payoff:{group.id}")
            task = brief(prompt_text(group))
            texts = [write_note(task, style, rng) for style in rng.sample(STYLES, 2)]
            rewards = [world.reward(group, text) for text in texts]
            if abs(rewards[0] - rewards[1]) < 0.05 or len(groups) == n:
                continue
            said = Judgement("comparison", (0, 1), by="world", value=float(rewards[0] > rewards[1]))
            groups.append(replace(group, responses=tuple(Response(text) for text in texts), judgements=(said,)))
        return groups

    return made(n_train, "train"), made(n_test, "test")


def halves(groups: Sequence[Group]) -> Callable[[int], tuple[list[Group], list[Group]]]:
    """Seed → two thirds of the groups to train on, one third to test on; near-duplicate prompts on one side."""
    whole = Feedback.of(groups)

    def draw(seed: int) -> tuple[list[Group], list[Group]]:
        parts = whole.split({"train": 2 / 3, "test": 1 / 3}, seed=seed)
        return list(parts["train"]), list(parts["test"])

    return draw


def _accuracy(rewards: Sequence[np.ndarray], groups: Sequence[Group]) -> float:
    right = []
    for value, group in zip(rewards, groups, strict=True):
        for pair in preferences(group):
            if not pair.tie:
                gap = value[pair.win] - value[pair.lose]
                if gap == gap:
                    right.append(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0)
    return float(np.mean(right))
