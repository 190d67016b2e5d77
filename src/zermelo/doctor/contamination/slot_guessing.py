"""TS-Guessing: does a model know what it cannot deduce, a hidden wrong option or a hidden word of a test item?

The model is any callable, prompt → reply. A model that has not seen the item may guess the right answer, but has no
way to know a wrong option word for word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zermelo.doctor.contamination.retrieval import rouge_l
from zermelo.errors import SettingError, unit_interval
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson

__all__ = ["ChoiceItem", "Guess", "Guesses", "TSGuessKeyword", "TSGuessMultiChoice"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MASK = "[MASK]"
NUMBER = re.compile(r"[-−+]?[\d.,/%°^ ]+[a-z²³°%]{0,3}", re.IGNORECASE)
GENERIC = re.compile(
    r"(?i)\b(?:none|all|both|neither|either) of\b|\bcannot be determined\b|^(?:none|all|both|neither)$"
)
YES_NO = (frozenset({"yes", "no"}), frozenset({"true", "false"}))
SMALL_WORDS = (
    "what which where when while with from that this these those there their they them then than have been were would"
    " could should about into your does will each other some such only over also most more very many much after"
    " before between because during following best describes"
)
SMALL = frozenset(SMALL_WORDS.split())
WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class ChoiceItem:
    """A multiple-choice item.

    Args:
        question: What is asked.
        options: In order.
        answer: Index of the right one.
    Raises:
        SettingError: answer is no index of an option.
    """

    question: str
    options: Sequence[str]
    answer: int

    def __post_init__(self) -> None:
        if not 0 <= self.answer < len(self.options):
            raise SettingError("bad-setting", f"answer must be 0 to {len(self.options) - 1}. Got {self.answer}")


@dataclass(frozen=True)
class Guess:
    """One question to the model.

    Args:
        item: Number of the item.
        prompt: What the model was asked.
        hidden: What was masked.
        reply: What it said.
        exact: The reply, cleaned, is what was hidden.
        rouge: ROUGE-L of reply and hidden text.
    """

    item: int
    prompt: str
    hidden: str
    reply: str
    exact: bool
    rouge: float


@dataclass(frozen=True)
class Guesses:
    """What a model guessed.

    Args:
        guesses: One for each item that was asked.
        dropped: Why and how many items were not asked.
    """

    guesses: Sequence[Guess]
    dropped: dict[str, int]

    @property
    def exact_match(self) -> Estimate:
        """Share of guesses that are the hidden text, with Wilson's interval; NaN without guesses."""
        return wilson(sum(guess.exact for guess in self.guesses), len(self.guesses))

    @property
    def rouge(self) -> float:
        """Mean ROUGE-L; not to be read alone, long options share words."""
        return float(np.mean([guess.rouge for guess in self.guesses])) if self.guesses else float("nan")


@dataclass(frozen=True)
class TSGuessMultiChoice:
    """Hide one wrong option of each item, drawn at random, and ask for it.

    Items are dropped where the options are yes and no or true and false, where two options are alike (ROUGE-L ≥
    `alike`), and where no wrong option is left that is neither a number (a pattern gives it away) nor generic ('none
    of the above'). EM compares the reply with the hidden option, lower-cased, without brackets and end points.

    Args:
        alike: ROUGE-L of two options, in [0, 1].
        numbers: Ask for options that are numbers, too.
    Raises:
        SettingError: alike is out of range.
    Source: "Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023, arXiv 2311.09783.
    """

    alike: float = 0.65
    numbers: bool = False

    def __post_init__(self) -> None:
        unit_interval(self, "alike")

    def guess(self, items: Sequence[ChoiceItem], complete: Callable[[str], str], *, seed: int = 0) -> Guesses:
        """Ask a model.

        Args:
            items: The benchmark.
            complete: Prompt → reply.
            seed: Of the options that are hidden; each item has its own stream.
        """
        guesses, dropped = [], dict[str, int]()
        for number, item in enumerate(items):
            wrong = self._askable(item)
            if isinstance(wrong, str):
                dropped[wrong] = dropped.get(wrong, 0) + 1
                continue
            at = wrong[int(np.random.default_rng((seed, number)).integers(len(wrong)))]
            prompt = _choice_prompt(item, at)
            reply = complete(prompt)
            said, hidden = _cleaned(reply, LETTERS[at]), item.options[at]
            guesses.append(Guess(number, prompt, hidden, reply, _same(said, hidden), rouge_l(hidden, said)))
        return Guesses(guesses, dropped)

    def _askable(self, item: ChoiceItem) -> list[int] | str:
        """The wrong options that may be hidden, or why there are none."""
        options = [option.strip() for option in item.options]
        if frozenset(option.lower().rstrip(".") for option in options) in YES_NO or len(options) < 3:
            return "two options"
        pairs = [(one, two) for at, one in enumerate(options) for two in options[:at]]
        if any(rouge_l(one, two) >= self.alike or one.lower() == two.lower() for one, two in pairs):
            return "options alike"
        found = [
            at
            for at, option in enumerate(options)
            if at != item.answer
            and option
            and not GENERIC.search(option)
            and (self.numbers or not NUMBER.fullmatch(option))
        ]
        return found or "no option that cannot be deduced"


