"""The replies world: several sentences of plain English on the subjects that a question names, and who is right.

    What should I know about the harbour, the violin and the glacier?          the prompt: three to five subjects
    The violin slowly follows a narrow road. Most people say that the …        a reply: one subject per sentence

A reply is as good as it is to the point: the share of the question's subjects that it speaks about. Its length, its
words and its writer say nothing about that; only prompt and reply together do. Clean by construction, for planting
faults: a judge who reads nothing but the reply, or only how long it is, cannot do better than a coin.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Response

__all__ = ["Crowd", "ask", "replies", "share_covered", "warmth", "write_reply"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SUBJECTS = _words("""
    harbour violin glacier bakery telescope orchard tunnel museum bridge volcano library tractor compass lantern
    monastery vineyard canal aquarium windmill parachute submarine cathedral meadow furnace saddle typewriter
    greenhouse waterfall pendulum castle hammock locomotive quarry piano lighthouse desert carpet barometer stadium
    observatory kettle chimney helicopter fountain marble saxophone elevator printing-press ferry cactus mirror
    pyramid sailboat clockwork theatre bicycle avalanche magnet candle anchor
""")
NOUNS = _words("""
    road table window engine river paper garden market letter winter family village morning answer number colour
    teacher doctor farmer captain child student neighbour stranger painter driver plan story law habit rule tool
    method signal pattern detail corner surface border shadow metal glass wool salt sugar coffee bread fruit seed root
    branch leaf stone sand cloud storm season harvest profit budget contract error record page chapter lesson question
    memory dream voice song rhythm picture camera mountain island valley forest field station ticket journey
""")
VERBS = _words("""
    follows changes improves needs protects supports explains reaches avoids replaces measures carries collects
    covers divides entertains finds guides helps includes joins keeps leaves limits lifts makes meets moves opens
    passes prepares prevents produces pulls raises reduces repairs requires returns reveals saves serves shapes shows
    surrounds teaches touches turns uses visits warms watches
""")
ADJECTIVES = _words("""
    narrow quiet early heavy simple modern ancient gentle careful bright broken common distant empty famous fresh
    frozen hidden honest hollow large local loud lucky mild natural nearby open ordinary patient plain popular private
    public rapid rare regular rough round sharp short silent slow small soft solid steady strange strong sudden tall
    thick thin warm weak wide wild wooden young
""")
ADVERBS = _words("""
    slowly often rarely usually carefully quickly barely nearly always sometimes hardly gladly openly quietly
    suddenly clearly mostly partly simply seldom
""")
FRAMES = (
    "The {s} {v} the {a} {n}",
    "One {a} {n} {d} {v} the {s}",
    "Most people say that the {s} {v} some {n}",
    "In one {a} {n}, the {s} {d} {v} the {n2}",
    "Without the {s}, no {n} {v} its {a} {n2}",
    "Whoever knows the {s} {d} {v} one {a} {n}",
    "The {n} of the {s} {v} every {n2}",
    "Every {a} {s} {v} the {n} and the {n2}",
    "What the {s} {d} {v} is one {a} {n}",
    "Near the {s} some {n} {v} the {a} {n2}",
)
TAILS = (
    "",
    "",
    "",
    " before the {n}",
    " after this {a} {n}",
    " because of the {n}",
    ", as the {n} does",
    " in the {a} {n}",
)
QUESTIONS = (
    "What should I know about {}?",
    "Tell me a little about {}, please.",
    "My {n} asked about {}. What can I say?",
    "I am writing one {a} text on {}. Give me some facts.",
    "Could you explain {} to some {a} {n}?",
    "We talked about {} near the {n}. What is true?",
)
WARM = ("I hope this helps.", "Happy to tell you more!", "What a lovely question!", "Take care!")
_WORD = re.compile(r"[a-z-]+")


def _fill(frame: str, rng: random.Random, subject: str = "") -> str:
    words = {"a": ADJECTIVES, "v": VERBS, "d": ADVERBS, "n": NOUNS, "n2": NOUNS}
    return frame.format(s=subject, **{name: rng.choice(known) for name, known in words.items()})


def ask(rng: random.Random) -> tuple[str, tuple[str, ...]]:
    """A question, and the subjects it names."""
    subjects = tuple(rng.sample(SUBJECTS, rng.randint(3, 5)))
    named = [f"the {item}" for item in subjects]
    frame = rng.choice(QUESTIONS).replace("{}", "§")
    return _fill(frame, rng).replace("§", f"{', '.join(named[:-1])} and {named[-1]}"), subjects


def write_reply(subjects: Sequence[str], covered: int, rng: random.Random, *, warm: bool = False) -> str:
    """A reply of five to eight sentences on `covered` of the subjects; the other sentences speak of something else."""
    others = [item for item in SUBJECTS if item not in subjects]
    n = rng.randint(max(5, covered), 8)
    spoken = [*rng.sample(list(subjects), covered), *rng.sample(others, n - covered)]
    rng.shuffle(spoken)
    told = [_fill(rng.choice(FRAMES), rng, item) + _fill(rng.choice(TAILS), rng) + "." for item in spoken]
    return " ".join([*told, *([rng.choice(WARM)] if warm else [])])


def share_covered(group: Group, text: str) -> float:
    """Share of the question's subjects that a reply names, in [0, 1]: the exact utility."""
    asked = set(_WORD.findall(str(group.prompt).lower())) & set(SUBJECTS)
    return len(asked & set(_WORD.findall(text.lower()))) / max(len(asked), 1)


