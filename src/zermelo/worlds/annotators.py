"""People who compare responses of a world: their taste, their noise and their biases, all known.

Each gives P(i ≻ j) = σ(s_i − s_j + bias) with s the utility of a response in logits, and draws its vote from that; the
stream of a vote is derived from the annotator, the group and the pair, so order and company change nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from zermelo.errors import SettingError, positive
from zermelo.feedback.records import Group, Judgement

__all__ = ["Annotator", "judge", "tribes"]

Utility = Callable[[Group, str], float]


@dataclass(frozen=True)
class Annotator:
    """Someone who compares two responses (the `Comparer` protocol).

    Args:
        name: Shown as `by`.
        utility: (group, text) → how good, in [0, 1]; a world's `reward`.
        sharpness: Logits per unit of utility: 0.1 is a coin, 40 hardly errs.
        length_bias: Logits per 10 words that a response is longer.
        position_bias: Logits for the response shown first.
        flip: Chance that a vote is entered the wrong way round, whatever it was.
        indifferent: |P − ½| below which a tie is declared, in [0, ½).
        seed: Another seed, other votes.
    """

    name: str
    utility: Utility
    sharpness: float = 10.0
    length_bias: float = 0.0
    position_bias: float = 0.0
    flip: float = 0.0
    indifferent: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive(self, "sharpness")
        if not (0 <= self.flip <= 1 and 0 <= self.indifferent < 0.5):
            raise SettingError("bad-setting", "Annotator.flip must be in [0, 1] and indifferent in [0, 0.5)")

    def prefers(self, group: Group, first: int, second: int, *, shown_first: int | None = None) -> float:
        """P(first ≻ second), before flips, as this annotator sees it.

        Args:
            group: Where the responses are.
            first: Index of the one.
            second: Index of the other.
            shown_first: Which of them stood first; None: in no order.
        """
        texts = [group.responses[index].content for index in (first, second)]
        gap = self.sharpness * (self.utility(group, texts[0]) - self.utility(group, texts[1]))
        gap += self.length_bias * (len(texts[0].split()) - len(texts[1].split())) / 10
        if shown_first is not None:
            gap += self.position_bias * (1 if shown_first == first else -1)
        return 1 / (1 + math.exp(-max(-700.0, min(gap, 700.0))))

    def compare(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """A vote on every pair of responses of every group, shown in random order."""
        return [
            tuple(self.vote(group, first, second) for first, second in combinations(range(len(group.responses)), 2))
            for group in groups
        ]

    def vote(self, group: Group, first: int, second: int) -> Judgement:
        """One vote: `value` 1, 0 or 0.5 (tie) for the first of `on`; `shown` is the order on the screen."""
        rng = random.Random(f"{self.seed}:{self.name}:{group.id}:{first}:{second}")
        shown = (first, second) if rng.random() < 0.5 else (second, first)
        chance = self.prefers(group, first, second, shown_first=shown[0])
        draw, flipped = rng.random(), rng.random() < self.flip
        vote = Judgement("comparison", (first, second), by=self.name, shown=shown)
        if abs(chance - 0.5) < self.indifferent:
            return replace(vote, value=0.5, outcome="tie")
        won = (draw < chance) != flipped
        return replace(vote, value=float(won), outcome="first" if won else "second")


def tribes(tastes: Sequence[Utility], sizes: Sequence[int], **settings: float) -> tuple[Annotator, ...]:
    """A crowd of tribes: `sizes[k]` annotators share taste k, and are named `tribe k, person i`.

    Args:
        tastes: One utility per tribe.
        sizes: Annotators of each tribe.
        settings: Other settings of `Annotator`, the same for all.
    """
    if len(tastes) != len(sizes):
        raise SettingError("bad-setting", f"tribes: {len(tastes)} tastes and {len(sizes)} sizes; expected as many")
    return tuple(
        Annotator(f"tribe {tribe}, person {person}", taste, **settings)  # type: ignore[arg-type]
        for tribe, (taste, size) in enumerate(zip(tastes, sizes, strict=True))
        for person in range(size)
    )


def judge(
    groups: Sequence[Group], annotators: Sequence[Annotator], *, per_group: int | None = None
) -> tuple[Group, ...]:
    """Groups with votes on all pairs appended: by every annotator, or by `per_group` of them, drawn by the group's id.

    Args:
        groups: Groups with responses.
        annotators: The crowd.
        per_group: Annotators who see a group; None: all.
    """
    judged = []
    for group in groups:
        crowd = list(annotators)
        if per_group is not None:
            crowd = random.Random(f"crowd:{group.id}").sample(crowd, min(per_group, len(crowd)))
        judged.append(group.with_judgements(vote for person in crowd for vote in person.compare([group])[0]))
    return tuple(judged)
