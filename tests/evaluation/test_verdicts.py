"""Comparisons in both orders from judged groups, and the audits on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.evaluation import PositionBias, SelfPreference, SideBySide
from zermelo.evaluation.verdicts import verdicts_of
from zermelo.feedback import Feedback, Group, Judgement, Response


def said(first: int, second: int, value: float, by: str, shown: tuple[int, ...] = ()) -> Judgement:
    outcome = {1.0: "first", 0.0: "second", 0.5: "tie"}.get(value)
    return Judgement("comparison", (first, second), value=value, outcome=outcome, by=by, shown=shown)


def group(number: int, *judgements: Judgement) -> Group:
    responses = (Response("one", source="zeta"), Response("two", source="alpha"))
    return Group(id=f"g{number}", prompt="why?", responses=responses, judgements=judgements)


@pytest.fixture
def feedback() -> Feedback:
    return Feedback.of(
        [
            group(1, said(0, 1, 1.0, "zeta", (0, 1)), said(0, 1, 0.0, "zeta", (1, 0)), said(0, 1, 1.0, "gold", (0, 1))),
            group(2, said(1, 0, 0.0, "zeta", (1, 0)), said(0, 1, 1.0, "zeta", (0, 1)), said(0, 1, 0.0, "zeta")),
            group(3, said(0, 1, 0.5, "zeta", (0, 1)), said(0, 1, 1.0, "zeta", (1, 0)), said(1, 0, 1.0, "gold", (1, 0))),
        ]
    )


def test_orders_and_names_are_sorted_out_as_by_hand(feedback: Feedback) -> None:
    found = verdicts_of(feedback.battles(), by="zeta")
    assert found.question == ("g1", "g2", "g3")
    assert set(found.a) == {"alpha"} and set(found.b) == {"zeta"}
    # P(alpha ≻ zeta): alpha shown first in the second verdict of g1, the first of g2, the second of g3
    np.testing.assert_array_equal(found.when_first, [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(found.when_second, [0.0, 0.0, 0.5])
    assert found.left_out == 1
    np.testing.assert_array_equal(found.preference_for("zeta"), [0.5, 1.0, 0.75])
    assert np.isnan(found.preference_for("nobody")).all()


def test_the_audits_take_them(feedback: Feedback) -> None:
    own = verdicts_of(feedback.battles(), by="zeta")
    place = PositionBias(resamples=20).measure(own.when_first, own.when_second)
    assert place.flips.value == pytest.approx(2 / 3)
    ranked = SideBySide(resamples=20, halvings=2).measure(own.question, own.a, own.b, own.when_first, own.when_second)
    assert ranked.table()[0]["system"] == "zeta"
    found = SelfPreference(resamples=20).measure(own.preference_for("zeta"), [1.0, np.nan, 0.0])
    assert found.by_judge.value == pytest.approx(75)


def test_without_known_orders_there_is_nothing_to_pair(feedback: Feedback) -> None:
    with pytest.raises(DataError, match="order"):
        verdicts_of(feedback.battles(), by="nobody")


def test_a_file_gives_the_same(feedback: Feedback, tmp_path: Path) -> None:
    path = tmp_path / "groups.parquet"
    feedback.write(str(path))
    again = verdicts_of(Feedback.read(str(path)).battles(), by="zeta")
    assert again.question == ("g1", "g2", "g3")
    np.testing.assert_array_equal(again.when_first, [1.0, 0.0, 0.0])
