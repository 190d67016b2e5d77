"""The arithmetic world: expressions and short word problems, worked step by step, with exact truth for every step.

chains.py         problems, their solutions, the verifier
word_problems.py  problems told as stories
writers.py        the corpus, by careful and careless writers
slips.py          the error catalogue
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from zermelo.errors import DataError, SettingError
from zermelo.feedback.records import Group, Judgement
from zermelo.worlds.chains import Check, Kind, Problem, check, problem, solve, stream
from zermelo.worlds.protocol import Edited, ErrorKind, Split
from zermelo.worlds.slips import ERRORS, inject_slip
from zermelo.worlds.writers import corpus

__all__ = ["Arithmetic"]


@dataclass(frozen=True)
class Arithmetic:
    """Left-to-right arithmetic with worked steps (the `World` protocol).

    Args:
        kinds: Kinds of problems, drawn in turn: `expression`, `story`. The tiny policy knows expressions.
    """

    name: ClassVar[str] = "arithmetic"
    errors: ClassVar[tuple[ErrorKind, ...]] = ERRORS
    kinds: Sequence[Kind] = ("expression",)

    def __post_init__(self) -> None:
        if not self.kinds or set(self.kinds) - {"expression", "story"}:
            raise SettingError("bad-setting", f"Arithmetic.kinds must be of 'expression', 'story'. Got {self.kinds!r}")

    def prompts(self, n: int, *, seed: int, split: Split = "train", difficulty: int | None = None) -> tuple[Group, ...]:
        """`n` groups without responses: a prompt each, its answer in `meta`; the first n of more are the same.

        Args:
            n: Groups to draw.
            seed: Another seed, other prompts.
            split: `train`, or `test` for held-out prompts (disjoint by a hash of the text).
            difficulty: Steps to work, 1 to 6; None draws 2 or 3.
        """
        if n < 0:
            raise SettingError("bad-setting", f"n must be at least 0. Got {n!r}")
        if split not in ("train", "test"):
            raise SettingError("bad-setting", f"split must be 'train' or 'test'. Got {split!r}")
        streams = [stream(seed=seed, split=split, difficulty=difficulty, kind=kind) for kind in self.kinds]
        groups = []
        for index in range(n):
            place = index % len(self.kinds)
            prompt = next(streams[place])
            answer = str(problem(prompt).answer)
            meta = {"world": self.name, "kind": self.kinds[place], "answer": answer, "split": split}
            groups.append(Group(id=f"arithmetic-{split}-{seed}-{index}", prompt=prompt, meta=meta))
        return tuple(groups)

    def problem(self, group: Group) -> Problem:
        """The problem that a group's prompt poses.

        Raises:
            DataError: it poses none of this world.
        """
        return problem(prompt_text(group))

    def reference(self, group: Group) -> str:
        """The worked solution."""
        return solve(self.problem(group))

    def check(self, group: Group, text: str) -> Check:
        """Everything the verifier finds in one solution: equations, verdicts, answer."""
        return check(self.problem(group), text)

    def reward(self, group: Group, text: str) -> float:
        """1.0 where the final answer is right, else 0.0."""
        return float(self.check(group, text).right)

    def step_labels(self, group: Group, text: str) -> tuple[float, ...]:
        """1.0 for each equation on the way to the right answer, else 0.0 [steps]."""
        return self.check(group, text).labels

    def verify(self, group: Group) -> tuple[Judgement, ...]:
        """A label (1 right, 0 wrong) for each response, and its step labels where it shows steps."""
        judgements = []
        for index, response in enumerate(group.responses):
            found = self.check(group, response.content)
            judgements.append(Judgement("label", (index,), by=self.name, value=float(found.right)))
            if found.steps:
                judgements.append(Judgement("steps", (index,), by=self.name, values=found.labels))
        return tuple(judgements)

    def inject(self, group: Group, text: str, rng: random.Random, *, kind: str, follows: bool) -> Edited | None:
        """One slip of the catalogue put into a right solution; see `slips.inject_slip`."""
        return inject_slip(text, self.problem(group), rng, kind=kind, follows=follows)

    def corpus(self, n: int, seed: int) -> list[tuple[str, str, str]]:
        """`n` rows (prompt, solution, writer) by careful and careless writers; see `writers.corpus`."""
        return corpus(n, seed=seed)


def prompt_text(group: Group) -> str:
    """The prompt as one string; of a conversation, its last message.

    Raises:
        DataError: the group has no prompt.
    """
    if not group.prompt:
        raise DataError("missing-field", f"group {group.id}: prompt: missing; a world judges answers to its prompts")
    return group.prompt if isinstance(group.prompt, str) else group.prompt[-1].content