@dataclass(frozen=True)
class TSGuessKeyword:
    """Hide one word that carries content, drawn at random, and ask for it.

    Content words are those of four letters or more outside a list of small words; the paper lets a model choose the
    most informative one. EM compares the first word of the reply. What tells is how EM rises with hints that carry
    no meaning (the category, the source): run it with and without.

    Args:
        least: Words of a question from which it is asked, > 4 in the paper.
    Source: "Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023, arXiv 2311.09783.
    """

    least: int = 5

    def guess(
        self,
        questions: Sequence[str],
        complete: Callable[[str], str],
        *,
        hints: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Guesses:
        """Ask a model.

        Args:
            questions: The benchmark's questions.
            complete: Prompt → reply.
            hints: A line for each question that says where it is from.
            seed: Of the words that are hidden.
        Raises:
            SettingError: questions and hints differ in number.
        """
        if hints is not None and len(hints) != len(questions):
            raise SettingError("bad-shape", f"TS-Guessing: {len(questions)} questions, {len(hints)} hints")
        guesses, dropped = [], dict[str, int]()
        for number, question in enumerate(questions):
            places = [hit for hit in WORD.finditer(question) if _carries_content(hit.group())]
            reason = "short" if len(question.split()) < self.least else "" if places else "no word of content"
            if reason:
                dropped[reason] = dropped.get(reason, 0) + 1
                continue
            hit = places[int(np.random.default_rng((seed, number)).integers(len(places)))]
            masked = question[: hit.start()] + MASK + question[hit.end() :]
            hint = f"\n{hints[number]}" if hints is not None else ""
            prompt = f"Which one word stands in place of {MASK}?{hint}\n\n{masked}\n\nReply with the word only."
            reply = complete(prompt)
            said, hidden = next(iter(WORD.findall(reply)), ""), hit.group()
            guesses.append(Guess(number, prompt, hidden, reply, _same(said, hidden), rouge_l(hidden, said)))
        return Guesses(guesses, dropped)


def _carries_content(word: str) -> bool:
    return len(word) >= 4 and word.lower() not in SMALL


def _choice_prompt(item: ChoiceItem, at: int) -> str:
    options = "\n".join(
        f"{LETTERS[place]}: {f'[{MASK[1:-1]}]' if place == at else option}" for place, option in enumerate(item.options)
    )
    return (
        f"The following is an item of a published test. Fill in the [MASK] of option {LETTERS[at]} from what you know"
        " of the test. It differs from the other options.\n\n"
        f"Question: {item.question}\n{options}\n\nReply with the text of option {LETTERS[at]} only."
    )


def _cleaned(reply: str, letter: str) -> str:
    """What follows `LETTER:` if that is there, its first line and sentence, without brackets."""
    said = reply.rsplit(f"{letter}:", 1)[-1].strip().splitlines()
    line = said[0] if said else ""
    sentence = re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0]
    return sentence.strip(" .[]()\"'“”")


def _same(one: str, other: str) -> bool:
    return one.strip().rstrip(".").lower() == other.strip().rstrip(".").lower()
