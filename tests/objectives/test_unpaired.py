"""KTO and BCO: single labelled responses and what is taken over the whole step."""

from __future__ import annotations

import pytest
import torch

from zermelo.objectives import BCO, KTO, APOZeroUnpaired, Step


def test_kto_computed_by_hand(pairs_abc) -> None:
    batch = pairs_abc.with_(labels=torch.tensor([1.0, 0.0] * 3, dtype=torch.float64), stats={"z0": 0.3})
    each = KTO(beta=0.1)(batch).terms[0].each
    assert each[0::2].tolist() == pytest.approx([0.482507, 0.532454, 0.507499], abs=1e-6)
    assert each[1::2].tolist() == pytest.approx([0.467546, 0.505000, 0.492501], abs=1e-6)


def mismatched(make_batch, gaps: list[float]):
    n = len(gaps)
    return make_batch(
        [(-1.0, 1)] * n,
        ref=[-1.0] * n,
        groups=list(range(n)),
        labels=[1.0] * n,
        extra={"mismatched": ("responses", gaps), "mismatched_ref": ("responses", [0.0] * n)},
    )


def test_baseline_of_kto_is_the_mean_over_all_micro_batches(make_batch) -> None:
    parts = [mismatched(make_batch, [-0.4, 0.9]), mismatched(make_batch, [0.4])]
    assert KTO().prepare(Step(parts))["z0"] == pytest.approx(0.3)
    assert KTO().prepare(Step([mismatched(make_batch, [-0.4, 0.9, 0.4])]))["z0"] == pytest.approx(0.3)


def test_baseline_of_kto_is_summed_over_ranks(make_batch) -> None:
    # another rank with a gap of 1.1 once: (0.9 + 1.1) / 4
    step = Step(
        [mismatched(make_batch, [-0.4, 0.9, 0.4])],
        reduce_sum=lambda t: t + torch.tensor([1.1, 1.0], dtype=torch.float64),
    )
    assert KTO().prepare(step)["z0"] == pytest.approx(0.5)


def test_baseline_of_kto_is_never_negative_and_skips_responses_without_a_partner(make_batch) -> None:
    assert KTO().prepare(Step([mismatched(make_batch, [-0.4, -0.9])]))["z0"] == 0.0
    assert KTO().prepare(Step([mismatched(make_batch, [0.4, float("nan")])]))["z0"] == pytest.approx(0.4)


def test_unlabelled_responses_are_left_out(pairs_abc) -> None:
    labels = torch.tensor([1.0, float("nan"), 0.0, float("nan"), 1.0, 0.0], dtype=torch.float64)
    assert KTO()(pairs_abc.with_(labels=labels)).terms[0].index.tolist() == [0, 2, 4, 5]


def test_weights_of_kto_multiply_and_never_enter_the_divisor(pairs_abc) -> None:
    batch = pairs_abc.with_(labels=torch.tensor([1.0, 0.0] * 3, dtype=torch.float64))
    one, two = KTO()(batch).terms[0], KTO(lam_good=4 / 3)(batch).terms[0]
    torch.testing.assert_close(two.each[0::2], one.each[0::2] * 4 / 3)
    torch.testing.assert_close(two.each[1::2], one.each[1::2])


def test_bco_without_a_shift_is_its_pair_form(pairs_abc) -> None:
    batch = pairs_abc.with_(labels=torch.tensor([1.0, 0.0] * 3, dtype=torch.float64))
    each = BCO(beta=0.1)(batch).terms[0].each.reshape(3, 2).sum(1)
    assert each.tolist() == pytest.approx([1.288793, 1.462856, 1.386294], abs=1e-6)


def test_shift_of_bco_moves_to_the_middle_of_the_two_means(pairs_abc) -> None:
    objective = BCO(beta=0.1, alpha=0.5)
    batch = pairs_abc.with_(labels=torch.tensor([1.0, 0, 1, 0, 1, 1], dtype=torch.float64))
    item = objective(batch).terms[0]
    sums = {f"bco/{name}": float(value.mean()) for name, value in item.metrics.items()}
    # β Δ: good 0.1, −0.1, 0, 0; bad −0.1, 0.05
    after = objective.update(objective.init_state(), sums)
    assert after["shift"] == pytest.approx(0.5 * 0.5 * (0.0 + (-0.025)))
    assert objective.update({"shift": 0.2}, {"bco/share_good": 1.0}) == {"shift": 0.2}


def test_without_a_baseline_it_is_kto_at_zero(pairs_abc) -> None:
    batch = pairs_abc.with_(labels=torch.tensor([1.0, 0.0] * 3, dtype=torch.float64))
    ours, kto = APOZeroUnpaired(lam_bad=1.5)(batch).terms[0], KTO(lam_bad=1.5)(batch).terms[0]
    torch.testing.assert_close(ours.each, kto.each)
    assert not APOZeroUnpaired().needs.mismatched
