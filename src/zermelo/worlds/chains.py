"""Chains of operations, worked step by step from left to right, with a checkable answer.

    47-82+36=?                                     an expression (+ and −), or a short word problem
    47-82=-35⏎-35+36=1⏎A: 1                        its worked solution: one equation per step, then the answer

Everything is a function of the prompt's own text: `problem` reads it, `solve` works it, `check` judges any solution.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zermelo.errors import DataError, SettingError
from zermelo.worlds.word_problems import read_story, tell

__all__ = [
    "Check",
    "Kind",
    "Problem",
    "Step",
    "Verdict",
    "apply",
    "check",
    "draw",
    "equations",
    "final_answer",
    "problem",
    "solve",
    "split_of",
    "stream",
]

Split: TypeAlias = Literal["train", "test"]
Kind: TypeAlias = Literal["expression", "story"]
Verdict: TypeAlias = Literal["right", "slip", "follows"]

LARGEST = 20  # operands of expressions are 2 to this; a few minutes of training then teach most of it
TEST_SHARE = 8  # one prompt of eight, by its hash, is held out: no corpus ever holds it

_TERM = re.compile(r"([+\-*])(\d+)")
_EXPRESSION = re.compile(r"(-?\d+)((?:[+\-*]\d+)+)=\?$")
_EQUATION = re.compile(r"(?<![\d.])(-?\d+)\s*([+\-*/×·÷−])\s*(-?\d+)\s*=\s*(-?\d+)(?!\d|\.\d)")
_ANSWER = re.compile(r"\b(?:A\s*:|answer\s*(?:is|:|=)?)\s*(-?\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+")
_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-"}


@dataclass(frozen=True)
class Problem:
    """A chain: begin with `start`, apply each (operator, operand) in turn, from left to right."""

    start: int
    terms: tuple[tuple[str, int], ...]

    @property
    def values(self) -> tuple[int, ...]:
        """The running value after each step; the last is the answer."""
        values, value = [], self.start
        for operator, operand in self.terms:
            value = int(apply(value, operator, operand))
            values.append(value)
        return tuple(values)

    @property
    def answer(self) -> int:
        return self.values[-1]


@dataclass(frozen=True)
class Step:
    """One written equation `left operator right = result`, and where it stands: `text[start:end]`."""

    left: int
    operator: str
    right: int
    result: int
    start: int
    end: int

    @property
    def true(self) -> bool:
        """True where the equation holds."""
        return apply(self.left, self.operator, self.right) == self.result

    def __str__(self) -> str:
        return f"{self.left}{self.operator}{self.right}={self.result}"


@dataclass(frozen=True)
class Check:
    """What the verifier found in one solution.

    Args:
        steps: The equations found, in order.
        verdicts: One per step: `right` (asked for, true, and on the way to the answer), `slip` (false, or not what
            the problem asks at this point), `follows` (a sound step from an earlier slip).
        answer: The final answer as written, None where there is none.
        right: The final answer is the problem's.
        complete: Every step of the problem was worked, and nothing else.
    """

    steps: tuple[Step, ...]
    verdicts: tuple[Verdict, ...]
    answer: int | None
    right: bool
    complete: bool

    @property
    def first_slip(self) -> int | None:
        """Index of the first step that is not right, None where all are."""
        return next((index for index, verdict in enumerate(self.verdicts) if verdict != "right"), None)

    @property
    def labels(self) -> tuple[float, ...]:
        """1.0 for each step that stays on the way to the right answer, else 0.0 [steps]."""
        return tuple(float(verdict == "right") for verdict in self.verdicts)


def apply(left: int, operator: str, right: int) -> int | float:
    """`left operator right`; NaN for a division by zero, and a float where a division leaves a rest."""
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        return float("nan")
    return left // right if left % right == 0 else left / right


def problem(prompt: str) -> Problem:
    """Read a prompt of this world.

    Raises:
        DataError: it is neither an expression (`47-82+36=?`) nor one of the word problems.
    """
    found = _EXPRESSION.match(prompt.strip())
    if found:
        terms = tuple((operator, int(operand)) for operator, operand in _TERM.findall(found[2]))
        if all(operator != "*" for operator, _ in terms[1:]):  # left to right is then the usual reading
            return Problem(int(found[1]), terms)
    story = read_story(prompt.strip())
    if story is None:
        raise DataError("unknown-problem", f"{prompt[:60]!r}: no arithmetic problem; expected such as '47-82+36=?'")
    return Problem(*story)


def solve(task: Problem) -> str:
    """The worked solution: one equation a line, then `A: …`."""
    lines, left = [], task.start
    for (operator, operand), value in zip(task.terms, task.values, strict=True):
        lines.append(f"{left}{operator}{operand}={value}")
        left = value
    return "\n".join([*lines, f"A: {task.answer}"])


def final_answer(text: str) -> int | None:
    """The last `A: n` (or `Answer: n`) of a solution, else its last whole number, else None."""
    found = _ANSWER.findall(text) or _NUMBER.findall(text.replace("−", "-"))
    return int(found[-1]) if found and len(found[-1]) <= 18 else None


def equations(text: str) -> tuple[Step, ...]:
    """Every equation of the form `a op b = c` in a text, in order."""
    found = []
    for match in _EQUATION.finditer(text):
        left, operator, right, result = match.groups()
        if max(map(len, (left, right, result))) <= 18:  # longer digit strings are noise, not numbers
            sign = _SIGNS.get(operator, operator)
            found.append(Step(int(left), sign, int(right), int(result), match.start(), match.end()))
    return tuple(found)


def check(task: Problem, text: str) -> Check:
    """Judge any solution text: each step, and the final answer.

    A step is `right` where its equation is true, it applies the next term of the problem, and the value it starts from
    is the true one. After a slip, a true equation that applies the next term to the written value `follows`.
    """
    steps = equations(text)
    verdicts: list[Verdict] = []
    written = task.start
    for index, step in enumerate(steps):
        asked = index < len(task.terms) and (step.operator, step.right) == task.terms[index] and step.left == written
        if not (asked and step.true):
            verdicts.append("slip")
        else:
            verdicts.append("right" if step.result == task.values[index] else "follows")
        written = step.result
    answer = final_answer(text)
    complete = len(steps) == len(task.terms) and all(verdict == "right" for verdict in verdicts)
    return Check(steps, tuple(verdicts), answer, answer == task.answer, complete)


def draw(rng: random.Random, *, difficulty: int | None = None, kind: Kind = "expression") -> str:
    """The prompt of one random problem.

    Args:
        rng: Source of randomness.
        difficulty: Steps to work, 1 to 6; None draws 2 or 3 (expressions of 3 to 4 terms).
        kind: `expression` or `story`.
    """
    if difficulty is not None and not 1 <= difficulty <= 6:
        raise SettingError("bad-setting", f"difficulty must be 1 to 6 steps. Got {difficulty!r}")
    n_steps = rng.choice((2, 3)) if difficulty is None else difficulty
    if kind == "story":
        return tell(rng, n_steps)
    terms = "".join(f"{rng.choice('+-')}{rng.randint(2, LARGEST)}" for _ in range(n_steps))
    return f"{rng.randint(2, LARGEST)}{terms}=?"


def stream(*, seed: int, split: Split, difficulty: int | None = None, kind: Kind = "expression") -> Iterator[str]:
    """Endless distinct prompts of one split; the first n do not depend on how many are drawn."""
    seen: set[str] = set()
    index = 0
    while True:
        rng = random.Random(f"arithmetic:{kind}:{split}:{seed}:{index}")
        index += 1
        for _ in range(1000):
            prompt = draw(rng, difficulty=difficulty, kind=kind)
            if split_of(prompt) == split and prompt not in seen:
                break
        else:
            raise SettingError("bad-setting", f"only {len(seen)} distinct {kind}s of difficulty {difficulty} exist")
        seen.add(prompt)
        yield prompt


def split_of(prompt: str) -> Split:
    """`train` or `test`, by a hash of the text: a prompt is never on both sides."""
    digest = hashlib.blake2b(prompt.strip().encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest) % TEST_SHARE == 0 else "train"
