from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.scorers.combine import Minimum, WeightedMean
from zermelo.scorers.judging import comparisons, ratings


@dataclass(frozen=True)
class Fixed:
    values: tuple[tuple[float, ...], ...]
    name: str = "fixed"

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        return [ratings(values, self.name) for values in self.values]


GROUPS = [Group("a", "?", (Response("1"), Response("2"))), Group("b", "?", (Response("3"),))]
A, B = Fixed(((1.0, 2.0), (3.0,))), Fixed(((10.0, 0.0), (float("nan"),)))


def values(scorer: WeightedMean | Minimum) -> list[list[float | None]]:
    return [[judgement.value for judgement in own] for own in scorer.score(GROUPS)]


def test_mean_and_minimum_of_two_scorers_computed_by_hand() -> None:
    assert values(WeightedMean((A, B))) == [[5.5, 1.0], []]
    assert values(WeightedMean((A, B), weights=(3.0, -1.0))) == [[-1.75, 1.5], []]
    assert values(Minimum((A, B))) == [[1.0, 0.0], []]


def test_scales_do_not_decide_where_they_are_taken_out() -> None:
    (first, second), _ = values(WeightedMean((A, B), scale="z"))
    assert first == pytest.approx(0.5 * (-1.2247449 + 1)) and second == pytest.approx(0.5 * (0 - 1))


def test_one_scorer_alone_is_itself() -> None:
    assert values(WeightedMean((A,), weights=(2.0,))) == [[1.0, 2.0], [3.0]] == values(Minimum((A,)))


def test_weights_must_fit() -> None:
    for wrong in ({"weights": (1.0,)}, {"weights": (0.0, 0.0)}):
        with pytest.raises(SettingError):
            WeightedMean((A, B), **wrong)  # type: ignore[arg-type]
    with pytest.raises(SettingError):
        Minimum(())


def test_rewards_become_the_probabilities_of_bradley_and_terry() -> None:
    (judgement,) = comparisons([1.0, float("nan"), 3.0], "r")
    assert judgement.on == (0, 2) and judgement.value == pytest.approx(0.1192029)
    assert comparisons([0.0, 5000.0], "r")[0].value == pytest.approx(0.0)
