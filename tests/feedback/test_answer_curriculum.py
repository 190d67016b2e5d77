"""Curricula of answer re-ranking: the catalogue's numbers, limits, symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gaussian_kde

from zermelo.errors import SettingError
from zermelo.feedback.answer_curriculum import AnswerCurriculum

SCORES = (9, 7, 4, 2, 1)


@pytest.mark.parametrize(
    ("ease", "expected"),
    [
        ("normalised", [1, 0.75, 0.375, 0.125, 0]),
        ("kde", [0.8543, 0.7140, 0.4628, 0.2774, 0.1914]),
        ("reciprocal_rank", [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]),
    ],
)
def test_eases_computed_by_hand(ease: str, expected: list[float]) -> None:
    assert AnswerCurriculum(ease=ease).eases(SCORES) == pytest.approx(expected, abs=5e-5)  # type: ignore[arg-type]


def test_the_density_is_that_of_scipy() -> None:
    kde = gaussian_kde(SCORES, "scott")
    expected = [kde.integrate_box_1d(-np.inf, s) for s in SCORES]
    assert AnswerCurriculum("kde").eases(SCORES) == pytest.approx(expected, abs=1e-9)


def test_weights_computed_by_hand() -> None:
    plan = AnswerCurriculum("reciprocal_rank")
    e = plan.eases(SCORES)
    assert plan.pair_weights(e[1:2], e[3:4]) == pytest.approx([0.625], abs=1e-7)
    assert plan.pair_weights(e[1:2], e[[[2, 3]]]) == pytest.approx([(1 / 2 - 1 / 3 + 1) / 2], abs=1e-7)
    assert plan.point_weights([0.2, 0.2], [True, False]) == pytest.approx([0.2, 0.8], abs=1e-7)
    assert [float(plan.weights(0.3, i)) for i in (0, 5, 20, 99)] == pytest.approx([0.3, 0.475, 1, 1])


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 30))
def test_swapping_the_documents_turns_the_weight_round(good: float, bad: float, epoch: int) -> None:
    plan, anti = AnswerCurriculum(), AnswerCurriculum(anti=True)
    d = plan.pair_weights([good], [bad])
    assert d + plan.pair_weights([bad], [good]) == pytest.approx(1, abs=1e-6)
    assert d + anti.pair_weights([good], [bad]) == pytest.approx(1, abs=1e-6)
    assert 0 < plan.weights(d, epoch) <= 1 + 1e-7


def test_equal_scores_are_half_easy_and_a_single_document_too() -> None:
    for ease in ("normalised", "kde"):
        assert AnswerCurriculum(ease).eases([3, 3, 3]).tolist() == [0.5] * 3  # type: ignore[arg-type]
        assert AnswerCurriculum(ease).eases([3]).tolist() == [0.5]  # type: ignore[arg-type]


def test_wrong_settings_are_refused() -> None:
    for settings in ({"ease": "bm25"}, {"epochs": 0}):
        with pytest.raises(SettingError):
            AnswerCurriculum(**settings)  # type: ignore[arg-type]
    with pytest.raises(SettingError):
        AnswerCurriculum().eases([1, float("nan")])
