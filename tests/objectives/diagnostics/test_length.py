"""Length exploitation and truncation."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.objectives.diagnostics import length_controlled, length_use, truncated_share


def test_a_reward_that_is_length_is_found_out() -> None:
    gap = torch.tensor([4.0, -2, 1, 3])
    found = length_use(0.5 * gap + 1, gap, lengths_now=torch.tensor([30, 50]), lengths_start=torch.tensor([20, 20]))
    assert found.reward_correlation == pytest.approx(1.0)
    assert found.explained == pytest.approx(1.0)
    assert found.growth == pytest.approx(2.0)
    assert found.data_correlation == pytest.approx(0.5)


def test_equal_lengths_say_nothing() -> None:
    found = length_use(torch.tensor([1.0, 2.0]), torch.zeros(2))
    assert math.isnan(found.reward_correlation)
    assert math.isnan(found.growth)


def test_length_control_computed_by_hand() -> None:
    score = length_controlled(torch.tensor([0.6, 0.6]), torch.tensor([90.0, 40.0]), torch.tensor([60.0, 60.0]))
    assert score.tolist() == pytest.approx([0.4, 0.6])


def test_truncation_is_counted_by_side() -> None:
    finished = torch.tensor([True, False, True, False])
    shares = truncated_share(finished, torch.tensor([[0, 1], [2, 3]]))
    assert shares == {"all": 0.5, "chosen": 0.0, "rejected": 1.0}
    assert truncated_share(finished) == {"all": 0.5}
