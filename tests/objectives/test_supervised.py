"""Likelihood terms: what is selected and how it is normalised."""

from __future__ import annotations

import math

import pytest

from zermelo.objectives import RWR, SFT, weights_of


def mean(item, batch) -> float:
    w = weights_of(item, batch)
    return float((w * item.each).sum() / w.sum())


def test_three_normalisations_of_the_likelihood(make_batch) -> None:
    batch = make_batch([(-12.0, 6), (-4.0, 1)], groups=[0, 1])
    assert mean(SFT(of="all", nll="token_mean")(batch).terms[0], batch) == pytest.approx(16 / 7)
    assert mean(SFT(of="all", nll="sequence_mean")(batch).terms[0], batch) == pytest.approx((2 + 4) / 2)
    assert mean(SFT(of="all", nll="sum")(batch).terms[0], batch) == pytest.approx((12 + 4) / 2)


def test_learns_from_what_is_preferred_and_never_beaten(make_batch) -> None:
    ranking = make_batch([(-1.0, 1)] * 4, groups=[0, 0, 0, 1], pairs=[(1, 0), (1, 2), (0, 2)])
    assert SFT(nll="sum")(ranking).terms[0].index.tolist() == [1, 3]  # group 1 has no pair: all of it


def test_learns_from_the_good_or_from_the_best(make_batch) -> None:
    nan = float("nan")
    batch = make_batch(
        [(-1.0, 1)] * 6, groups=[0, 0, 0, 1, 1, 2], labels=[1, 0, nan, 1, 1, 0], scores=[1, 3, 3, nan, 2, nan]
    )
    assert SFT(of="good", nll="sum")(batch).terms[0].index.tolist() == [0, 3, 4]
    assert SFT(of="best", nll="sum")(batch).terms[0].index.tolist() == [1, 4]


def test_tokens_of_weight_zero_are_not_learnt(make_batch) -> None:
    batch = make_batch([[-1.0, -8.0, -3.0]], groups=[0], token_weight=[1.0, 0.0, 1.0])
    for nll in ("token_mean", "sequence_mean"):
        assert mean(SFT(of="all", nll=nll)(batch).terms[0], batch) == pytest.approx(2.0)


def test_reward_weights_are_exponential_advantages(make_batch) -> None:
    batch = make_batch([(-2.0, 1), (-3.0, 1), (-1.0, 1)], groups=[0, 0, 1], scores=[1.0, 0.0, float("nan")])
    item = RWR(tau=0.5, cap=0.8)(batch).terms[0]
    assert item.index.tolist() == [0, 1]
    assert item.each.tolist() == pytest.approx([2 * math.exp(0.8), 3 * math.exp(-1.0)])
