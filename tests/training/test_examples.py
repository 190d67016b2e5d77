"""What is derived from judgements, and what is left out and counted."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import pytest

from zermelo.errors import DataError, ZermeloWarning
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.objectives.protocol import Needs
from zermelo.training.examples import make_examples
from zermelo.training.settings import OfflineSettings

PAIRS = Needs(pairs=True)


def two(name: str, *judgements: Judgement, a: str = " yes", b: str = " no") -> Group:
    return Group(name, "1+1=", (Response(a), Response(b)), judgements)


def first(value: float = 1.0, **more) -> Judgement:
    return Judgement("comparison", (0, 1), value=value, **more)


def test_stated_pairs_keep_side_probability_strength_and_annotator(policy) -> None:
    group = two("a", first(0.2, by="x", strength=2.0), first(0.9, by="y"), first(0.5, by="z"))
    made = make_examples([group], policy, PAIRS, OfflineSettings())
    pairs = made.items[0].pairs
    assert [(p.win, p.lose, p.prob, p.margin, made.annotators[p.annotator]) for p in pairs] == [
        (1, 0, 0.8, 2.0, "x"),
        (0, 1, 0.9, 0.0, "y"),
    ]
    assert made.counts["ties"] == 1


def test_ratings_become_pairs_only_when_asked(policy, rated) -> None:
    made = make_examples(rated, policy, PAIRS, OfflineSettings(derive="all"))
    assert all(len(item.pairs) == 6 for item in made.items)
    assert all(not item.pairs for item in make_examples(rated, policy, PAIRS, OfflineSettings()).items)


def test_scores_come_from_ratings_then_rankings_then_labels_then_comparisons(policy) -> None:
    def scores(*judgements: Judgement) -> tuple[float, ...]:
        return make_examples([two("a", *judgements)], policy, Needs(scores=True), OfflineSettings()).items[0].scores

    label = Judgement("label", (1,), value=1.0)
    ranking = Judgement("ranking", (0, 1), values=(2.0, 1.0))
    ratings = [Judgement("rating", (0,), value=3.0), Judgement("rating", (0,), value=4.0)]
    assert scores(first()) == (1.0, 0.0)
    assert scores(first(), ranking) == (-2.0, -1.0)
    assert scores(first(), ranking, *ratings)[0] == 3.5
    assert math.isnan(scores(first(), label)[0]) and scores(first(), label)[1] == 1.0


def test_labels_are_stated_or_follow_from_comparisons(policy) -> None:
    def labels(*judgements: Judgement) -> tuple[float, ...]:
        return make_examples([two("a", *judgements)], policy, Needs(labels=True), OfflineSettings()).items[0].labels

    assert labels(first()) == (1.0, 0.0)
    stated = labels(first(), Judgement("label", (0,), value=0.0))
    assert stated[0] == 0.0 and math.isnan(stated[1])


def test_only_the_criterion_asked_for_counts(policy) -> None:
    group = two("a", first(criterion="help"), first(0.0, criterion="harm"))
    made = make_examples([group], policy, PAIRS, OfflineSettings(criterion="harm"))
    assert [(p.win, p.lose) for p in made.items[0].pairs] == [(1, 0)]


def test_suspicious_groups_are_left_out_and_counted(policy) -> None:
    groups = [two("a", first()), two("b", first(), b=" yes"), two("c", first(), b="  ")]
    with pytest.warns(ZermeloWarning, match="2 of 3 groups are suspicious"):
        made = make_examples(groups, policy, PAIRS, OfflineSettings())
    assert [item.id for item in made.items] == ["a"]
    assert made.counts["suspicious/identical-responses"] == 1 and made.counts["suspicious/empty-response"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = make_examples(groups, policy, PAIRS, OfflineSettings(keep_suspicious=True))
    assert len(kept) == 3


class TestOverlong:
    groups = (two("a", first()), two("b", first(), a=" " + "y" * 40), two("c", first(), b=" " + "n" * 40))

    def test_dropped_with_their_pairs_and_counted_by_side(self, policy) -> None:
        with pytest.warns(
            ZermeloWarning, match=r"2 of 6 responses \(33.3%: 1 chosen, 1 rejected\) exceed max_tokens=20"
        ):
            made = make_examples(self.groups, policy, PAIRS, OfflineSettings(max_tokens=20))
        assert [item.id for item in made.items] == ["a"]
        assert made.counts["overlong/chosen"] == made.counts["overlong/rejected"] == 1

    def test_cut_and_then_not_finished(self, policy) -> None:
        with pytest.warns(ZermeloWarning, match="they are cut"):
            made = make_examples(self.groups, policy, PAIRS, OfflineSettings(max_tokens=20, overlong="cut"))
        assert [item.id for item in made.items] == ["a", "b", "c"]
        assert [r.finished for r in made.items[1].responses] == [False, True]
        assert made.counts["unfinished"] == 2
        assert (made.counts["overlong/chosen"], made.counts["overlong/rejected"]) == (1, 1)

    def test_an_error_where_asked(self, policy) -> None:
        with pytest.raises(DataError, match="20 fit"):
            make_examples(self.groups, policy, PAIRS, OfflineSettings(max_tokens=20, overlong="error"))


def test_nothing_left_says_why(policy) -> None:
    with pytest.warns(ZermeloWarning), pytest.raises(DataError, match=r"none of 1 groups.*1 suspicious.*reads pairs"):
        make_examples([two("a", first(), b=" yes")], policy, PAIRS, OfflineSettings())
    unscored = replace(two("a"), judgements=())
    with pytest.raises(DataError, match="without a label"):
        make_examples([unscored], policy, Needs(labels=True), OfflineSettings())


def test_weights_of_the_data_reach_pairs_and_responses(policy) -> None:
    group = replace(two("a", first()), meta={"weight": 0.25})
    item = make_examples([group], policy, PAIRS, OfflineSettings()).items[0]
    assert item.weight == 0.25 and item.pairs[0].weight == 0.25
