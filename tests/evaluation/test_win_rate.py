from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.evaluation import WinRate, wins_by_score

nan = np.nan
PROBS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=20)


def test_ties_count_one_half() -> None:
    found = WinRate().measure([1, 1, 0.5, 0, nan])
    assert found.win_rate.value == pytest.approx(2.5 / 4)
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)


@given(PROBS)
def test_swapping_the_sides_gives_the_complement(prob: list[float]) -> None:
    there, back = WinRate(resamples=50).measure(prob), WinRate(resamples=50).measure(1 - np.array(prob))
    assert there.win_rate.value == pytest.approx(1 - back.win_rate.value)
    assert (there.win_rate.low, there.win_rate.high) == pytest.approx((1 - back.win_rate.high, 1 - back.win_rate.low))
    assert (there.wins, there.ties, there.test.p_value) == (back.losses, back.ties, back.test.p_value)


def test_prompts_are_resampled_whole() -> None:
    prob = np.random.default_rng(0).integers(0, 2, 60).astype(float)
    once = WinRate(seed=1).measure(prob).win_rate
    copied = WinRate(seed=1).measure(np.repeat(prob, 5), prompt=np.repeat(np.arange(60), 5))
    assert (copied.win_rate.low, copied.win_rate.high) == pytest.approx((once.low, once.high))
    assert copied.n_prompts == 60 and copied.wins == 5 * int(prob.sum())


def test_twenty_wins_of_twenty_are_not_certainty() -> None:
    found = WinRate().measure(np.ones(20)).win_rate
    assert found.value == 1 and found.low == pytest.approx(0.8389, abs=1e-4)  # Wilson
    assert WinRate().measure(np.full(20, 0.5)).win_rate.value == 0.5


def test_scores_are_compared_over_all_pairs_of_samples() -> None:
    wins = wins_by_score([[1, 0], [1, nan], [nan, nan]], [[0, 0, 1], [1, 1, nan], [1, 1, 1]])
    # 1 against (0, 0, 1): 2 wins, 1 tie; 0 against it: 2 ties, 1 loss
    np.testing.assert_allclose(wins, [(2 + 0.5 + 1) / 6, 0.5, nan])


@given(st.lists(st.integers(0, 2), min_size=2, max_size=6), st.lists(st.integers(0, 2), min_size=2, max_size=6))
def test_wins_by_score_of_both_sides_add_up_to_one(a: list[int], b: list[int]) -> None:
    there, back = wins_by_score([a], [b]), wins_by_score([b], [a])
    assert there[0] + back[0] == pytest.approx(1)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(SettingError, match="no comparison"):
        WinRate().measure([nan])
    with pytest.raises(SettingError, match=r"\[0, 1\]"):
        WinRate().measure([1.5])


def test_json_and_page_hold_the_figures() -> None:
    found = WinRate(resamples=100).measure([1, 0, 1, 0.5])
    assert found.to_json()["win_rate"] == pytest.approx(0.625)
    assert "62.5 %" in found.to_html()
