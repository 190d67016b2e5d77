"""Columns that the user names (`--columns prompt=question,a=left_text,b=right_text,winner=vote`), in any container.

What a column can be called is in `ROLES`. `x+y` joins columns of a prompt by a blank line; several columns of a winner,
rating or label are several annotators, each named like its column. `'text'` in quotes, or a number, is a constant.
Without names, common ones are tried (`ALIASES`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from zermelo.errors import SettingError, nearest
from zermelo.feedback.formats.winners import outcome_judgement, outcome_of
from zermelo.feedback.messages import as_messages
from zermelo.feedback.protocol import Row, Sample
from zermelo.feedback.records import Group, Judgement, Prompt, Response

__all__ = ["ALIASES", "ROLES", "Columns"]

ROLES: dict[str, str] = {
    "prompt": "the prompt: text, or messages (also as JSON text)",
    "chosen": "the preferred answer",
    "rejected": "the other answer",
    "a": "the first answer of a comparison",
    "b": "the second answer",
    "winner": "who won: a, b, 1, 2, 0 or tie, both_bad, a column's or a source's name",
    "prob": "P(a is better), 0 to 1",
    "response": "the answer of a row that is one response",
    "steps": "its steps, a list",
    "rating": "its rating",
    "label": "whether it is wanted: true or false",
    "source": "who wrote the response",
    "source_a": "who wrote a (or chosen)",
    "source_b": "who wrote b (or rejected)",
    "by": "who judged",
    "criterion": "what was judged",
    "low": "lowest value of the rating's scale",
    "high": "highest value of the rating's scale",
    "strength": "how strong the preference is",
    "note": "the judge's reason",
    "at": "when it was judged, a number",
    "id": "a name that is unique to the row",
    "group": "rows with equal values that stand together form a group",
    "user": "whose session it was",
    "session": "the session",
}
ALIASES: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt", "instruction", "question", "query", "problem", "input", "post", "context"),
    "chosen": ("chosen", "response_chosen", "chosen_response", "preferred", "better"),
    "rejected": ("rejected", "response_rejected", "rejected_response", "dispreferred", "worse"),
    "a": ("a", "response_a", "output_1", "response_1", "response1", "answer_a", "completion_a", "answer1", "text_a"),
    "b": ("b", "response_b", "output_2", "response_2", "response2", "answer_b", "completion_b", "answer2", "text_b"),
    "winner": ("winner", "choice", "preference", "verdict", "preferred", "label", "vote"),
    "prob": ("prob",),
    "response": ("response", "answer", "completion", "output", "solution", "text"),
    "steps": ("steps",),
    "rating": ("rating", "score", "overall_score", "grade"),
    "label": ("label", "is_correct", "correct", "accepted", "chosen"),
    "source": ("source", "model", "system", "generator"),
    "source_a": ("source_a", "model_a", "generator_1", "model_1", "model1"),
    "source_b": ("source_b", "model_b", "generator_2", "model_2", "model2"),
    "by": ("by", "annotator", "judge", "worker", "rater"),
    "criterion": ("criterion", "aspect"),
    "low": ("low",),
    "high": ("high",),
    "strength": ("strength",),
    "note": ("note",),
    "at": ("at",),
    "id": ("id",),
}
BOTH = (("chosen", "rejected"), ("a", "b"), ("source_a", "source_b"))
SEVERAL = ("winner", "rating", "label")


@dataclass(frozen=True)
class Columns:
    """A reader made of a map from roles to columns.

    Args:
        where: Role → columns that hold it, or a constant (one entry that begins with a quote).
    """

    name: ClassVar[str] = "columns"
    title: ClassVar[str] = "named columns"
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def shape(self) -> str:
        """What a row has, for messages."""
        return "columns: " + ", ".join(f"{role}={'+'.join(names)}" for role, names in self.where.items())

    @property
    def per_response(self) -> bool:
        """True where the map names one response a row."""
        return self.pair is None and any(role in self.where for role in ("response", "source", "steps"))

    @property
    def pair(self) -> tuple[str, str] | None:
        """The two roles that are compared, or None."""
        known = next((pair for pair in BOTH if all(role in self.where for role in pair)), None)
        if known == BOTH[-1] and ("a" in self.where or "b" in self.where):
            return BOTH[1]  # the text of one side only
        return known

    @classmethod
    def named(cls, columns: Mapping[str, str], *, known: frozenset[str]) -> Columns:
        """A map as the user wrote it, checked against the columns that are there.

        Raises:
            SettingError: an unknown role or column, or roles that make no row.
        """
        where = {}
        for role, text in columns.items():
            if role not in ROLES:
                guess = nearest(role, list(ROLES))
                hint = f"did you mean `{guess}`?" if guess else "roles: " + " ".join(ROLES)
                raise SettingError("unknown-column", f"--columns {role}=…: no such role", hint=hint)
            where[role] = _named(text, role, known)
        found = cls(where)
        if found.pair is None and not found.per_response and "prompt" not in where:
            wanted = "prompt, chosen and rejected; or a, b and winner; or source_a, source_b and winner; or response"
            raise SettingError("unknown-column", f"--columns names {', '.join(where)}; expected {wanted}")
        if found.pair is not None and found.pair[0] != "chosen" and "winner" not in where and "prob" not in where:
            raise SettingError("unknown-column", "--columns names two sides; expected winner or prob too")
        return found

    def guess(self, sample: Sample) -> Columns:
        """The map that common column names suggest; this one where it already has one."""
        return self if self.where else _guess(sample)[1]

    def matches(self, sample: Sample) -> float:
        return _guess(sample)[0]

    def read(self, row: Row) -> Group:
        used = {name for names in self.where.values() for name in names}
        meta = row.rest(*used)
        name = row.identity(*self.where.get("id", ()))
        if self.where.get("group"):
            meta["group"] = str(self._one(row, "group"))
        sides, judgements = self._pair(row) if self.pair else self._single(row)
        user, session = (self._optional(row, role) for role in ("user", "session"))
        return Group(name, self._prompt(row), sides, judgements, user=user, session=session, meta=meta)

    def _one(self, row: Row, role: str) -> Any:
        """The value of a role's first column, or its constant; None where it is absent or null."""
        names = self.where.get(role, ())
        if not names:
            return None
        return names[0][1:-1] if names[0][0] in "'\"" else row.fields.get(names[0])

    def _optional(self, row: Row, role: str) -> str | None:
        found = self._one(row, role)
        return None if found is None else str(found)

    def _number(self, row: Row, role: str) -> float | None:
        found = self._one(row, role)
        return None if found is None else row.as_number(role, found)

    def _text(self, row: Row, role: str) -> str | None:
        """A side's text; None where the role is not named."""
        if role not in self.where:
            return None
        found = self._one(row, role)
        if found is None:
            column = "+".join(self.where[role])
            raise row.bad(
                "missing-field", f"{column}: {'null' if column in row.fields else 'missing'}; it is {ROLES[role]}"
            )
        if isinstance(found, int | float):
            return str(found)
        return row.as_text("+".join(self.where[role]), found)

    def _prompt(self, row: Row) -> Prompt | None:
        names = self.where.get("prompt", ())
        if not names:
            return None
        if len(names) == 1 and isinstance(row.fields.get(names[0]), list):
            return as_messages(row.fields[names[0]], names[0], row)
        parts = [row.optional_text(name) for name in names]
        if parts[0] is None:
            row.value(names[0])
        text = "\n\n".join(part for part in parts if part)
        if text.startswith('[{"role"'):
            try:
                return as_messages(json.loads(text), names[0], row)
            except ValueError:
                return text
        return text

    def _known(self, row: Row) -> dict[str, Any]:
        """What is said about a judgement besides its value."""
        return {
            "by": self._optional(row, "by"),
            "criterion": self._optional(row, "criterion"),
            "note": self._optional(row, "note"),
            "at": self._number(row, "at"),
        }

    def _pair(self, row: Row) -> tuple[tuple[Response, ...], tuple[Judgement, ...]]:
        first, second = self.pair or ("a", "b")
        bare = first == "source_a"
        sides = tuple(
            Response(text=None if bare else self._text(row, role), source=self._optional(row, source))
            for role, source in ((first, "source_a"), (second, "source_b"))
        )
        known = self._known(row) | {"strength": self._number(row, "strength")}
        if first == "chosen":
            return sides, (outcome_judgement("first", **known),)
        names = [self.where.get(role, (None,))[0] for role in (first, second)]
        sources = [sides[0].source, sides[1].source]
        if sources[0] == sources[1]:
            sources = [None, None]
        prob = self._one(row, "prob")
        judgements = []
        columns = self.where.get("winner", ())
        for column in columns:
            found = row.fields.get(column)
            if found is None or found == "":
                if prob is None:
                    row.missing.append(column)
                continue
            outcome = outcome_of(
                found, column, row, first=names[0], second=names[1], first_model=sources[0], second_model=sources[1]
            )
            by = column if len(columns) > 1 else known["by"]
            judgements.append(outcome_judgement(outcome, **{**known, "by": by}))
        if prob is not None:
            value = row.as_number(self.where["prob"][0], prob, low=0, high=1)
            outcomes = {item.outcome for item in judgements}
            outcome_said = outcomes.pop() if len(outcomes) == 1 else None
            judgements = [Judgement("comparison", on=(0, 1), value=value, outcome=outcome_said, **known)]
        elif not columns:
            row.missing.append(self.where.get("prob", ("prob",))[0])
        return sides, tuple(judgements)

    def _single(self, row: Row) -> tuple[tuple[Response, ...], tuple[Judgement, ...]]:
        if not self.per_response:
            return (), ()
        steps = tuple(str(step) for step in row.list(self.where["steps"][0])) if "steps" in self.where else None
        text = "\n".join(steps) if steps is not None and "response" not in self.where else self._text(row, "response")
        response = Response(text=text, source=self._optional(row, "source"), steps=steps)
        known = self._known(row)
        judgements = []
        scale: dict[str, Any] = {"low": self._number(row, "low"), "high": self._number(row, "high")}
        for role in ("rating", "label"):
            for column in self.where.get(role, ()):
                if row.rating(column, row.fields.get(column), **(scale if role == "rating" else {})) is None:
                    continue
                by = column if len(self.where[role]) > 1 else known["by"]
                if role == "label":
                    judgements.append(Judgement("label", on=(0,), value=float(row.flag(column)), **{**known, "by": by}))
                else:
                    value = row.as_number(column, row.fields[column])
                    judgements.append(Judgement("rating", on=(0,), value=value, **scale, **{**known, "by": by}))
        return (response,), tuple(judgements)