def warmth(group: Group, text: str) -> float:
    """Whether a reply ends in a friendly phrase: another taste."""
    return float(any(phrase in text for phrase in WARM))


@dataclass(frozen=True)
class Crowd:
    """Who judges, and how.

    Args:
        annotators: How many people there are.
        votes: How many of them see a group.
        error: Chance that a vote is wrong.
        days: Votes are spread over that many.
    """

    annotators: int = 12
    votes: int = 1
    error: float = 0.02
    days: float = 30.0

    def __post_init__(self) -> None:
        if not (1 <= self.votes <= self.annotators and 0 <= self.error < 0.5 and self.days > 0):
            raise SettingError("bad-setting", "Crowd: 1 ≤ votes ≤ annotators, 0 ≤ error < ½, days > 0")

    def name(self, person: int) -> str:
        """How a person is called."""
        return f"annotator {person:02d}"


def replies(n: int, *, seed: int, crowd: Crowd | None = None, sources: int = 4) -> tuple[Group, ...]:
    """`n` groups of two replies with votes: the one that covers more subjects is better. Writers are equally good.

    Args:
        n: Groups.
        seed: Of everything; group i depends on seed and i alone.
        crowd: Who judges; default: one vote each by twelve people.
        sources: Writers, whose two each group draws at random.
    """
    if n < 0 or sources < 2:
        raise SettingError("bad-setting", f"replies: n ≥ 0 and sources ≥ 2. Got {n} and {sources}")
    crowd = crowd or Crowd()
    return tuple(_group(index, seed, crowd, sources) for index in range(n))


def _group(index: int, seed: int, crowd: Crowd, sources: int) -> Group:
    rng = random.Random(f"replies:{seed}:{index}")
    prompt, subjects = ask(rng)
    low = rng.randint(0, len(subjects) - 2)
    covered = [low, rng.randint(low + 2, len(subjects))]
    rng.shuffle(covered)
    who = rng.sample(range(sources), 2)
    responses = tuple(
        Response(write_reply(subjects, count, rng, warm=rng.random() < 0.3), source=f"writer {name}")
        for count, name in zip(covered, who, strict=True)
    )
    votes = tuple(
        _vote(covered[0] > covered[1], person, crowd, rng)
        for person in sorted(rng.sample(range(crowd.annotators), crowd.votes))
    )
    return Group(f"replies-{seed}-{index}", prompt, responses, votes)


def _vote(first: bool, person: int, crowd: Crowd, rng: random.Random) -> Judgement:
    won = first != (rng.random() < crowd.error)
    shown = (0, 1) if rng.random() < 0.5 else (1, 0)
    return Judgement(
        "comparison",
        (0, 1),
        by=crowd.name(person),
        value=float(won),
        outcome="first" if won else "second",
        shown=shown,
        at=round(rng.random() * crowd.days * 86_400, 1),
    )
