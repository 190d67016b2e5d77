"""Rewards and values from logits."""

from __future__ import annotations

import pytest
import torch

from zermelo.objectives.diagnostics import soft_value, token_rewards


def test_value_computed_by_hand() -> None:
    assert float(soft_value(torch.tensor([2.0, 1.0, 0.0]), beta=1.0)) == pytest.approx(2.4076060, abs=1e-6)


def test_values_telescope() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 5, generator=rng, dtype=torch.float64)
    ratio = torch.randn(6, generator=rng, dtype=torch.float64)
    value = soft_value(logits, beta=0.7)
    total = token_rewards(ratio, value, beta=0.7).sum()
    torch.testing.assert_close(total, 0.7 * ratio.sum() + value[0] - value[-1])


def test_advantage_is_the_log_probability() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(0.5 * logits - soft_value(logits, beta=0.5), 0.5 * logits.log_softmax(0))
