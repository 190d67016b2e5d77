from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.search import (
    best_of_n,
    label_table,
    majority_vote,
    minimum_bayes_risk,
    score_table,
    soft_best_of_n,
    weighted_majority,
)


def group(name: str, answers: str, scores: Sequence[float | None], by: str = "rm") -> Group:
    return Group(
        id=name,
        prompt="?",
        responses=tuple(Response(text=f"so it is {a}", answer=None if a == "-" else a) for a in answers),
        judgements=tuple(
            Judgement(kind="rating", on=(i,), by=by, value=s) for i, s in enumerate(scores) if s is not None
        ),
    )


GROUPS = [group("one", "abba", [0.9, 0.2, 0.3, 0.1]), group("two", "bb-", [0.5, 0.5, None]), group("none", "--", [])]


def test_best_of_n_takes_the_highest_score_and_the_first_of_equals() -> None:
    found = best_of_n(GROUPS)
    assert found.index == (0, 0, -1)
    assert found.counts == {"unscored": 1}
    assert best_of_n([group("x", "abc", [0.1, 0.2, 0.9])], n=2).index == (1,)
    kept = found.apply(GROUPS)
    assert [len(g.responses) for g in kept] == [1, 1] and kept[0].judgements[0].on == (0,)


def test_votes_count_answers_and_weigh_them() -> None:
    assert majority_vote(GROUPS).index == (0, 0, -1)
    assert majority_vote(GROUPS).counts == {"unanswered": 3, "tied": 1}
    assert weighted_majority([group("x", "abb", [0.5, 0.2, 0.4])]).index == (2,)
    assert weighted_majority([group("x", "abb", [0.9, 0.2, 0.4])]).index == (0,)


def test_random_choices_depend_on_the_group_and_not_on_its_place() -> None:
    there = soft_best_of_n(GROUPS[:2], temperature=1.0, seed=4).index
    assert soft_best_of_n(GROUPS[1::-1], temperature=1.0, seed=4).index == there[::-1]
    assert soft_best_of_n(GROUPS, temperature=0, seed=1).index[2] == -1
    assert majority_vote(GROUPS, tie="random").index == majority_vote(GROUPS, tie="random").index


def test_minimum_bayes_risk_prefers_the_middle_of_the_crowd() -> None:
    texts = ["the cat sat", "the cat sat down", "dogs bark", "", "the cat sat there"]
    found = minimum_bayes_risk([Group("g", "?", tuple(Response(text=t) for t in texts))])
    assert found.index == (0,) and found.counts == {"empty": 1}
    assert minimum_bayes_risk([Group("g", "?", (Response(text=""),))]).index == (-1,)


def test_a_scorer_object_is_asked_and_stored_scores_are_not() -> None:
    @dataclass
    class Longest:
        name: str = "longest"

        def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
            return [
                tuple(Judgement("rating", (i,), self.name, float(len(r.content))) for i, r in enumerate(g.responses))
                for g in groups
            ]

    assert best_of_n([group("x", "ab", [0.9, 0.1])], scorer=Longest()).index == (0,)
    longer = Group("y", "?", (Response(text="a"), Response(text="aaa")), (Judgement("rating", (0,), "rm", 9.0),))
    assert best_of_n([longer], scorer=Longest()).index == (1,)


def test_several_annotators_are_never_mixed_silently() -> None:
    mixed = GROUPS[0].with_judgements([Judgement(kind="label", on=(1,), by="verifier", value=1.0)])
    with pytest.raises(DataError, match="rm, verifier"):
        best_of_n([mixed])
    assert best_of_n([mixed], scorer="verifier").index == (1,)
    np.testing.assert_array_equal(label_table([mixed])[0], [np.nan, 1, np.nan, np.nan])
    with pytest.raises(DataError, match="annotators: rm"):
        score_table(GROUPS, by="human")


def test_repeated_scores_of_one_annotator_are_averaged() -> None:
    twice = GROUPS[0].with_judgements([Judgement(kind="rating", on=(0,), by="rm", value=0.1)])
    assert score_table([twice])[0, 0] == pytest.approx(0.5)
