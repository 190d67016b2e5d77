"""Notes: the texts of the style world, built from parts, and measured back exactly from the text alone.

    Note to Ana: door red, desk 7, call Ben. >      the prompt: whom to tell, and the facts
    Dear Ana, the door is red, I think. Call Ben. Thank you!

An attribute is a count of phrases from a closed list that no other part contains, so the count is the truth.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from zermelo.errors import DataError

__all__ = ["Attributes", "Brief", "Style", "brief", "measure", "tell_brief", "write_note"]

_PEOPLE = ("Ana", "Ben", "Cem", "Dov", "Eli", "Fay", "Gus", "Hal")
# kind of fact → (its values, how the prompt says it, how a note says it)
_FACTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "door": (("red", "blue", "green", "white"), "door {}", "the door is {}"),
    "desk": (tuple("123456789"), "desk {}", "your desk is {}"),
    "call": (_PEOPLE, "call {}", "call {}"),
    "day": (("Monday", "Tuesday", "Friday", "Sunday"), "day {}", "the day is {}"),
    "bring": (("tea", "keys", "maps", "soup"), "bring {}", "bring the {}"),
}
POLITE = ("Dear", "please", "Thank you!", "kindly")
HEDGES = ("maybe", "I think", "perhaps")
GLAD = ("Good news!", "Lovely.")
SAD = ("Bad news.", "Alas.")


@dataclass(frozen=True)
class Brief:
    """What a note has to say: to whom, and the facts as (kind, value)."""

    name: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Style:
    """How a writer tends to write; chances in [0, 1]."""

    name: str
    polite: float = 0.5
    hedge: float = 0.3
    glad: float = 0.3
    sad: float = 0.1
    keep: float = 0.85
    wrong: float = 0.05


@dataclass(frozen=True)
class Attributes:
    """What a note is, exactly.

    Args:
        n_words: Length in words.
        politeness: Polite phrases.
        sentiment: Glad phrases less sad ones.
        hedging: Hedges.
        kept: Share of the brief's facts that the note says, in [0, 1].
        wrong: Facts of the brief's kinds that the note says with another value, and facts nobody gave.
    """

    n_words: int
    politeness: int
    sentiment: int
    hedging: int
    kept: float
    wrong: int


_BRIEF = re.compile(r"Note to (\w+): (.+)\. >$")


def tell_brief(rng: random.Random, n_facts: int) -> str:
    """A random prompt with `n_facts` facts, 1 to 5."""
    facts = [(kind, rng.choice(_FACTS[kind][0])) for kind in rng.sample(sorted(_FACTS), n_facts)]
    return f"Note to {rng.choice(_PEOPLE)}: {', '.join(_FACTS[kind][1].format(value) for kind, value in facts)}. >"


def brief(prompt: str) -> Brief:
    """Read a prompt.

    Raises:
        DataError: it asks for no note.
    """
    found = _BRIEF.match(prompt.strip())
    facts = [tuple(item.split(" ", 1)) for item in found[2].split(", ")] if found else []
    if not found or any(len(fact) != 2 or fact[0] not in _FACTS for fact in facts):
        raise DataError("unknown-problem", f"{prompt[:60]!r}: no brief for a note; expected 'Note to Ana: door red. >'")
    return Brief(found[1], tuple((kind, value) for kind, value in facts))


def write_note(task: Brief, style: Style, rng: random.Random) -> str:
    """A note in that style: greeting, mood, facts (kept, changed or forgotten), thanks."""
    parts = [f"{'Dear' if rng.random() < style.polite else 'Hi'} {task.name}."]
    mood = rng.random()
    if mood < style.glad:
        parts.append(rng.choice(GLAD))
    elif mood < style.glad + style.sad:
        parts.append(rng.choice(SAD))
    for kind, value in task.facts:
        if rng.random() >= style.keep:
            continue
        if rng.random() < style.wrong:
            value = rng.choice([other for other in _FACTS[kind][0] if other != value])
        said = _FACTS[kind][2].format(value)
        if rng.random() < style.hedge:
            said = f"{rng.choice(HEDGES)} {said}"
        if rng.random() < style.polite * 0.5:
            said = f"{rng.choice(('please', 'kindly'))} {said}" if kind in ("call", "bring") else said
        parts.append(f"{said[0].upper()}{said[1:]}.")
    if rng.random() < style.polite:
        parts.append("Thank you!")
    return " ".join(parts)


def measure(task: Brief, text: str) -> Attributes:
    """Every attribute of a note, from its text alone."""
    said = facts_said(text)
    given = set(task.facts)
    kept = len(given & said) / len(given) if given else 1.0
    return Attributes(
        n_words=len(text.split()),
        politeness=_count(text, POLITE),
        sentiment=_count(text, GLAD) - _count(text, SAD),
        hedging=_count(text, HEDGES),
        kept=kept,
        wrong=len(said - given),
    )


def facts_said(text: str) -> set[tuple[str, str]]:
    """The facts that a text states, as (kind, value)."""
    found = set()
    for kind, (values, _, said) in _FACTS.items():
        pattern = re.escape(said).replace(re.escape("{}"), f"({'|'.join(values)})")
        found |= {(kind, _canonical(kind, match)) for match in re.findall(rf"\b{pattern}\b", text, re.IGNORECASE)}
    return found


def _canonical(kind: str, value: str) -> str:
    return next(known for known in _FACTS[kind][0] if known.lower() == value.lower())


def _count(text: str, phrases: tuple[str, ...]) -> int:
    low = text.lower()
    return sum(len(re.findall(rf"(?<!\w){re.escape(phrase.lower())}(?!\w)", low)) for phrase in phrases)
