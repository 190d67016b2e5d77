"""Agreement of boards: identities, hand-made figures, intervals."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.ranking.agreement import board_agreement
from zermelo.ranking.result import FitInfo, Ratings


def board(rating: list[float], error: float = 1e-6, names: str = "abcdefgh") -> Ratings:
    n = len(rating)
    info = FitInfo("by hand", 1, 0, 0.0, 0.0, 0.0)
    return Ratings(
        tuple(names[:n]), np.array(rating), np.eye(n) * error**2, info, np.ones(n), np.ones(n), np.zeros(n, np.int64)
    )


def test_gives_the_figures_worked_out_by_hand() -> None:
    found = board_agreement(board([5, 4, 3, 2, 1]), board([5, 3, 4, 1, 2]), k=2)
    assert found.spearman.value == pytest.approx(0.8) and found.kendall.value == pytest.approx(0.6)
    assert found.top.value == 0.5
    assert found.weighted.value > found.kendall.value  # the swaps are not at the top


def test_a_board_agrees_with_itself_and_disagrees_with_its_reverse() -> None:
    up, down = board([1, 2, 3, 4]), board([4, 3, 2, 1])
    assert board_agreement(up, up).kendall.value == 1.0 and board_agreement(up, down).weighted.value == -1.0


def test_uncertain_boards_have_wide_intervals() -> None:
    sharp = board_agreement(board([3, 2, 1, 0], 0.01), board([3, 2, 1, 0], 0.01)).kendall
    vague = board_agreement(board([3, 2, 1, 0], 1.0), board([3, 2, 1, 0], 1.0)).kendall
    assert sharp.high - sharp.low < 0.01 and vague.high - vague.low > 0.5


def test_boards_without_common_players_are_refused() -> None:
    with pytest.raises(DataError, match="0 common players"):
        board_agreement(board([1, 2, 3]), board([1, 2, 3], names="xyz"))
