"""The corpus of the arithmetic world: worked solutions by careful and careless writers, as real corpora are.

A careless writer has one habit, say dropping minus signs, and gives in to it now and then; what follows the slip is
worked correctly from it, down to the answer. A policy trained on this corpus has more ability than it shows: most of
its errors are habits that it copied, and a preference for right answers can take them out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from zermelo.errors import unit_interval
from zermelo.worlds.chains import Problem, apply, problem, stream

__all__ = ["CORPUS", "Writer", "corpus", "dropped_sign", "lost_carry", "write"]


def dropped_sign(left: int, operator: str, right: int) -> int | None:
    """The result without its minus sign; None where it has none."""
    value = int(apply(left, operator, right))
    return -value if value < 0 else None


def lost_carry(left: int, operator: str, right: int) -> int | None:
    """The result when carries (or borrows) from the units are forgotten; None where there are none.

    Column arithmetic on the absolute values: 47 + 38 = 75, 52 − 17 = 45.
    """
    if operator not in "+-":
        return None
    adding = (left >= 0) == (operator == "+")
    big, small = max(abs(left), abs(right)), min(abs(left), abs(right))
    if adding and big % 10 + small % 10 >= 10:
        size = big + small - 10
    elif not adding and big % 10 < small % 10:
        size = big - small + 10
    else:
        return None
    return size if apply(left, operator, right) >= 0 else -size


@dataclass(frozen=True)
class Writer:
    """Someone who works problems and has at most one bad habit.

    Args:
        name: Shown as the response's source.
        habit: (left, operator, right) → the wrong result of the habit, None where it cannot happen here.
        rate: Chance of giving in to the habit, at each step where it can happen.
    """

    name: str
    habit: Callable[[int, str, int], int | None] | None = None
    rate: float = 0.0

    def __post_init__(self) -> None:
        unit_interval(self, "rate")


# writer → weight in the corpus
CORPUS: tuple[tuple[Writer, float], ...] = (
    (Writer("careful"), 0.2),
    (Writer("drops signs", dropped_sign, 0.9), 0.4),
    (Writer("loses carries", lost_carry, 0.9), 0.4),
)


def write(task: Problem, writer: Writer, rng: random.Random) -> str:
    """A solution by this writer; later steps and the answer follow from any slip."""
    lines, left = [], task.start
    for operator, operand in task.terms:
        slip = writer.habit(left, operator, operand) if writer.habit and rng.random() < writer.rate else None
        value = int(apply(left, operator, operand)) if slip is None else slip
        lines.append(f"{left}{operator}{operand}={value}")
        left = value
    return "\n".join([*lines, f"A: {left}"])


def corpus(
    n: int, *, seed: int, writers: Sequence[tuple[Writer, float]] = CORPUS, difficulty: int | None = None
) -> list[tuple[str, str, str]]:
    """`n` rows (prompt, solution, writer's name) on prompts of the train split.

    Args:
        n: Rows.
        seed: Source of prompts, writers and slips.
        writers: Writers and their weights.
        difficulty: As in `arithmetic.prompts`.
    """
    people, weights = zip(*writers, strict=True)
    rows = []
    for index, prompt in enumerate(islice(stream(seed=seed, split="train", difficulty=difficulty), n)):
        rng = random.Random(f"writers:{seed}:{index}")
        writer = rng.choices(people, weights)[0]
        rows.append((prompt, write(problem(prompt), writer, rng), writer.name))
    return rows
