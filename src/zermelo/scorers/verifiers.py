"""Verifiers: right or wrong, decided by a rule. Each response gets a label, 1 right or 0 wrong."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from zermelo.errors import DataError, SettingError, one_of
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.scorers.answers import Extract, final_answer, parse_number, same_answer

__all__ = ["ExactMatch", "NumericAnswer", "Predicate", "RegexMatch"]

Verdict: TypeAlias = bool | float | None


@dataclass(frozen=True)
class NumericAnswer:
    r"""Compare the final answer of each response with the gold answer, by value.

    Equal are 1/2, \frac{1}{2}, 0.5 and 50 %; 1,000 and 1000; 5 cm and 5 (a unit counts where both have one); √12 and
    2√3 to `tolerance`; lists member by member; what is no number as normalised text. The answer found stands in the
    judgement's `note`. A response without a final answer is wrong; an empty or failed one is not judged.

    Args:
        gold: Key of the gold answer in the group's `meta`; a worked gold solution (`… #### 72`) is fine.
        extract: `auto` (the last boxed answer, else what follows `####`, `A:` or “answer is”, else the last number),
            `boxed`, `last_number`, or `whole` (the response is the answer).
        tolerance: Relative; rationals are compared exactly where it is 0.
        name: Stands as `by`.
    Raises:
        DataError: no group has a gold answer.
    Source: the answer check of "Training Verifiers to Solve Math Word Problems", 2021, arXiv 2110.14168, extended.
    """

    gold: str = "answer"
    extract: Extract = "auto"
    tolerance: float = 1e-6
    name: str = "numeric"

    def __post_init__(self) -> None:
        one_of(self, "extract", ("auto", "boxed", "last_number", "whole"))

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """Labels for each group. See `Scorer`."""
        golds = _golds(groups, self.gold, self.name)

        def verdict(group: Group, at: int, response: Response) -> tuple[Verdict, str | None]:
            gold = golds[at]
            if gold is None:
                return None, None
            found = response.answer or final_answer(response.content, extract=self.extract)
            return (found is not None and same_answer(found, gold, tolerance=self.tolerance)), found

        return _labels(groups, self.name, verdict)


@dataclass(frozen=True)
class ExactMatch:
    """Right where the response is the gold text.

    Args:
        gold: Key of the gold text in the group's `meta`.
        ignore_case: Whether capital letters do not count.
        ignore_space: Whether runs of white space count as one space, and none at the ends.
        name: Stands as `by`.
    Source: exact match, as in "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016, arXiv 1606.05250.
    """

    gold: str = "answer"
    ignore_case: bool = False
    ignore_space: bool = True
    name: str = "exact"

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """Labels for each group. See `Scorer`."""
        golds = _raw_golds(groups, self.gold, self.name)

        def verdict(group: Group, at: int, response: Response) -> tuple[Verdict, str | None]:
            gold = golds[at]
            return (None if gold is None else self._plain(response.content) == self._plain(gold)), None

        return _labels(groups, self.name, verdict)

    def _plain(self, text: str) -> str:
        text = " ".join(text.split()) if self.ignore_space else text
        return text.casefold() if self.ignore_case else text


@dataclass(frozen=True)
class RegexMatch:
    """Right where a regular expression is found in the response (or, with `absent`, where it is not).

    Args:
        pattern: Python regular expression; `.` matches line breaks too.
        absent: Right where it is *not* found.
        name: Stands as `by`.
    Source: "Tülu 3: Pushing Frontiers in Open Language Model Post-Training", 2024, arXiv 2411.15124.
    """

    pattern: str
    absent: bool = False
    name: str = "regex"
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re.compile(self.pattern, re.DOTALL)
        except re.error as error:
            raise SettingError("bad-setting", f"RegexMatch.pattern {self.pattern!r}: {error}") from error
        object.__setattr__(self, "_compiled", compiled)

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """Labels for each group. See `Scorer`."""

        def verdict(group: Group, at: int, response: Response) -> tuple[Verdict, str | None]:
            return (self._compiled.search(response.content) is not None) != self.absent, None

        return _labels(groups, self.name, verdict)


@dataclass(frozen=True)
class Predicate:
    """Ask a Python function about each response: `function(group, response) -> bool | float | None`.

    A truth value or a number in [0, 1] becomes a label; None leaves the response unjudged. The function runs in this
    process: give untrusted code to a sandbox instead.

    Args:
        function: A callable, or its import path `package.module:function`.
        name: Stands as `by`; by default the function's name.
    Source: "Tülu 3: Pushing Frontiers in Open Language Model Post-Training", 2024, arXiv 2411.15124.
    """

    function: Callable[[Group, Response], Verdict] | str
    name: str = ""

    def __post_init__(self) -> None:
        found = self.function
        if isinstance(found, str):
            found = _imported(found)
        if not callable(found):
            raise SettingError("bad-setting", f"Predicate.function {self.function!r} is not callable")
        object.__setattr__(self, "function", found)
        object.__setattr__(self, "name", self.name or getattr(found, "__name__", "predicate"))

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """Labels for each group. See `Scorer`.

        Raises:
            DataError: the function failed, or returned no verdict.
        """

        def verdict(group: Group, at: int, response: Response) -> tuple[Verdict, str | None]:
            assert callable(self.function)
            try:
                said = self.function(group, response)
            except Exception as error:
                raise DataError(
                    "bad-predicate", f"{self.name}: group {group.id}: {type(error).__name__}: {error}"
                ) from error
            if said is not None and not (isinstance(said, bool | int | float) and 0 <= said <= 1):
                raise DataError(
                    "bad-predicate", f"{self.name}: group {group.id}: {said!r}; expected bool, number in [0, 1] or None"
                )
            return said, None

        return _labels(groups, self.name, verdict)


def _labels(
    groups: Sequence[Group],
    name: str,
    verdict: Callable[[Group, int, Response], tuple[Verdict, str | None]],
) -> list[tuple[Judgement, ...]]:
    found = []
    for at, group in enumerate(groups):
        own = []
        for index, response in enumerate(group.responses):
            if response.empty or response.finish == "error" or (response.text is None and response.messages is None):
                continue
            said, note = verdict(group, at, response)
            if said is not None:
                own.append(Judgement("label", (index,), by=name, value=float(said), criterion="correct", note=note))
        found.append(tuple(own))
    return found


def _golds(groups: Sequence[Group], key: str, name: str) -> list[str | None]:
    """Gold answers; out of a worked solution, the final answer."""
    raw = _raw_golds(groups, key, name)
    return [
        gold
        if gold is None or parse_number(gold) is not None or not re.search(r"####|\\boxed", gold)
        else final_answer(gold) or gold
        for gold in raw
    ]


def _raw_golds(groups: Sequence[Group], key: str, name: str) -> list[str | None]:
    golds = [group.meta.get(key) for group in groups]
    if groups and all(gold is None for gold in golds):
        known = sorted({name for group in groups for name in group.meta})
        raise DataError(
            "no-gold",
            f"{name}: no group has meta[{key!r}] to compare with; meta has {', '.join(known) or 'nothing'}",
            hint="name the field: `gold=FIELD`",
        )
    return [None if gold is None else str(gold) for gold in golds]


def _imported(path: str) -> Any:
    module, _, attribute = path.partition(":")
    if not attribute:
        raise SettingError("unknown-name", f"{path!r}: an import path is `package.module:function`")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingError("unknown-name", f"{path}: {error}", hint="an import path is `module:function`") from error
