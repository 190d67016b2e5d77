"""WildBench's figures, recomputed; the length-margin rule's invariants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError
from zermelo.evaluation.wildbench import ClassCounts, five_classes, macro_score, wb_mix, wb_reward, wb_score


@pytest.mark.parametrize(
    ("counts", "reward"),
    [
        ((81, 322, 128, 306, 72), 0.0166015625),
        ((81, 171, 313, 272, 72), -0.04052734375),
        ((81, 263, 192, 301, 72), -0.009765625),
        ((31, 117, 51, 427, 333), -0.4462890625),
        ((31, 95, 337, 163, 333), -0.328125),
    ],
)
def test_rewards_equal_the_published_ones(counts, reward) -> None:
    found = ClassCounts(*counts, total=1024)
    assert found.reward == reward
    assert found.swapped().reward == -reward


def test_the_score_of_a_model_is_that_of_the_board() -> None:
    assert wb_score([7.970645792563601]) == pytest.approx(5.9412915851272015)
    with pytest.raises(DataError, match="from 1 to 10"):
        wb_score([11])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_the_margin_only_turns_slight_wins_into_ties(seed) -> None:
    rng = np.random.default_rng(seed)
    strength = rng.integers(-2, 3, 40).astype(float)
    a, b = rng.integers(0, 3000, 40), rng.integers(0, 3000, 40)
    free = five_classes(strength, a, b, margin=-1)
    previous = free
    for margin in (3000, 1000, 500, 0):
        now = five_classes(strength, a, b, margin=margin)
        assert (now.win_much, now.lose_much) == (free.win_much, free.lose_much)
        assert now.tie >= previous.tie
        assert wb_reward(-strength, b, a, margin=margin) == pytest.approx(-now.reward)
        previous = now
    assert five_classes(strength, a, b, margin=10_000) == free


def test_a_reference_gets_nothing_against_itself() -> None:
    assert wb_mix({"a": 0.9, "b": 0.3}, model="a") == pytest.approx(0.15)


def test_the_board_is_recomputed(shared_data: Path) -> None:
    import pandas as pd

    board = pd.read_csv(shared_data / "wildbench" / "pairwise_board.csv")
    whole = board[board.category == "all"]
    for row in whole.itertuples():
        counts = ClassCounts(row.win_much, row.win, row.tie, row.lose, row.lose_much, int(row.total))
        assert counts.reward == pytest.approx(row.reward, abs=1e-9)
    scores = pd.read_csv(shared_data / "wildbench" / "score_board.csv")
    for _, row in scores.iterrows():
        assert macro_score(row[4:9].to_dict()) == pytest.approx(row["task_macro_score"], abs=1e-6)
    items = pd.read_parquet(shared_data / "wildbench" / "item_scores.parquet")
    ours = (
        items[(items.version == "v2.0625") & (items.judge == "gpt-4o-2024-05-13")]
        .groupby("model")
        .score.apply(wb_score)
    )
    published = scores.set_index("model").adjusted_score
    both = ours.index.intersection(published.index)
    assert len(both) == 5
    np.testing.assert_allclose(ours[both], published[both], atol=1e-4)
