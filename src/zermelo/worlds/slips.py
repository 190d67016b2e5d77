"""The error catalogue of the arithmetic world: one subtle slip put into a right solution, verified to be wrong.

Either only the slipped step is edited, or the later steps and the answer are worked on from it, as a person would.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from zermelo.errors import SettingError, nearest
from zermelo.worlds.chains import Problem, Step, apply, check, equations
from zermelo.worlds.protocol import Edited, ErrorKind
from zermelo.worlds.writers import dropped_sign, lost_carry

__all__ = ["ERRORS", "inject_slip", "slip_step"]

ERRORS = (
    ErrorKind("wrong_digit", "one digit of a step's result is another"),
    ErrorKind("lost_carry", "a carry or borrow from the units is forgotten"),
    ErrorKind("dropped_sign", "a step's result loses its minus sign"),
    ErrorKind("swapped_operands", "a subtraction is worked the wrong way round"),
    ErrorKind("wrong_operator", "a sum is worked for a difference, a difference or product for a sum"),
    ErrorKind("skipped_step", "a step is left out"),
)

_ANSWER = re.compile(r"(\b(?:A\s*:|answer\s*(?:is|:|=)?)\s*)(-?\d+)", re.IGNORECASE)


def inject_slip(text: str, task: Problem, rng: random.Random, *, kind: str, follows: bool = True) -> Edited | None:
    """Put one slip into a complete and right solution; None where the solution is not, or nowhere has room for it.

    Args:
        text: The solution; words around its equations stay as they are.
        task: Its problem.
        rng: Chooses the step, and the digit.
        kind: Name of one of `ERRORS`.
        follows: Work the later steps and the answer on from the slip; else edit that step alone.
    Raises:
        SettingError: no such kind.
    """
    if kind not in _SLIPS:
        guess = nearest(kind, list(_SLIPS))
        hint = f"did you mean `{guess}`?" if guess else f"the catalogue has {', '.join(_SLIPS)}"
        raise SettingError("unknown-error-kind", f"no arithmetic error {kind!r}", hint=hint)
    sound = check(task, text)
    if not (sound.right and sound.complete):
        return None
    steps = equations(text)
    last = len(steps) - 1
    places = list(range(last if kind == "skipped_step" and not follows else last + 1))
    rng.shuffle(places)
    for place in places:
        slipped = _SLIPS[kind](steps[place], rng)
        if slipped is None:
            continue
        edited = _edit(text, task, steps, place, slipped, kind, follows)
        if edited is not None and _is_wrong(task, edited):
            return edited
    return None


def slip_step(equation: str, rng: random.Random, *, kind: str) -> str | None:
    """One equation with one slip in it, '' where the step is skipped; None where the kind cannot happen there."""
    found = equations(equation)
    slipped = _SLIPS[kind](found[0], rng) if len(found) == 1 else None
    return None if slipped is None else equation[: found[0].start] + slipped[0] + equation[found[0].end :]


def _is_wrong(task: Problem, edited: Edited) -> bool:
    """The slipped step is the first that is not right, and an answer that follows from it is wrong."""
    found = check(task, edited.text)
    if edited.follows and found.right:
        return False
    if found.first_slip is None:  # a last step left out shows in the answer alone
        return edited.follows and not found.right
    return found.first_slip == edited.step


def _edit(
    text: str, task: Problem, steps: tuple[Step, ...], place: int, slipped: tuple[str, int], kind: str, follows: bool
) -> Edited | None:
    written, value = slipped
    step = steps[place]
    end = step.end
    if not written:  # the whole line goes
        end = text.find("\n", step.end) + 1 or len(text)
    changes = [(step.start, end, written)]
    if follows:
        for later, (operator, operand) in zip(steps[place + 1 :], task.terms[place + 1 :], strict=True):
            result = int(apply(value, operator, operand))
            changes.append((later.start, later.end, f"{value}{operator}{operand}={result}"))
            value = result
        found = list(_ANSWER.finditer(text))
        if not found:
            return None
        changes.append((found[-1].start(2), found[-1].end(2), str(value)))
    pieces, place_in_text = [], 0
    for start, stop, new in changes:
        if start < place_in_text:
            return None
        pieces += [text[place_in_text:start], new]
        place_in_text = stop
    corrupted = "".join([*pieces, text[place_in_text:]])
    return Edited(corrupted, kind, step.start, text[step.start : end], written, place, follows)


# kind → (step, rng) → (the equation as slipped, the value that it leaves), None where it cannot happen at this step


def _wrong_digit(step: Step, rng: random.Random) -> tuple[str, int] | None:
    digits = str(abs(step.result))
    at = rng.randrange(len(digits))
    lowest = 1 if at == 0 and len(digits) > 1 else 0
    other = rng.choice([digit for digit in range(lowest, 10) if str(digit) != digits[at]])
    size = int(digits[:at] + str(other) + digits[at + 1 :])
    value = -size if step.result < 0 else size
    return f"{step.left}{step.operator}{step.right}={value}", value


def _habit(habit: Callable[[int, str, int], int | None]) -> Callable[[Step, random.Random], tuple[str, int] | None]:
    def slip(step: Step, rng: random.Random) -> tuple[str, int] | None:
        value = habit(step.left, step.operator, step.right)
        return None if value is None else (f"{step.left}{step.operator}{step.right}={value}", value)

    return slip


def _swapped_operands(step: Step, rng: random.Random) -> tuple[str, int] | None:
    if step.operator != "-" or step.left < 0 or step.left == step.right:
        return None
    value = step.right - step.left
    return f"{step.right}-{step.left}={value}", value


def _wrong_operator(step: Step, rng: random.Random) -> tuple[str, int] | None:
    operator = "-" if step.operator == "+" else "+"
    value = int(apply(step.left, operator, step.right))
    return None if value == step.result else (f"{step.left}{operator}{step.right}={value}", value)


def _skipped_step(step: Step, rng: random.Random) -> tuple[str, int] | None:
    return None if step.left == step.result else ("", step.left)


_SLIPS: dict[str, Callable[[Step, random.Random], tuple[str, int] | None]] = {
    "wrong_digit": _wrong_digit,
    "lost_carry": _habit(lost_carry),
    "dropped_sign": _habit(dropped_sign),
    "swapped_operands": _swapped_operands,
    "wrong_operator": _wrong_operator,
    "skipped_step": _skipped_step,
}