def _named(text: str, role: str, known: frozenset[str]) -> tuple[str, ...]:
    """The columns, or the constant, that a role stands for."""
    if text[:1] in "'\"" and len(text) > 1 and text[-1] == text[0]:
        return (text,)
    if text in known:
        return (text,)
    names = tuple(text.split("+"))
    if len(names) > 1 and role != "prompt" and role not in SEVERAL:
        raise SettingError(
            "unknown-column", f"--columns {role}={text}: only a prompt, winner, rating or label can join"
        )
    for name in names:
        if name not in known:
            if len(names) == 1 and _is_number(name):
                return (f"'{name}'",)
            guess = nearest(name, sorted(known))
            there = ", ".join(sorted(known)[:12])
            hint = f"did you mean `{guess}`?" if guess else f"the file has {there}"
            raise SettingError("unknown-column", f"--columns {role}={text}: the file has no column {name!r}", hint=hint)
    return names


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _guess(sample: Sample) -> tuple[float, Columns]:
    """How sure common names are, and the map they suggest."""
    fields = sample.fields
    found: dict[str, tuple[str, ...]] = {
        role: (name,) for role, names in ALIASES.items() if (name := next((n for n in names if n in fields), None))
    }
    if found.get("prompt") == ("instruction",) and "input" in fields:
        found["prompt"] = ("instruction", "input")
    extra = [role for role in ("by", "criterion", "strength", "note", "at", "id") if role in found]
    annotators = tuple(sorted(name for name in fields if name.startswith("annotator") and name[9:].isdigit()))
    if {"chosen", "rejected"} <= found.keys() and found["chosen"] != found["rejected"]:
        kept, score = ["prompt", "chosen", "rejected", "source_a", "source_b"], 0.4
        if isinstance(sample.first(found["chosen"][0]), bool):
            kept, score = [], 0.0
    elif {"a", "b"} <= found.keys() and (annotators or {"winner", "prob"} & found.keys()):
        kept, score = ["prompt", "a", "b", "winner", "prob", "source_a", "source_b"], 0.4
        if annotators:
            found["winner"] = annotators
    elif {"source_a", "source_b"} <= found.keys() and {"winner", "prob"} & found.keys():
        kept, score = ["prompt", "winner", "prob", "source_a", "source_b"], 0.4
    elif "prompt" in found and ("response" in found or "steps" in found) and found["prompt"] != found.get("response"):
        kept, score = ["prompt", "response", "steps", "rating", "label", "source", "low", "high"], 0.25
        score += 0.1 * ("rating" in found or "label" in found)
    else:
        return 0.0, Columns()
    if "label" in kept and "label" in found:
        value = sample.first(found["label"][0])
        if not isinstance(value, bool) and value not in (0, 1, "0", "1", "true", "false"):
            kept.remove("label")
    return score, Columns({role: found[role] for role in (*kept, *extra) if role in found})
