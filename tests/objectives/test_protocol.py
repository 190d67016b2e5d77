"""Composition, state and statistics of composed objectives."""

from __future__ import annotations

import pytest
import torch

from zermelo.objectives import BCO, DPO, KTO, LCPO, SFT, Linear, Step, Sum, Weighted, has_gradient_rule, prepares


def test_a_sum_keeps_the_axis_of_each_term(pairs_abc) -> None:
    losses = (DPO() + 0.1 * SFT())(pairs_abc)
    assert [(item.over, item.scale) for item in losses] == [("pairs", 1.0), ("tokens", 0.1)]


def test_numbers_multiply_and_schedules_are_evaluated() -> None:
    assert 2 * (DPO() * 0.5) == Weighted(DPO(), 1.0)
    mixed = DPO() + Linear(1.0, 0.0) * SFT()
    assert mixed.at(0.25) == Sum((DPO(), Weighted(SFT(), 0.75)))
    assert LCPO(DPO(beta=Linear(0.1, 0.3))).at(0.5).base.beta == pytest.approx(0.2)
    assert DPO().at(0.5) == DPO()


def test_parts_of_a_sum_keep_their_own_state_and_statistics(make_batch) -> None:
    objective = BCO(beta=0.1) + 0.5 * KTO(beta=0.1)
    batch = make_batch(
        [(-1.0, 1), (-2.0, 1)],
        ref=[-1.5, -1.5],
        labels=[1.0, 0.0],
        extra={"mismatched": ("responses", [0.5, 0.7]), "mismatched_ref": ("responses", [0.0, 0.0])},
    )
    state = objective.init_state()
    assert state == {"0": {"shift": 0.0}, "1": {}}
    stats = objective.prepare(Step([batch.with_(state=state)]))
    assert stats == {"0": {}, "1": {"z0": pytest.approx(0.6)}}
    losses = objective(batch.with_(state={"0": {"shift": 0.2}, "1": {}}, stats=stats))
    torch.testing.assert_close(losses.terms[1].each, KTO()(batch.with_(stats=stats["1"])).terms[0].each)
    torch.testing.assert_close(losses.terms[0].each, BCO()(batch.with_(state={"shift": 0.2})).terms[0].each)


def test_only_what_has_a_statistic_asks_for_the_extra_pass() -> None:
    assert prepares(KTO())
    assert prepares(DPO() + 0.1 * KTO())
    assert not prepares(DPO() + 0.1 * SFT())
    assert not prepares(LCPO(DPO()))
    assert not has_gradient_rule(DPO())


def test_needs_of_a_sum_are_the_union() -> None:
    needs = (DPO() + KTO() + SFT(of="all")).needs
    assert needs.pairs
    assert needs.labels
    assert needs.mismatched
    assert needs.policies == ("ref",)
