"""Mending pays on the style world, and its figures are those of the seeds."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.doctor.payoff import Payoff, halves, payoff, style_groups
from zermelo.worlds.replies import replies


def test_figures_computed_by_hand() -> None:
    found = Payoff(clean=(0.9, 0.8), flipped=(0.7, 0.6), mended=(0.85, 0.7))
    assert found.lost.value == pytest.approx(0.2)
    assert found.gained.value == pytest.approx(0.125)
    assert found.regained == pytest.approx(0.625)
    assert found.half_or_more.value == pytest.approx(0.025)
    assert np.isnan(Payoff((0.5,), (0.5,), (0.6,)).regained)


def test_a_head_trained_after_the_fix_is_better_than_one_on_flipped_labels() -> None:
    found = payoff(lambda seed: style_groups(seed, n_train=400, n_test=300), seeds=(1, 2), l2=0.03)
    assert found.lost.value > 0
    assert found.gained.value > 0


def test_parts_share_no_prompt() -> None:
    train, test = halves(replies(60, seed=0))(3)
    assert len(train) + len(test) == 60
    assert not {group.prompt for group in train} & {group.prompt for group in test}


def test_the_style_world_prefers_what_it_rewards() -> None:
    from zermelo.worlds.style import Notes

    train, test = style_groups(5, n_train=40, n_test=20)
    assert (len(train), len(test)) == (40, 20)
    for group in train:
        one, other = (Notes().reward(group, item.content) for item in group.responses)
        assert (one > other) == (group.judgements[0].value == 1.0)
