"""Random groups for property tests, and naive loops over groups that views must agree with."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from zermelo.feedback import Group, Judgement, Message, Response, Span

NAMES = st.sampled_from(["gpt", "llama", "é–猫", ""])
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant", "tool"]), TEXT, st.none() | st.just({"name": "x"})),
    max_size=3,
).map(tuple)
JSON = st.dictionaries(st.sampled_from(["k", "猫", ""]), st.none() | st.integers(-5, 5) | TEXT, max_size=2)
RESPONSE = st.builds(
    Response,
    text=st.none() | TEXT,
    messages=st.none() | MESSAGES,
    source=st.none() | NAMES,
    role=st.sampled_from(["answer", "test"]),
    prompt=st.none() | TEXT | MESSAGES,
    steps=st.none() | st.lists(TEXT, max_size=3).map(tuple),
    answer=st.none() | TEXT,
    meta=JSON,
    token_ids=st.none() | st.lists(st.integers(0, 2**31 - 1), max_size=3).map(tuple),
    logprobs=st.none() | st.lists(NUMBER, max_size=3).map(tuple),
    prompt_ids=st.none() | st.lists(st.integers(0, 99), max_size=2).map(tuple),
    finish=st.sampled_from([None, "stopped", "cut", "error"]),
    sampling=st.none() | st.just({"temperature": 0.5}),
    policy_version=st.none() | TEXT,
)
SPAN = st.builds(Span, st.integers(0, 5), st.integers(5, 9), NAMES, NUMBER)


@st.composite
def judgements(draw: st.DrawFn, n: int) -> Judgement:
    """A judgement on some of `n` ≥ 1 responses that keeps the table of `Judgement`."""
    index = st.integers(0, n - 1)
    said: dict[str, Any] = {
        "by": draw(st.none() | NAMES),
        "criterion": draw(st.sampled_from([None, "help", "truth"])),
        "at": draw(st.none() | NUMBER),
        "strength": draw(st.none() | NUMBER),
        "note": draw(st.none() | TEXT),
        "shown": draw(st.none() | st.permutations(range(n)).map(tuple)),
        "spans": draw(st.none() | st.lists(SPAN, max_size=2).map(tuple)),
    }
    kind = draw(st.sampled_from(["rating", "comparison", "ranking", "label", "steps", "critique", "event"]))
    if kind == "rating":
        return Judgement(kind, (draw(index),), value=float(draw(st.integers(1, 3))), low=1.0, high=3.0, **said)
    if kind == "comparison":
        value = draw(st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]))
        outcome = draw(st.sampled_from([None, "first", "second", "tie", "both_bad"]))
        return Judgement(kind, (draw(index), draw(index)), value=value, outcome=outcome, **said)
    if kind == "ranking":
        on = tuple(draw(st.lists(index, unique=True, max_size=n)))
        return Judgement(kind, on, values=tuple(float(draw(st.integers(1, 3))) for _ in on), **said)
    if kind == "label":
        on = tuple(draw(st.lists(index, max_size=2)))
        return Judgement(kind, on, value=draw(st.none() | st.sampled_from([0.0, 1.0])), **said)
    if kind == "steps":
        values = st.lists(st.sampled_from([math.nan, -1.0, 0.0, 1.0]), max_size=3)
        return Judgement(kind, (draw(index),), values=tuple(draw(values)), **said)
    return Judgement(kind, tuple(draw(st.lists(index, max_size=1))), text=draw(TEXT), **said)


@st.composite
def groups(draw: st.DrawFn, name: str) -> Group:
    """One group with that id."""
    responses = tuple(draw(st.lists(RESPONSE, max_size=4)))
    said = draw(st.lists(judgements(len(responses)), max_size=6)) if responses else []
    return Group(
        name,
        draw(st.none() | TEXT | MESSAGES),
        responses,
        tuple(said),
        origin=draw(st.sampled_from(["offline", "online", "calibration"])),
        user=draw(st.none() | NAMES),
        session=draw(st.none() | NAMES),
        meta=draw(JSON),
    )


@st.composite
def collections(draw: st.DrawFn, max_size: int = 6) -> list[Group]:
    """Several groups with ids of their own."""
    return [draw(groups(f"g{i}")) for i in range(draw(st.integers(0, max_size)))]


def same(one: object, other: object) -> bool:
    """Equality in which NaN equals NaN."""
    return repr(one) == repr(other)
