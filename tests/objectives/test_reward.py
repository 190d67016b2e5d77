"""Losses of reward models."""

from __future__ import annotations

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import BradleyTerryReward, RewardRegression


@pytest.fixture
def scored(make_batch):
    rewards = [1.2, 0.4, 0.3, 0.5, -0.5, -2.0]
    return make_batch([(-1.0, 1)] * 6, margin=[0.0, 0.5, 1.0], extra={"reward": ("responses", rewards)})


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (BradleyTerryReward(), [0.371101, 0.798139, 0.201413]),
        (BradleyTerryReward(margin=1.0), [0.371101, 1.103186, 0.474077]),
        (BradleyTerryReward(centre=0.01), [0.371101 + 0.0256, 0.798139 + 0.0064, 0.201413 + 0.0625]),
    ],
    ids=repr,
)
def test_bradley_terry_computed_by_hand(objective, expected, scored) -> None:
    assert objective(scored).terms[0].each.tolist() == pytest.approx(expected, abs=1e-6)


def test_soft_labels_weigh_both_orders(scored) -> None:
    soft = BradleyTerryReward(soft=True)(scored.with_(prob=torch.full((3,), 0.5).double())).terms[0].each
    one, two = (BradleyTerryReward()(scored.with_(pairs=p)).terms[0].each for p in (scored.pairs, scored.pairs.flip(1)))
    torch.testing.assert_close(soft, 0.5 * (one + two))


def test_regression_is_the_squared_error(scored) -> None:
    batch = scored.with_(scores=torch.tensor([1.0, float("nan"), 0.5, 0.5, 0.0, 0.0], dtype=torch.float64))
    item = RewardRegression()(batch).terms[0]
    assert item.index.tolist() == [0, 2, 3, 4, 5]
    assert item.each.tolist() == pytest.approx([0.04, 0.04, 0.0, 0.25, 4.0])


def test_a_missing_head_is_named(make_batch) -> None:
    with pytest.raises(SettingError, match=r"extra\['reward'\]"):
        BradleyTerryReward()(make_batch([(-1.0, 1), (-2.0, 1)]))
