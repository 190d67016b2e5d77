"""Stages from easy to hard pairs."""

from __future__ import annotations

import pytest

from zermelo.errors import SettingError
from zermelo.feedback.curricula import mean_ratings, pair_curriculum, stage_groups
from zermelo.feedback.records import Group, Judgement, Response

RATINGS = [[9.0, 7.0, 4.0, 2.0], [3.0, 8.0, 7.5, 1.0]]


def test_stages_hold_falling_gaps_with_the_best_always_chosen() -> None:
    found = pair_curriculum(RATINGS, seed=None)
    assert [[pair.gap for pair in stage if pair.group == 0] for stage in found.stages] == [[7.0], [5.0], [2.0]]
    assert all(pair.win == (0, 1)[pair.group] for stage in found.stages for pair in stage)
    assert sum(len(stage) for stage in found.stages) == 2 * 3


def test_the_anti_curriculum_is_the_reverse_and_pooled_is_one_stage() -> None:
    hard = pair_curriculum(RATINGS[:1], order="hard_first").stages
    assert [stage[0].gap for stage in hard] == [2.0, 5.0, 7.0]
    assert [len(stage) for stage in pair_curriculum(RATINGS, order="pooled").stages] == [6]
    assert [pair.gap for pair in pair_curriculum(RATINGS, order="best_worst", seed=None).stages[0]] == [7.0, 7.0]


def test_ties_with_the_best_are_left_out_and_counted() -> None:
    found = pair_curriculum([[5.0, 5.0, 1.0, None]])
    assert (found.ties, [len(stage) for stage in found.stages]) == (1, [1])
    assert pair_curriculum([[4.0], [None, 3.0]]).stages == ()


def test_another_measure_of_difficulty_orders_the_stages() -> None:
    found = pair_curriculum([[9.0, 7.0, 4.0]], gaps=[[0.0, -9.0, -1.0]])
    assert [(stage[0].lose, stage[0].gap) for stage in found.stages] == [(1, 9.0), (2, 1.0)]


def test_order_within_a_stage_depends_on_the_seed_alone() -> None:
    many = [[float(i), 0.0] for i in range(1, 30)]
    assert pair_curriculum(many, seed=1) == pair_curriculum(many, seed=1)
    assert pair_curriculum(many, seed=1) != pair_curriculum(many, seed=2)


def test_a_stage_is_groups_with_one_comparison_each() -> None:
    group = Group(
        "g",
        "p",
        (Response("a"), Response("b")),
        tuple(Judgement("rating", on=(i,), value=v, low=0, high=5) for i, v in ((0, 1.0), (0, 3.0), (1, 4.0))),
    )
    assert mean_ratings(group) == [2.0, 4.0]
    (made,) = stage_groups([group], pair_curriculum([mean_ratings(group)]).stages[0])
    stated = [judgement for judgement in made.judgements if judgement.kind == "comparison"]
    assert [(judgement.on, judgement.strength) for judgement in stated] == [((1, 0), 2.0)]


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(SettingError, match="easy_first"):
        pair_curriculum(RATINGS, order="random")
