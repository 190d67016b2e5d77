"""The contract of everything that judges: groups in, judgements out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from zermelo.feedback.records import Group, Judgement

__all__ = ["Comparer", "Scorer"]


@runtime_checkable
class Scorer(Protocol):
    """Pointwise: a rating or label for each response of each group.

    `score` returns one tuple of judgements per group, in the order of the groups; `on` refers to the group's own
    responses, `by` is the scorer's `name`. Responses that cannot be judged (empty, errored) get no judgement.
    """

    @property
    def name(self) -> str: ...

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]: ...


@runtime_checkable
class Comparer(Protocol):
    """Pairwise: comparison judgements, `value` = P(first of `on` ≻ second)."""

    @property
    def name(self) -> str: ...

    def compare(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]: ...
