"""The records: what survives the native file, what a dropped response takes with it, what makes prompts equal."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError
from zermelo.feedback import Group, Judgement, Message, Response, Span, prompt_key
from zermelo.feedback.records import check_judgement
from zermelo.feedback.schema import groups_from_arrow, groups_to_arrow

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.floats(allow_nan=False, width=32)
JSON = st.dictionaries(TEXT, st.one_of(st.none(), st.booleans(), st.integers(-9, 9), TEXT, st.lists(TEXT)), max_size=3)
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), TEXT, st.none() | JSON.filter(bool)),
    min_size=1,
    max_size=3,
).map(tuple)
PROMPTS = TEXT | MESSAGES
RESPONSES = st.builds(
    Response,
    text=st.none() | TEXT,
    messages=st.none() | MESSAGES,
    source=st.none() | TEXT,
    role=st.sampled_from(["answer", "test", "plan"]),
    prompt=st.none() | PROMPTS,
    steps=st.none() | st.lists(TEXT, max_size=3).map(tuple),
    answer=st.none() | TEXT,
    meta=JSON,
    token_ids=st.none() | st.lists(st.integers(0, 50_000), max_size=3).map(tuple),
    logprobs=st.none() | st.lists(NUMBERS, max_size=3).map(tuple),
    prompt_ids=st.none() | st.lists(st.integers(0, 50_000), max_size=3).map(tuple),
    finish=st.none() | st.sampled_from(["stopped", "cut", "error"]),
    sampling=st.none() | JSON.filter(bool),
    policy_version=st.none() | TEXT,
)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    responses = tuple(draw(st.lists(RESPONSES, min_size=2, max_size=4)))
    item = st.integers(0, len(responses) - 1)
    pair = st.permutations(range(len(responses))).map(lambda order: tuple(order[:2]))
    known = {"by": st.none() | TEXT, "criterion": st.none() | TEXT, "note": st.none() | TEXT, "at": st.none() | NUMBERS}
    judgement = st.one_of(
        st.builds(Judgement, st.just("rating"), st.tuples(item), value=NUMBERS, **known),
        st.builds(Judgement, st.just("comparison"), pair, value=st.floats(0, 1), shown=st.none() | pair, **known),
        st.builds(Judgement, st.just("ranking"), st.just((0, 1)), values=st.tuples(NUMBERS, NUMBERS), **known),
        st.builds(Judgement, st.just("label"), st.just(()), value=st.sampled_from([0.0, 1.0]), **known),
        st.builds(
            Judgement,
            st.just("critique"),
            st.tuples(item),
            text=TEXT,
            spans=st.none() | st.just((Span(0, 1, "error", 0.5),)),
        ),
    )
    return Group(
        id=draw(TEXT),
        prompt=draw(st.none() | PROMPTS),
        responses=responses,
        judgements=tuple(draw(st.lists(judgement, max_size=4))),
        origin=draw(st.sampled_from(["offline", "online", "calibration"])),
        user=draw(st.none() | TEXT),
        session=draw(st.none() | TEXT),
        meta=draw(JSON),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(groups(), min_size=1, max_size=3))
def test_any_group_survives_the_native_schema(many: list[Group]) -> None:
    assert list(groups_from_arrow(groups_to_arrow(many))) == many


def test_unlabelled_steps_stay_unlabelled() -> None:
    group = Group("g", "p", (Response("a\nb", steps=("a", "b")),), (Judgement("steps", (0,), values=(1.0, math.nan)),))
    (again,) = groups_from_arrow(groups_to_arrow([group]))
    assert again.judgements[0].values is not None
    assert math.isnan(again.judgements[0].values[1])


@settings(max_examples=60, deadline=None)
@given(groups(), st.data())
def test_judgements_follow_their_responses_when_some_are_dropped(group: Group, data: st.DataObject) -> None:
    kept = data.draw(
        st.permutations(range(len(group.responses))).flatmap(lambda o: st.integers(0, len(o)).map(lambda n: o[:n]))
    )
    less = group.keep_responses(kept)
    assert less.responses == tuple(group.responses[index] for index in kept)
    for judgement in less.judgements:
        check_judgement(judgement, len(less.responses))
    said = [(item.kind, [group.responses[i] for i in item.on], item.value) for item in group.judgements]
    for item in less.judgements:
        assert item.kind == "ranking" or (item.kind, [less.responses[i] for i in item.on], item.value) in said


def test_a_judgement_that_lost_a_response_goes_and_a_ranking_shrinks() -> None:
    group = Group(
        "g",
        "p",
        tuple(Response(text) for text in "abc"),
        (
            Judgement("comparison", (0, 1), value=1.0),
            Judgement("comparison", (2, 0), value=1.0, shown=(0, 2)),
            Judgement("ranking", (0, 1, 2), values=(2.0, 3.0, 1.0)),
        ),
    )
    less = group.keep_responses([2, 0])
    assert less.judgements == (
        Judgement("comparison", (0, 1), value=1.0, shown=(1, 0)),
        Judgement("ranking", (1, 0), values=(2.0, 1.0)),
    )


def test_a_text_and_one_user_message_are_one_prompt() -> None:
    assert prompt_key(" Why? ") == prompt_key((Message("user", "Why?"),))
    assert prompt_key("Why?") != prompt_key((Message("system", "Why?"),))
    assert prompt_key(None) != prompt_key("")
    assert len(prompt_key("Why?")) == 32


BAD = [
    (Judgement("rating", (0, 1), value=1.0), "bad-judgement"),
    (Judgement("rating", (2,), value=1.0), "bad-judgement"),
    (Judgement("rating", (0,), value=math.nan), "nan-score"),
    (Judgement("rating", (0,)), "missing-field"),
    (Judgement("rating", (0,), value=6.0, low=1.0, high=5.0), "off-scale"),
    (Judgement("comparison", (0,), value=1.0), "bad-judgement"),
    (Judgement("comparison", (0, 1), value=1.5), "off-scale"),
    (Judgement("ranking", (0, 1), values=(1.0,)), "bad-judgement"),
    (Judgement("ranking", (0, 0), values=(1.0, 2.0)), "bad-judgement"),
]


@pytest.mark.parametrize(("judgement", "code"), BAD, ids=str)
def test_a_judgement_that_does_not_fit_its_group_is_bad(judgement: Judgement, code: str) -> None:
    with pytest.raises(DataError) as found:
        check_judgement(judgement, 2, file="f.parquet", row=3)
    assert found.value.code == code
    assert "f.parquet:3" in str(found.value)
