"""The style world: short notes whose attributes are exactly measurable; what people like about them; who judges.

notes.py       briefs, notes, the measure
annotators.py  people who compare notes: noisy, fond of length, of the first place, of their tribe's taste
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from zermelo.errors import SettingError, nearest
from zermelo.feedback.records import Group, Judgement
from zermelo.worlds.arithmetic import prompt_text
from zermelo.worlds.chains import split_of
from zermelo.worlds.notes import Attributes, Style, brief, facts_said, measure, tell_brief, write_note
from zermelo.worlds.protocol import Edited, ErrorKind, Split

__all__ = ["REWARDS", "STYLES", "Notes"]

# what is liked → attributes → reward in [0, 1]
REWARDS: Mapping[str, Callable[[Attributes], float]] = {
    "faithful": lambda note: max(0.0, note.kept - 0.5 * note.wrong),
    "polite": lambda note: min(note.politeness, 3) / 3,
    "concise": lambda note: max(0.0, 1 - max(note.n_words - 8, 0) / 16),
    "upbeat": lambda note: (max(-1, min(note.sentiment, 1)) + 1) / 2,
    "plain": lambda note: 1 - min(note.hedging, 2) / 2,
    "balanced": lambda note: (
        0.5 * REWARDS["faithful"](note)
        + 0.2 * REWARDS["polite"](note)
        + 0.2 * REWARDS["plain"](note)
        + 0.1 * REWARDS["upbeat"](note)
    ),
}

STYLES = (
    Style("curt", polite=0.1, hedge=0.1, glad=0.05, sad=0.1, keep=0.75),
    Style("warm", polite=0.9, hedge=0.2, glad=0.6, sad=0.0, keep=0.85),
    Style("unsure", polite=0.5, hedge=0.7, glad=0.1, sad=0.3, keep=0.85, wrong=0.1),
    Style("exact", polite=0.4, hedge=0.0, glad=0.2, sad=0.1, keep=0.98, wrong=0.0),
)


@dataclass(frozen=True)
class Notes:
    """Short notes from a brief (the `World` protocol).

    Args:
        liked: The exact reward: one of `REWARDS`.
    """

    name: ClassVar[str] = "style"
    errors: ClassVar[tuple[ErrorKind, ...]] = (
        ErrorKind("changed_fact", "a fact of the brief is said with another value"),
        ErrorKind("lost_fact", "a sentence that says a fact is left out"),
        ErrorKind("added_hedge", "a fact is said with a hedge"),
    )
    liked: str = "balanced"

    def __post_init__(self) -> None:
        if self.liked not in REWARDS:
            guess = nearest(self.liked, list(REWARDS))
            hint = f"did you mean `{guess}`?" if guess else None
            known = ", ".join(REWARDS)
            raise SettingError("bad-setting", f"Notes.liked must be one of {known}. Got {self.liked!r}", hint=hint)

    def prompts(self, n: int, *, seed: int, split: Split = "train", difficulty: int | None = None) -> tuple[Group, ...]:
        """`n` groups without responses; `difficulty` is the number of facts, 1 to 5 (None: 2 or 3)."""
        if n < 0 or (difficulty is not None and not 1 <= difficulty <= 5):
            raise SettingError("bad-setting", f"n must be at least 0, difficulty 1 to 5. Got {n!r}, {difficulty!r}")
        if split not in ("train", "test"):
            raise SettingError("bad-setting", f"split must be 'train' or 'test'. Got {split!r}")
        groups = []
        for index in range(n):
            rng = random.Random(f"style:{split}:{seed}:{index}")
            texts = (tell_brief(rng, difficulty or rng.choice((2, 3))) for _ in range(1000))
            prompt = next(text for text in texts if split_of(text) == split)
            groups.append(Group(f"style-{split}-{seed}-{index}", prompt, meta={"world": self.name, "split": split}))
        return tuple(groups)

    def reference(self, group: Group) -> str:
        """A faithful, polite, glad note without hedges."""
        best = Style("reference", polite=1.0, hedge=0.0, glad=1.0, sad=0.0, keep=1.0, wrong=0.0)
        return write_note(brief(prompt_text(group)), best, random.Random(group.id))

    def measure(self, group: Group, text: str) -> Attributes:
        """Every attribute of a note."""
        return measure(brief(prompt_text(group)), text)

    def reward(self, group: Group, text: str) -> float:
        """The exact reward, in [0, 1]."""
        return REWARDS[self.liked](self.measure(group, text))

    def step_labels(self, group: Group, text: str) -> tuple[float, ...]:
        """One label per sentence: 0.0 where it says something that the brief does not."""
        given = set(brief(prompt_text(group)).facts)
        return tuple(float(facts_said(sentence) <= given) for sentence in sentences(text))

    def verify(self, group: Group) -> tuple[Judgement, ...]:
        """A label for each response (1: every fact kept, none wrong) and its reward as a rating on 0..1."""
        judgements = []
        for index, response in enumerate(group.responses):
            found = self.measure(group, response.content)
            right = float(found.kept == 1 and found.wrong == 0)
            reward = REWARDS[self.liked](found)
            judgements.append(Judgement("label", (index,), by=self.name, value=right))
            judgements.append(
                Judgement("rating", (index,), by=self.name, value=reward, low=0.0, high=1.0, criterion=self.liked)
            )
        return tuple(judgements)

    def inject(self, group: Group, text: str, rng: random.Random, *, kind: str, follows: bool = False) -> Edited | None:
        """One error in one sentence of a note that has every fact right; nothing follows from it."""
        names = [error.name for error in self.errors]
        if kind not in names:
            raise SettingError("unknown-error-kind", f"no style error {kind!r}; the catalogue has {', '.join(names)}")
        task = brief(prompt_text(group))
        before = measure(task, text)
        if before.kept < 1 or before.wrong:
            return None
        spoken = [sentence for sentence in sentences(text) if facts_said(sentence)]
        for sentence in rng.sample(spoken, len(spoken)):
            (fact,) = sorted(facts_said(sentence))[:1]
            new = _edit(sentence, fact, kind, rng)
            start = text.find(sentence)
            edited = (text[:start] + new + text[start + len(sentence) :]).replace("  ", " ").strip()
            after = measure(task, edited)
            if (after.kept, after.wrong, after.hedging) != (before.kept, before.wrong, before.hedging):
                return Edited(edited, kind, start, sentence, new, None, False)
        return None

    def corpus(self, n: int, seed: int) -> list[tuple[str, str, str]]:
        """`n` rows (prompt, note, style) of train prompts by writers of every style."""
        rows = []
        for index, group in enumerate(islice(self.prompts(n, seed=seed), n)):
            rng = random.Random(f"style-writers:{seed}:{index}")
            style = rng.choice(STYLES)
            prompt = prompt_text(group)
            rows.append((prompt, write_note(brief(prompt), style, rng), style.name))
        return rows


def sentences(text: str) -> list[str]:
    """The sentences of a note, without the space between."""
    ends = [place + 1 for place, character in enumerate(text) if character in ".!"]
    starts = [0, *ends]
    found = [text[start:end].strip() for start, end in zip(starts, [*ends, len(text)], strict=True)]
    return [sentence for sentence in found if sentence]


def _edit(sentence: str, fact: tuple[str, str], kind: str, rng: random.Random) -> str:
    from zermelo.worlds.notes import _FACTS, HEDGES

    if kind == "lost_fact":
        return ""
    if kind == "added_hedge":
        return f"{rng.choice(HEDGES).capitalize()} {sentence[0].lower()}{sentence[1:]}"
    name, value = fact
    other = rng.choice([known for known in _FACTS[name][0] if known != value])
    place = sentence.rfind(value)
    return sentence[:place] + other + sentence[place + len(value) :]
