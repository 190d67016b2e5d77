"""A reasoning path built step by step from a long and a short trial, and two preference sets from it (ReCUT)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from zermelo.errors import SettingError

__all__ = ["Solution", "Trials", "accuracy_pair", "boxed", "length_pair", "stepwise_trials", "trial_reward"]

Mode = Literal["long", "short"]
Sample = Callable[[str, Mode], str]  # (accepted steps so far, mode) → completion from there
STEP = re.compile(r"\[STEP\s*(\d+)\]")


@dataclass(frozen=True)
class Solution:
    """A finished solution.

    Args:
        text: All of it.
        right: Whether its answer is right.
    """

    text: str
    right: bool


@dataclass(frozen=True)
class Trials:
    """What the trials of one problem gave.

    Args:
        path: The stepwise path.
        solutions: Every finished completion with what came before it, in order.
        modes: Which trial won each step.
    """

    path: Solution
    solutions: tuple[Solution, ...]
    modes: tuple[Mode, ...]

    @property
    def best(self) -> Solution:
        """The shortest right solution, path included; the path, marked wrong, where none is right."""
        right = [item for item in (self.path, *self.solutions) if item.right]
        return min(right, key=lambda item: len(item.text)) if right else Solution(self.path.text, False)


def boxed(text: str) -> str | None:
    """Content of the last \\boxed{…}, braces matched; None without one."""
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len(r"\boxed{")
    for place in range(begin - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[begin:place]
    return None


def trial_reward(text: str, right: bool, *, alpha: float = 1.0, beta: float = 1.0) -> float:
    """(α·[right] − β·[wrong]) / length of the new completion, in characters; −∞ for an empty one.

    Of two right ones the shorter wins, of two wrong ones the longer.
    """
    if not text:
        return float("-inf")
    return (alpha if right else -beta) / len(text)


def stepwise_trials(
    sample: Sample,
    right: Callable[[str], bool],
    *,
    finished: Callable[[str], bool] = lambda text: boxed(text) is not None,
    max_steps: int = 8,
    alpha: float = 1.0,
    beta: float = 1.0,
) -> Trials:
    """Grow one path: at each step sample a long and a short completion and keep the first step of the better one.

    Args:
        sample: Completes the accepted steps in a mode: `long` asks for deep, `short` for concise steps, both in the
            form `[STEP n] …`, ending in a boxed answer.
        right: Whether a solution's answer is right; the reward reads it, so it is for training data only.
        finished: Whether a text holds a final answer.
        max_steps: Steps at most.
        alpha: Reward of a right completion.
        beta: Price of a wrong one.
    Raises:
        SettingError: max_steps is below 1.
    Source: "ReCUT: Balancing Reasoning Length and Accuracy in LLMs via Stepwise Trails and Preference Optimization",
        2025, arXiv 2506.10822.
    """
    if max_steps < 1:
        raise SettingError("bad-setting", f"max_steps must be at least 1. Got {max_steps!r}")
    accepted = ""
    solutions: list[Solution] = []
    modes: list[Mode] = []
    for number in range(1, max_steps + 1):
        tried: list[tuple[float, Mode, str]] = []
        for mode in ("short", "long"):
            new = sample(accepted, mode)
            whole = accepted + new
            done = finished(new)
            good = done and right(whole)
            if done:
                solutions.append(Solution(whole, good))
            tried.append((trial_reward(new, good, alpha=alpha, beta=beta), mode, new))
        _, mode, new = max(tried, key=lambda item: item[0])  # on ties the short one, which comes first
        modes.append(mode)
        step = _step(new, number)
        accepted += step
        if finished(step):
            break
    return Trials(Solution(accepted, finished(accepted) and right(accepted)), tuple(solutions), tuple(modes))


def length_pair(trials: Trials, rng: random.Random) -> tuple[str, str] | None:
    """(shortest right solution, another right one at random); None with fewer than two of different text."""
    right = sorted({item.text for item in (trials.path, *trials.solutions) if item.right}, key=lambda t: (len(t), t))
    return (right[0], rng.choice(right[1:])) if len(right) > 1 else None


def accuracy_pair(
    trials: Trials, rng: random.Random, *, rejected: Literal["longest", "random"] = "longest"
) -> tuple[str, str] | None:
    """(best right solution, a wrong one); None without one of each. The published code seems to take the longest."""
    wrong = sorted({item.text for item in trials.solutions if not item.right}, key=lambda t: (-len(t), t))
    if not wrong or not trials.best.right:
        return None
    return trials.best.text, wrong[0] if rejected == "longest" else rng.choice(wrong)


def _step(text: str, number: int) -> str:
    """The step `number` of a completion: up to the marker of a later step."""
    for match in STEP.finditer(text):
        if int(match.group(1)) > number:
            return text[: match.start()]
    return text
