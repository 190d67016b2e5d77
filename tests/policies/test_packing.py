"""Packing and balancing: budgets kept, nothing lost, nothing left to chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse
from zermelo.policies.packing import balance, microbatches, pack

sizes = st.lists(st.integers(1, 60), max_size=60)


@given(sizes=sizes, budget=st.integers(1, 100))
def test_every_item_is_in_one_row_and_no_row_exceeds_the_budget_unless_one_item_does(
    sizes: list[int], budget: int
) -> None:
    for rows in (pack(sizes, budget), balance(sizes, budget)):
        assert sorted(i for row in rows for i in row) == list(range(len(sizes)))
        limit = max([budget, *sizes])
        assert all(len(row) == 1 or sum(sizes[i] for i in row) <= limit for row in rows)


@given(sizes=sizes, budget=st.integers(60, 100))
def test_few_rows_are_used(sizes: list[int], budget: int) -> None:
    fewest = -(-sum(sizes) // budget)
    assert len(pack(sizes, budget)) <= 1.7 * fewest + 1


def test_best_fit_takes_the_fullest_row_that_still_has_room() -> None:
    # 6 and 5 open rows with 4 and 5 left; 4 goes where it leaves nothing
    assert pack([4, 6, 5], 10) == [[0, 1], [2]]


def test_equal_sizes_keep_their_order() -> None:
    assert pack([2, 2, 2, 2, 2], 4) == [[0, 1], [2, 3], [4]]


def test_without_a_budget_all_share_a_row() -> None:
    assert pack([3, 1, 2], None) == [[0, 1, 2]]
    assert pack([], None) == []


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="at least 1"):
        pack([1], 0)


def test_parts_are_balanced() -> None:
    parts = balance([9, 8, 1, 1, 1], 18)  # packing alone would give 18 and 2
    assert sorted(sum([9, 8, 1, 1, 1][i] for i in part) for part in parts) == [10, 10]


def test_microbatches_count_a_prompt_once() -> None:
    group = TokenGroup("a", (1,) * 10, (TokenResponse((2,) * 5), TokenResponse((3,) * 5)))
    assert microbatches(TokenGroups((group,) * 4), 40) == [[0, 2], [1, 3]]
