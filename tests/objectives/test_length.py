"""LD-DPO and R-DPO."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.objectives import DPO, IPO, LDDPO, RDPO, SFT, RaggedBatch, SimPO
from zermelo.objectives.length import unshared

WIN, REF_WIN = [-1.0, -2.0, -0.5, -1.5, -1.0], [-1.2, -1.8, -0.7, -1.2, -1.1]
LOSE, REF_LOSE = [-1.5, -1.0, -2.0], [-1.4, -1.1, -1.7]


@pytest.mark.parametrize(
    ("alpha", "reference", "eos_as_tail", "margin", "loss"),
    [
        (0.0, "both", False, 0.5, 0.668460),
        (0.5, "both", False, 0.4, 0.673347),
        (1.0, "both", False, 0.3, 0.678260),
        (0.0, "raw", False, 2.8, 0.562915),
        (0.5, "raw", False, 1.55, 0.618647),
        (1.0, "raw", False, 0.3, 0.678260),
        (0.0, "both", True, 0.0, 0.693147),
        (0.5, "both", True, 0.15, 0.685675),
        (1.0, "both", True, 0.3, 0.678260),
    ],
)
def test_desensitised_margins_computed_by_hand(make_batch, alpha, reference, eos_as_tail, margin, loss) -> None:
    batch = make_batch([WIN, LOSE], ref=[REF_WIN, REF_LOSE])
    item = LDDPO(DPO(beta=0.1), alpha=alpha, reference=reference, eos_as_tail=eos_as_tail)(batch).terms[0]
    assert float(item.metrics["margins"]) == pytest.approx(0.1 * margin, abs=1e-9)
    assert float(item.each) == pytest.approx(loss, abs=1e-6)


def test_an_answer_that_was_cut_has_no_end_token_to_move(make_batch) -> None:
    batch = make_batch([WIN, LOSE], ref=[REF_WIN, REF_LOSE], finished=[False, False])
    whole, cut = (LDDPO(eos_as_tail=e)(batch).terms[0].each for e in (False, True))
    torch.testing.assert_close(whole, cut)


@given(st.floats(0, 1), st.floats(-1, 1), st.booleans())
def test_a_drift_moves_the_margin_by_alpha_times_the_difference_of_lengths(alpha, drift, eos_as_tail) -> None:
    def margin(shift: float) -> float:
        batch = RaggedBatch(
            torch.tensor(WIN + LOSE, dtype=torch.float64) + shift,
            torch.tensor([0] * 5 + [1] * 3),
            torch.tensor([0, 0]),
            pairs=torch.tensor([[0, 1]]),
            logps_of={"ref": torch.tensor(REF_WIN + REF_LOSE, dtype=torch.float64)},
        )
        item = LDDPO(DPO(beta=1.0), alpha=alpha, eos_as_tail=eos_as_tail)(batch).terms[0]
        return float(item.metrics["margins"])

    assert margin(drift) - margin(0) == pytest.approx(alpha * drift * (5 - 3), abs=1e-9)


def test_at_the_reference_only_weighting_both_gives_log_two(make_batch) -> None:
    batch = make_batch([WIN, LOSE], ref=[WIN, LOSE])
    assert float(LDDPO(reference="both")(batch).terms[0].each) == pytest.approx(0.693147, abs=1e-6)
    assert float(LDDPO(reference="raw")(batch).terms[0].each) != pytest.approx(0.693147, abs=1e-3)


@pytest.mark.parametrize("base", [DPO(), IPO(), SimPO()], ids=repr)
def test_with_full_weight_it_is_its_base(pairs_abc, base) -> None:
    torch.testing.assert_close(LDDPO(base, alpha=1.0)(pairs_abc).terms[0].each, base(pairs_abc).terms[0].each)


def test_a_response_has_another_excess_in_each_of_its_pairs(make_batch) -> None:
    tokens = [[-1.0, -2.0, -3.0, -4.0], [-1.0, -1.0], [-2.0, -2.0, -2.0]]
    zero = [[0.0] * 4, [0.0] * 2, [0.0] * 3]
    batch = make_batch(tokens, ref=zero, groups=[0, 0, 0], pairs=[(0, 1), (0, 2), (2, 1)])
    item = LDDPO(DPO(beta=1.0), alpha=0.0, eos_as_tail=False)(batch).terms[0]
    assert item.metrics["chosen"].tolist() == [-3.0, -6.0, -4.0]
    assert item.metrics["rejected"].tolist() == [-2.0, -6.0, -2.0]


def test_unsharing_keeps_tokens_and_order(make_batch) -> None:
    batch = make_batch([[-1.0], [-2.0, -3.0], [-4.0]], groups=[0, 0, 0], pairs=[(1, 0), (1, 2)])
    copy, token = unshared(batch)
    assert copy.logps.tolist() == [-2.0, -3.0, -1.0, -2.0, -3.0, -4.0]
    assert token.tolist() == [1, 2, 0, 1, 2, 3]
    assert copy.pairs.tolist() == [[0, 1], [2, 3]]


def test_a_base_over_tokens_is_refused(pairs_abc) -> None:
    with pytest.raises(SettingError, match="terms over pairs only"):
        LDDPO(SFT())(pairs_abc)


def test_length_regularised_loss_computed_by_hand(make_batch) -> None:
    # m_w − m_l = 2, lengths 10 and 4
    batch = make_batch([(-10.0, 10), (-5.0, 4)], ref=[-11.0, -4.0])
    assert float(RDPO(alpha=0.05)(batch).terms[0].each) == pytest.approx(0.4740769842, abs=1e-9)
    assert float(RDPO(alpha=0.0)(batch).terms[0].each) == pytest.approx(0.5981388694, abs=1e-9)


def test_a_smoothed_label_flips_the_length_term_too(make_batch) -> None:
    batch = make_batch([(-10.0, 10), (-5.0, 4)], ref=[-11.0, -4.0])
    flipped = batch.with_(pairs=batch.pairs.flip(1))
    smooth = RDPO(epsilon=0.2)(batch).terms[0].each
    torch.testing.assert_close(smooth, 0.8 * RDPO()(batch).terms[0].each + 0.2 * RDPO()(flipped).terms[0].each)
