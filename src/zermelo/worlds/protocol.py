"""What every world of language offers: prompts, exact truth, a catalogue of errors, a corpus, a tiny policy."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from zermelo.feedback.records import Group, Judgement

__all__ = ["Edited", "ErrorKind", "Split", "World", "folder"]

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Edited:
    """A text with one error put in.

    Args:
        text: The corrupted text.
        kind: Name of the error in the world's catalogue.
        start: The edit replaced `before` by `after` at this character of the original text …
        before: … the words that stood there …
        after: … and those that stand there now. What follows the edit may differ too, where later steps follow from it.
        step: Index of the first step that is wrong now, None where the text has no steps.
        follows: Later steps were worked on from the error (the final answer is then wrong); else only the edit differs.
    """

    text: str
    kind: str
    start: int
    before: str
    after: str
    step: int | None
    follows: bool


@dataclass(frozen=True)
class ErrorKind:
    """One entry of an error catalogue: its name and what it does, in a sentence."""

    name: str
    what: str


@runtime_checkable
class World(Protocol):
    """A task whose truth is known exactly."""

    name: str
    errors: tuple[ErrorKind, ...]

    def prompts(self, n: int, *, seed: int, split: Split = "train", difficulty: int | None = None) -> tuple[Group, ...]:
        """`n` groups without responses; `split` never shares a prompt with the other."""
        ...

    def reference(self, group: Group) -> str:
        """A right response."""
        ...

    def reward(self, group: Group, text: str) -> float:
        """The exact reward of a response, in [0, 1]."""
        ...

    def step_labels(self, group: Group, text: str) -> tuple[float, ...]:
        """1.0 for each right step of a response, else 0.0 [steps]."""
        ...

    def verify(self, group: Group) -> tuple[Judgement, ...]:
        """One label per response (1 right, 0 wrong), and its step labels where it has steps."""
        ...

    def inject(self, group: Group, text: str, rng: random.Random, *, kind: str, follows: bool) -> Edited | None:
        """Put one error of the catalogue into a right response; None where it does not apply there."""
        ...

    def corpus(self, n: int, seed: int) -> list[tuple[str, str, str]]:
        """`n` rows (prompt, response, writer) of train prompts to learn from."""
        ...


def folder(name: str) -> Path:
    """The model folder of a world's tiny policy: config, tokenizer and float16 weights, as Transformers loads them.

    Raises:
        SettingError: no world of that name has a policy.
    """
    from zermelo.errors import SettingError, nearest

    root = Path(__file__).parent / "data"
    if not (root / name / "model.safetensors").is_file():
        known = sorted(path.parent.name for path in root.glob("*/model.safetensors"))
        guess = nearest(name, known)
        hint = f"did you mean `{guess}`?" if guess else f"those with a policy: {', '.join(known)}"
        raise SettingError("unknown-world", f"no policy for a world {name!r}", hint=hint)
    return root / name


WORLDS = {"arithmetic": "arithmetic:Arithmetic", "style": "style:Notes"}  # name → where its class is


def world(name: str) -> World:
    """The world of that name, with its default settings.

    Raises:
        SettingError: there is none.
    """
    import importlib

    from zermelo.errors import SettingError, nearest

    if name not in WORLDS:
        guess = nearest(name, list(WORLDS))
        hint = f"did you mean `{guess}`?" if guess else f"known: {', '.join(WORLDS)}"
        raise SettingError("unknown-world", f"no world {name!r}", hint=hint)
    module, _, attribute = WORLDS[name].partition(":")
    found: World = getattr(importlib.import_module(f"zermelo.worlds.{module}"), attribute)()
    return found
