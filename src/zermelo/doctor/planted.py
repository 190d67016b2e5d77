"""Known faults put into clean groups at known rates: what the doctor is held to.

    made = plant("flipped", clean(2_000, seed=1), rate=0.1, seed=1)
    made.feedback, made.rows, made.rate

Each fault is named in `FAULTS` with the audits that are to find it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, nearest
from zermelo.feedback import Feedback, Group, Judgement, Response
from zermelo.worlds.replies import Crowd, ask, replies, share_covered, warmth

__all__ = ["FAULTS", "Fault", "Planted", "clean", "plant"]

Groups: TypeAlias = Sequence[Group]


@dataclass(frozen=True)
class Planted:
    """Data with one known fault.

    Args:
        fault: Its name.
        feedback: The data.
        rows: Positions of the rows that are faulty, ascending; empty where the fault is not about rows. [R]
        rate: What an audit should estimate: share of rows, or of pairs of which the shortcut is true.
        who: Annotators concerned.
        benchmark: Items of a benchmark, of which a quarter leaked in, for the audit to look for.
    """

    fault: str
    feedback: Feedback
    rows: NDArray[np.int64]
    rate: float
    who: tuple[str, ...] = ()
    benchmark: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Args:
        put: (groups, rate, rng) → groups, positions of the faulty ones.
        audits: Who is to find it; the first that finds it counts.
        rate: What it is planted at where nothing else is said.
        of: What `rate` is a share of; how the finding's figure is compared with it.
        votes: Annotators who see each group of the clean data.
        who: Annotators concerned.
    """

    put: Callable[[Groups, float, random.Random], tuple[list[Group], list[int]]]
    audits: tuple[str, ...]
    rate: float = 0.1
    of: Literal["rows", "accuracy", "annotators"] = "rows"
    votes: int = 1
    who: tuple[str, ...] = ()


def clean(n: int = 2_000, *, seed: int = 0, votes: int = 1) -> tuple[Group, ...]:
    """Groups without a fault: the replies world, judged by twelve people who rarely err.

    Args:
        n: Groups.
        seed: Of everything.
        votes: How many people judge each.
    """
    return replies(n, seed=seed, crowd=Crowd(votes=votes))


def plant(fault: str, groups: Groups, *, rate: float | None = None, seed: int = 0) -> Planted:
    """Put a fault into groups.

    Args:
        fault: One of `FAULTS`.
        groups: Clean ones.
        rate: Share concerned; the fault's own by default.
        seed: Which ones.
    Raises:
        SettingError: no such fault, or a rate outside (0, 1].
    """
    if fault not in FAULTS:
        guess = nearest(fault, list(FAULTS))
        hint = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(FAULTS)}"
        raise SettingError("unknown-fault", f"there is no fault {fault!r}", hint=hint)
    kind = FAULTS[fault]
    rate = kind.rate if rate is None else rate
    if not 0 < rate <= 1:
        raise SettingError("bad-setting", f"plant: rate must be in (0, 1]. Got {rate!r}")
    made, rows = kind.put(groups, rate, random.Random(f"{fault}:{seed}"))
    exact = fault == "flipped" and all(group.id.startswith("replies-") for group in made)
    truth = np.array(_mislabelled(made) if exact else sorted(rows), np.int64)
    share = len(truth) / len(made) if kind.of == "rows" else _how_true(fault, made) if kind.of == "accuracy" else rate
    items = tuple(str(made[row].prompt) for row in rows) if fault == "leaked" else ()
    if items:  # a benchmark of which a quarter leaked
        rng = random.Random(f"benchmark:{seed}")
        items += tuple(_question(len(items) + at, rng) for at in range(3 * len(items)))
    return Planted(fault, Feedback.of(made), truth, share, kind.who, items)


# ── faults of labels ────────────────────────────────────────────────────────────────────────────────────────────────


def _some(groups: Groups, rate: float, rng: random.Random) -> list[int]:
    return sorted(rng.sample(range(len(groups)), round(rate * len(groups))))


def turned(judgement: Judgement) -> Judgement:
    """A comparison the other way round."""
    if judgement.kind != "comparison" or judgement.value is None:
        return judgement
    outcome = {"first": "second", "second": "first"}.get(judgement.outcome or "", judgement.outcome)
    return replace(judgement, value=1 - judgement.value, outcome=outcome)  # type: ignore[arg-type]


