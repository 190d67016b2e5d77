"""Put subtle errors into correct responses: hard negatives whose error is known to the character.

A catalogue says which errors there are and puts one in. A world is one (`world("arithmetic")`: every error verified by
its exact checker, later steps following or not); `TextErrors` is the generic one, for solutions of any origin.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from zermelo.errors import SettingError, nearest, one_of, unit_interval
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.synthesis.edits import OPERATORS, sound, trimmed
from zermelo.worlds.protocol import Edited, ErrorKind

__all__ = ["Catalogue", "TextErrors", "inject_errors"]

BY = "injection"


class Catalogue(Protocol):
    """Errors, and the hand that puts one in; every world is one."""

    errors: ClassVar[tuple[ErrorKind, ...]]

    def inject(self, group: Group, text: str, rng: random.Random, *, kind: str, follows: bool) -> Edited | None:
        """The text with one error of that kind, None where it does not apply."""
        ...


@dataclass(frozen=True)
class TextErrors:
    """The generic catalogue: values, symbols, terms, units, words, edited by rule in one place.

    An edit is kept only where it makes a true equation of the text false, or where the edited text holds no equation
    that could be evaluated; later steps never follow from it.
    """

    errors: ClassVar[tuple[ErrorKind, ...]] = (
        ErrorKind("change_value", "another digit in one number"),
        ErrorKind("wrong_substitution", "a number before an equals sign is another number of the text"),
        ErrorKind("delete_term", "a term of a calculation is left out"),
        ErrorKind("change_symbol", "one of + − * / is another"),
        ErrorKind("swap_terms", "two terms change places"),
        ErrorKind("change_unit", "a unit is another of its family"),
        ErrorKind("misread_words", "a word that carries the sense is its opposite"),
    )

    def inject(self, group: Group, text: str, rng: random.Random, *, kind: str, follows: bool = False) -> Edited | None:
        """The text with one edit of that kind, None where it has nothing to edit, or where the edit stays true."""
        edited = OPERATORS[kind](text, rng)
        if edited is None or edited == text:
            return None
        start, before, after = trimmed(text, edited)
        local = text[:start].rfind("\n") + 1
        line = edited[local:].split("\n")[0]
        if kind not in ("change_unit", "misread_words") and sound(line):
            return None
        return Edited(edited, kind, start, before, after, None, False)


def inject_errors(
    groups: Iterable[Group],
    catalogue: Catalogue,
    *,
    seed: int,
    share: float = 1.0,
    kinds: Sequence[str] | None = None,
    follows: float = 1.0,
    which: Literal["labelled", "all"] = "labelled",
) -> tuple[Group, ...]:
    """Add a corrupted twin of correct responses, and what is known about it.

    Each twin is a response with `source="injection"` and in `meta` the error (`error`, `of`: the index of the correct
    response, `start`, `before`, `after`, `step`, `follows`). Two judgements by `injection` come with it: a comparison
    (correct ≻ corrupted, declared) and a label 0. The correct response, its ids and judgements stay as they are.

    Args:
        groups: Groups with responses.
        catalogue: A world, or `TextErrors()`, or your own.
        seed: Each group's stream is derived from it and the group's id: order and company change nothing.
        share: Chance that a correct response gets a twin.
        kinds: Errors to draw from, uniformly among those that apply; all of the catalogue by default.
        follows: Chance that the later steps are worked on from the error, where the catalogue can do that.
        which: `labelled`: only responses that a label calls right (no label calls them wrong); `all`: every response
            with text, for data known to be correct.
    Raises:
        SettingError: an unknown kind, or a share outside [0, 1].
    """
    known = [error.name for error in catalogue.errors]
    for kind in kinds or ():
        if kind not in known:
            guess = nearest(kind, known)
            hint = f"did you mean `{guess}`?" if guess else f"the catalogue has {', '.join(known)}"
            raise SettingError("unknown-error-kind", f"no error {kind!r} in the catalogue", hint=hint)
    settings = _Settings(share, follows, which)
    return tuple(_with_errors(group, catalogue, list(kinds or known), settings, seed) for group in groups)


@dataclass(frozen=True)
class _Settings:
    share: float
    follows: float
    which: str

    def __post_init__(self) -> None:
        unit_interval(self, "share", "follows")
        one_of(self, "which", ("labelled", "all"))


def _with_errors(group: Group, catalogue: Catalogue, kinds: list[str], settings: _Settings, seed: int) -> Group:
    rng = random.Random(f"errors:{seed}:{group.id}")
    right = _right(group) if settings.which == "labelled" else set(range(len(group.responses)))
    taken = {response.content for response in group.responses}
    responses: list[Response] = []
    judgements: list[Judgement] = []
    for index, response in enumerate(group.responses):
        if index not in right or response.messages is not None or not response.content.strip():
            continue
        if rng.random() >= settings.share:
            continue
        edited = _first(group, response.content, catalogue, kinds, rng, rng.random() < settings.follows)
        if edited is None or edited.text in taken:  # an answer that stands there already would be a tie with itself
            continue
        taken.add(edited.text)
        place = len(group.responses) + len(responses)
        meta = {
            "error": edited.kind,
            "of": index,
            "start": edited.start,
            "before": edited.before,
            "after": edited.after,
            "step": edited.step,
            "follows": edited.follows,
        }
        responses.append(Response(text=edited.text, source=BY, meta=meta))
        judgements += [
            Judgement("comparison", (index, place), by=BY, value=1.0, outcome="first", note=edited.kind),
            Judgement("label", (place,), by=BY, value=0.0, note=edited.kind),
        ]
    return group.with_responses(responses).with_judgements(judgements) if responses else group


def _first(
    group: Group, text: str, catalogue: Catalogue, kinds: list[str], rng: random.Random, follows: bool
) -> Edited | None:
    """One error, its kind drawn uniformly among those that apply."""
    for kind in rng.sample(kinds, len(kinds)):
        edited = catalogue.inject(group, text, rng, kind=kind, follows=follows)
        if edited is not None and edited.text != text:
            return edited
    return None


def _right(group: Group) -> set[int]:
    """Responses that a label calls right and none calls wrong."""
    said: dict[int, list[float]] = {}
    for judgement in group.judgements:
        if judgement.kind == "label" and len(judgement.on) == 1 and judgement.value is not None:
            said.setdefault(judgement.on[0], []).append(judgement.value)
    return {index for index, values in said.items() if min(values) > 0.5}
