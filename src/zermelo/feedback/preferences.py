"""Preferred pairs of one group: stated comparisons, and those that ratings and rankings imply."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zermelo.feedback.records import Group, Judgement

__all__ = ["Derive", "Preference", "decided", "derived", "kinds_of", "preferences", "stated"]

Derive: TypeAlias = Literal["stated", "all", "best_worst", "adjacent"]


@dataclass(frozen=True, slots=True)
class Preference:
    """Response `win` is preferred to response `lose`; a tie where `prob` is one half.

    Args:
        win: Index of the preferred response.
        lose: Index of the other.
        prob: P(win ≻ lose), at least ½.
        judgement: What it was read from.
    """

    win: int
    lose: int
    prob: float
    judgement: Judgement

    @property
    def tie(self) -> bool:
        """Neither is preferred."""
        return self.prob == 0.5


def stated(group: Group) -> Iterator[Preference]:
    """The group's comparisons, ties included."""
    for judgement in group.judgements:
        if judgement.kind == "comparison":
            prob = _prob(judgement)
            first, second = judgement.on
            win, lose = (first, second) if prob >= 0.5 else (second, first)
            yield Preference(win, lose, max(prob, 1 - prob), judgement)


def derived(group: Group, *, how: Derive = "all") -> Iterator[Preference]:
    """Pairs that ratings (per annotator and criterion) and rankings imply, ties included.

    Args:
        group: The group.
        how: `all` pairs of the list, `best_worst` only the two ends, `adjacent` neighbours in order of score.
    """
    lists: defaultdict[tuple[str | None, str | None], dict[int, tuple[float, Judgement]]] = defaultdict(dict)
    for judgement in group.judgements:
        if judgement.kind == "rating" and judgement.value is not None:
            lists[judgement.by, judgement.criterion][judgement.on[0]] = (judgement.value, judgement)
        elif judgement.kind == "ranking" and judgement.values is not None:
            ranked = {item: (-rank, judgement) for item, rank in zip(judgement.on, judgement.values, strict=True)}
            yield from _pairs(ranked, how)
    for scored in lists.values():
        yield from _pairs(scored, how)


def preferences(group: Group, *, derive: Derive = "stated") -> Iterator[Preference]:
    """The stated comparisons, and with another `derive` also the pairs that ratings and rankings imply."""
    yield from stated(group)
    if derive != "stated":
        yield from derived(group, how=derive)


def decided(group: Group, *, derive: Derive, lost: Counter[str]) -> list[Preference]:
    """The pairs that a writer of chosen and rejected answers can state; ties and probabilities are counted as lost."""
    pairs = list(preferences(group, derive=derive))
    kept = [pair for pair in pairs if not pair.tie]
    lost["ties"] += len(pairs) - len(kept)
    lost["probabilities of comparisons"] += sum(pair.prob < 1 for pair in kept)
    return kept


def kinds_of(derive: Derive) -> tuple[str, ...]:
    """The kinds of judgement that pairs are made of."""
    return ("comparison",) if derive == "stated" else ("comparison", "rating", "ranking")


def _pairs(scored: dict[int, tuple[float, Judgement]], how: Derive) -> Iterator[Preference]:
    order = sorted(scored, key=lambda item: (-scored[item][0], item))
    if how == "best_worst":
        chosen = [(order[0], order[-1])] if len(order) > 1 else []
    elif how == "adjacent":
        chosen = list(itertools.pairwise(order))
    else:
        chosen = list(itertools.combinations(order, 2))
    for win, lose in chosen:
        yield Preference(win, lose, 0.5 if scored[win][0] == scored[lose][0] else 1.0, scored[win][1])


def _prob(judgement: Judgement) -> float:
    if judgement.value is not None:
        return judgement.value
    return {"first": 1.0, "second": 0.0}.get(judgement.outcome or "", 0.5)