def _flipped(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    rows = set(_some(groups, rate, rng))
    made = [
        replace(group, judgements=tuple(turned(item) for item in group.judgements)) if row in rows else group
        for row, group in enumerate(groups)
    ]
    return made, sorted(rows)


def _mislabelled(groups: Groups) -> list[int]:
    """Rows whose votes name the worse reply: those turned round, and people's own slips."""
    wrong = []
    for row, group in enumerate(groups):
        better = [share_covered(group, item.content) for item in group.responses]
        if (better[0] > better[1]) != (_value(group) > 0.5):
            wrong.append(row)
    return wrong


def _voted(group: Group, first: bool, who: Callable[[Judgement], bool]) -> Group:
    """The group with what some annotators say made `first` (or second) better."""
    made = []
    for item in group.judgements:
        if item.kind == "comparison" and who(item):
            item = replace(item, value=float(first), outcome="first" if first else "second")
        made.append(item)
    return replace(group, judgements=tuple(made))


def _by_habit(
    prefers_first: Callable[[Group, Judgement], bool],
) -> Callable[[Groups, float, random.Random], tuple[list[Group], list[int]]]:
    """A share of all votes follows a habit, whatever the replies say."""

    def put(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
        rows = set(_some(groups, rate, rng))
        made = []
        for row, group in enumerate(groups):
            if row in rows:
                said = tuple(
                    replace(item, value=float(won), outcome="first" if won else "second")
                    for item in group.judgements
                    for won in (prefers_first(group, item),)
                )
                group = replace(group, judgements=said)
            made.append(group)
        return made, []

    return put


def _longer(group: Group, item: Judgement) -> bool:
    return len(group.responses[0].content) > len(group.responses[1].content)


def _shown_first(group: Group, item: Judgement) -> bool:
    return item.shown is None or item.shown[0] == 0


def _by_source(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    """A share of the pairs: the preferred reply is by a strong writer with phrases of its own, the other by a weak."""
    rows = set(_some(groups, rate, rng))
    made = []
    for row, group in enumerate(groups):
        if row in rows:
            best = 0 if _value(group) > 0.5 else 1
            texts = [item.content for item in group.responses]
            texts[best] = "Certainly! Here is what matters. " + texts[best]
            texts[1 - best] = texts[1 - best] + " Anyway, that is all."
            names = ("strong model", "weak model")
            sides = tuple(Response(text, source=names[side != best]) for side, text in enumerate(texts))
            group = replace(group, responses=sides)
        made.append(group)
    return made, []


def _value(group: Group) -> float:
    votes = [item.value for item in group.judgements if item.kind == "comparison" and item.value is not None]
    return sum(votes) / max(len(votes), 1)


def _how_true(fault: str, groups: Groups) -> float:
    """How often the shortcut names the winner."""
    right = []
    for group in groups:
        for item in group.judgements:
            if fault == "length-bias":
                guess = _longer(group, item)
            elif fault == "position-bias":
                guess = _shown_first(group, item)
            else:
                names = [side.source for side in group.responses]
                if "strong model" not in names:
                    right.append(0.5)
                    continue
                guess = names[0] == "strong model"
            right.append(float(guess == (item.value == 1.0)))
    return float(np.mean(right))


# ── faults of annotators ────────────────────────────────────────────────────────────────────────────────────────────

SPAMMER, DRIFTER = "annotator 03", "annotator 07"
TRIBE = tuple(Crowd().name(person) for person in range(6))


def _spammer(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    return [_voted(group, rng.random() < 0.5, lambda item: item.by == SPAMMER) for group in groups], []


def _drifter(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    """From the middle of the time on, one annotator's votes are the wrong way round."""
    times = [item.at for group in groups for item in group.judgements if item.at is not None]
    middle = float(np.median(times)) if times else 0.0
    made = []
    for group in groups:
        said = tuple(
            turned(item) if item.by == DRIFTER and item.at is not None and item.at > middle else item
            for item in group.judgements
        )
        made.append(replace(group, judgements=said))
    return made, []


def _tribes(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    """Half of the people like a warm ending, whatever the reply says; where that says nothing, they see the truth."""
    made = []
    for group in groups:
        warm = [warmth(group, item.content) for item in group.responses]
        if warm[0] != warm[1]:
            group = _voted(group, warm[0] > warm[1], lambda item: item.by in TRIBE)
        made.append(group)
    return made, []


# ── faults of texts ─────────────────────────────────────────────────────────────────────────────────────────────────


def _edited(
    edit: Callable[[Group, random.Random], Group],
) -> Callable[[Groups, float, random.Random], tuple[list[Group], list[int]]]:
    def put(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
        rows = set(_some(groups, rate, rng))
        return [edit(group, rng) if row in rows else group for row, group in enumerate(groups)], sorted(rows)

    return put


def _with_text(group: Group, side: int, text: str) -> Group:
    responses = list(group.responses)
    responses[side] = replace(responses[side], text=text)
    return replace(group, responses=tuple(responses))


def _damaged(group: Group, rng: random.Random) -> Group:
    side = rng.randrange(2)
    text = group.responses[side].content
    marks = (f"{text}<|im_end|>", f"<|im_start|>assistant\n{text}", f"{text}</s>", f"{text}<|eot_id|>")
    return _with_text(group, side, rng.choice(marks))


def _cut_at_words(group: Group, rng: random.Random) -> Group:
    """A long answer that met a limit of tokens: here words."""
    side = rng.randrange(2)
    words = group.responses[side].content.split()
    return _with_text(group, side, " ".join((words * 4)[:CAP_WORDS]).rstrip(".!?"))


def _cut_at_chars(group: Group, rng: random.Random) -> Group:
    """A long answer that met a limit of characters; the word that was cut is left out."""
    side = rng.randrange(2)
    text = " ".join([group.responses[side].content] * 4)
    return _with_text(group, side, text[:CAP_CHARS].rstrip(" .!?").rpartition(" ")[0])


CAP_WORDS, CAP_CHARS = 110, 600


def _emptied(group: Group, rng: random.Random) -> Group:
    return _with_text(group, rng.randrange(2), rng.choice(("", " ", "\n")))


def _same_twice(group: Group, rng: random.Random) -> Group:
    return _with_text(group, 1, group.responses[0].content)


def _repeated(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    """Copies of some rows further down, under ids of their own; `rate` is their share of the result."""
    copies = round(rate / (1 - rate) * len(groups)) if rate < 1 else len(groups)
    picked = [groups[rng.randrange(len(groups))] for _ in range(copies)]
    made = [*groups, *(replace(group, id=f"{group.id}-copy-{k}") for k, group in enumerate(picked))]
    return made, list(range(len(groups), len(made)))


def _nearly_repeated(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    """Copies with two words before each reply; both, the first and the copy, are nearly the same as another row."""
    made, rows = _repeated(groups, rate, rng)
    of = {group.id: row for row, group in enumerate(groups)}
    firsts = {of[made[row].id.rpartition("-copy-")[0]] for row in rows}
    for row in rows:
        sides = tuple(replace(side, text=f"Well: {side.content}") for side in made[row].responses)
        made[row] = replace(made[row], responses=sides)
    return made, sorted({*firsts, *rows})


def _leaked(groups: Groups, rate: float, rng: random.Random) -> tuple[list[Group], list[int]]:
    """Prompts are questions of a benchmark: long ones, of a wording that nobody finds twice by chance."""
    rows = _some(groups, rate, rng)
    made = list(groups)
    for number, row in enumerate(rows):
        made[row] = replace(made[row], prompt=_question(number, rng))
    return made, rows


def _question(number: int, rng: random.Random) -> str:
    (first, _), (second, _) = ask(rng), ask(rng)
    return f"Item {number}. {rng.randrange(100, 999)} people were asked. {first} Then again: {second}"


FAULTS: Mapping[str, Fault] = {
    "flipped": Fault(_flipped, ("noise.labels",)),
    "length-bias": Fault(_by_habit(_longer), ("shortcut.length",), rate=0.6, of="accuracy"),
    "position-bias": Fault(_by_habit(_shown_first), ("shortcut.position",), rate=0.6, of="accuracy"),
    "source-separable": Fault(
        _by_source, ("shortcut.source", "shortcut.separability"), rate=0.8, of="accuracy"
    ),
    "duplicates": Fault(_repeated, ("structure.duplicate",)),
    "near-duplicates": Fault(_nearly_repeated, ("structure.near_duplicate", "structure.duplicate")),
    "leaked": Fault(_leaked, ("contamination.overlap",), rate=0.05),
    "template": Fault(_edited(_damaged), ("structure.template",), rate=0.05),
    "truncated": Fault(_edited(_cut_at_words), ("structure.truncated",)),
    "truncated-chars": Fault(_edited(_cut_at_chars), ("structure.truncated",)),
    "empty": Fault(_edited(_emptied), ("structure.empty",), rate=0.05),
    "identical": Fault(_edited(_same_twice), ("structure.identical",), rate=0.05),
    "spammer": Fault(_spammer, ("disagreement.spam",), rate=1 / 12, of="annotators", votes=3, who=(SPAMMER,)),
    "drifter": Fault(_drifter, ("disagreement.drift",), rate=1 / 12, of="annotators", votes=3, who=(DRIFTER,)),
    "tribes": Fault(_tribes, ("disagreement.tribes",), rate=0.5, of="annotators", votes=6, who=TRIBE),
}  # fmt: skip
