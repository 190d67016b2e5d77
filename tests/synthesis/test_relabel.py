"""Reward-augmented pairs."""

from __future__ import annotations

from collections import Counter

import pytest

from zermelo.errors import SettingError
from zermelo.feedback.preferences import preferences
from zermelo.feedback.records import Group, Judgement, Message, Response
from zermelo.synthesis.relabel import RewardAugment, goal_prompt


def scored(name: str, win: float, lose: float, prompt="Say hello.") -> Group:
    ratings = [Judgement("rating", on=(i,), value=v, low=1, high=10) for i, v in ((0, win), (1, lose))]
    stated = Judgement("comparison", on=(0, 1), value=1.0)
    return Group(name, prompt, (Response(f"{name} good"), Response(f"{name} bad")), (*ratings, stated))


def test_every_pair_becomes_two_and_each_answer_wins_once() -> None:
    groups = [scored("a", 9, 4), scored("b", 7, 6.5)]
    found = RewardAugment().relabel(groups)
    assert len(found.groups) == 4
    won = Counter(g.responses[p.win].text for g in found.groups for p in preferences(g))
    lost = Counter(g.responses[p.lose].text for g in found.groups for p in preferences(g))
    assert won == lost == Counter(r.text for g in groups for r in g.responses)


def test_the_goal_is_the_score_of_the_answer_that_wins() -> None:
    for group in RewardAugment().relabel([scored("a", 9, 4), scored("b", 7, 6.5)]).groups:
        (pair,) = preferences(group)
        rating = next(j.value for j in group.judgements if j.kind == "rating" and j.on == (pair.win,))
        assert group.meta["goal"] == rating
        assert f"score: {rating:g}" in group.prompt[0].content


def test_ties_inversions_and_missing_scores_are_left_out_and_counted() -> None:
    bare = Group("d", "p", (Response("x"), Response("y")), (Judgement("comparison", on=(0, 1), value=1.0),))
    found = RewardAugment().relabel([scored("a", 5, 5), scored("b", 2, 6), bare])
    assert (found.groups, found.ties, found.inverted, found.unscored) == ((), 1, 1, 1)


def test_the_goal_joins_what_the_prompt_has() -> None:
    chat = (Message("system", "Be kind."), Message("user", "Hi"))
    told = goal_prompt(chat, 10)
    assert [turn.role for turn in told] == ["system", "user"]
    assert told[0].content.endswith("Be kind.")
    assert chat[0].content == "Be kind."
    without = goal_prompt("Hi", 9.5, mode="user")
    assert [turn.role for turn in without] == ["user"]
    assert "score: 9.5" in without[0].content
    assert without[0].content.endswith("Hi")
    with pytest.raises(SettingError, match="user turn"):
        goal_prompt((Message("system", "x"),), 1, mode="user")


def test_several_attributes_have_a_line_each() -> None:
    group = scored("a", 9, 4)
    rated = [
        Judgement("rating", on=(i,), value=v, criterion=c)
        for c, values in (("help", (8, 3)), ("honesty", (6, 5)))
        for i, v in enumerate(values)
    ]
    made = RewardAugment(criteria=("help", "honesty")).relabel([group.with_judgements(rated)]).groups
    assert made[0].meta["goal"] == {"help": 8.0, "honesty": 6.0}
    assert "Target honesty: 6" in made[0].prompt[0].content
