"""Margin ranking and contrast of candidates: the catalogue's numbers."""

from __future__ import annotations

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import RaggedBatch
from zermelo.objectives.calibration import MarginRank, pairwise_infonce

SUMS, LENGTHS = (-10.0, -8.0, -12.0, -20.0), (10, 8, 10, 10)


def batch(scores: list[float]) -> RaggedBatch:
    """Candidates of these sums and lengths, each token alike; float64."""
    logps = torch.cat([torch.full((n,), s / n, dtype=torch.float64) for s, n in zip(SUMS, LENGTHS, strict=True)])
    owner = torch.repeat_interleave(torch.arange(4), torch.tensor(LENGTHS))
    return RaggedBatch(logps, owner, torch.zeros(4, dtype=torch.long), scores=torch.tensor(scores).double())


def value(objective: MarginRank, scores: list[float]) -> float:
    return float(objective(batch(scores)).terms[0].each.sum())


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (MarginRank(margin=0.1, scale=1.0, length_penalty=1.0), 0.033333),
        (MarginRank(margin=0.001, scale=0.1, length_penalty=2.0), 0.000500),
    ],
    ids=repr,
)
def test_margin_rank_computed_by_hand(objective: MarginRank, expected: float) -> None:
    assert value(objective, [4, 3, 2, 1]) == pytest.approx(expected, abs=1e-6)


def test_a_list_in_order_with_its_margins_costs_nothing_and_ties_ask_for_nothing() -> None:
    plain = MarginRank(margin=0.01, scale=1.0, length_penalty=0.0)
    assert value(plain, [3, 4, 2, 1]) == 0.0
    assert value(plain, [1, 1, 1, 1]) == 0.0
    assert value(plain, [1, 2, 3, 4]) > 0


def test_contrast_computed_by_hand() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    positive = torch.tensor([True, True, False, False])
    assert float(pairwise_infonce(vectors, positive)) == pytest.approx(0.479104, abs=1e-6)
    assert float(pairwise_infonce(vectors, positive, ordered=False)) == pytest.approx(0.591256, abs=1e-6)
    assert float(pairwise_infonce(7 * vectors, positive)) == pytest.approx(0.479104, abs=1e-6)


def test_wrong_settings_are_refused() -> None:
    for settings in ({"margin": 0.0}, {"scale": -1.0}, {"length_penalty": -1.0}):
        with pytest.raises(SettingError):
            MarginRank(**settings)
    with pytest.raises(SettingError):
        pairwise_infonce(torch.eye(3), torch.tensor([True, False, False]))
