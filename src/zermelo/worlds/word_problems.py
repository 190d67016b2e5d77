"""Short word problems: a sentence that sets the scene, one for each change, a question. Told and read back exactly."""

from __future__ import annotations

import random
import re

__all__ = ["read_story", "tell"]

_NAMES = ("Ada", "Ben", "Cleo", "Dev", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jun")
_THINGS = ("shells", "stamps", "cards", "beads", "coins", "apples", "books", "tiles")

# the sentence that sets the scene: the value to start with, or a first product
_OPENINGS = (
    ("", "{name} has {a} {things}."),
    ("", "There are {a} {things} on {name}'s table."),
    ("*", "{name} buys {a} boxes of {b} {things}."),
    ("*", "{name} fills {a} bags with {b} {things} each."),
)
# one change each: what happens to the running value
_CHANGES = (
    ("+", "Then {n} more come in the post."),
    ("+", "A friend adds {n}."),
    ("+", "{n} turn up in a drawer."),
    ("-", "Then {n} are given away."),
    ("-", "{n} are lost."),
    ("-", "A friend borrows {n}."),
)
_QUESTION = "How many {things} are there now?"


def tell(rng: random.Random, n_steps: int) -> str:
    """A story of `n_steps` operations; the running value never falls below zero, as things cannot."""
    names = {"name": rng.choice(_NAMES), "things": rng.choice(_THINGS)}
    operator, opening = rng.choice(_OPENINGS)
    a, b = (rng.randint(2, 9), rng.randint(2, 12)) if operator else (rng.randint(10, 99), 0)
    value = a * b if operator else a
    sentences = [opening.format(a=a, b=b, **names)]
    for _ in range(n_steps - bool(operator)):
        kind, change = rng.choice([item for item in _CHANGES if item[0] == "+" or value >= 2])
        number = rng.randint(2, 60) if kind == "+" else rng.randint(2, min(value, 60))
        value += number if kind == "+" else -number
        sentences.append(change.format(n=number))
    return " ".join([*sentences, _QUESTION.format(**names)])


def read_story(text: str) -> tuple[int, tuple[tuple[str, int], ...]] | None:
    """(start, ((operator, operand), …)) of a story told by `tell`; None where the text is none."""
    for operator, pattern in _OPENING_PATTERNS:
        found = pattern.match(text)
        if not found:
            continue
        terms = [("*", int(found["b"]))] if operator else []
        place = found.end()
        while place < len(text):
            for kind, change in _CHANGE_PATTERNS:
                step = change.match(text, place)
                if step:
                    terms.append((kind, int(step["n"])))
                    place = step.end()
                    break
            else:
                break
        asked = _QUESTION_PATTERN.match(text, place)
        if asked and asked.end() == len(text) and terms:
            return int(found["a"]), tuple(terms)
    return None


def _pattern(template: str) -> re.Pattern[str]:
    parts = {"{name}": r"[A-Z][a-z]+", "{things}": r"[a-z]+", "{a}": r"(?P<a>\d+)", "{b}": r"(?P<b>\d+)"}
    parts["{n}"] = r"(?P<n>\d+)"
    pieces = re.split(r"(\{\w+\})", template)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces) + r"\s*")


_OPENING_PATTERNS = tuple((operator, _pattern(template)) for operator, template in _OPENINGS)
_CHANGE_PATTERNS = tuple((kind, _pattern(template)) for kind, template in _CHANGES)
_QUESTION_PATTERN = _pattern(_QUESTION)
