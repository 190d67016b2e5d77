"""BVPO: two terms, and the mixture of least mean squared error."""

from __future__ import annotations

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import BVPO, DPO, SFT, SimPO, mixing_of_traces, optimal_mixing


@pytest.fixture
def two_kinds(make_batch):
    return make_batch(
        [(-2.0, 2), (-3.0, 2)] * 3,
        ref=[-2.5, -2.0] * 3,
        extra={"empty_trace": ("responses", [0.0, 0.0, 1.0, 1.0, 0.0, 1.0])},
    )


def test_each_kind_of_pair_has_its_term_and_mixed_pairs_have_none(two_kinds) -> None:
    trace, empty = BVPO(DPO(), alpha=0.7)(two_kinds)
    assert (trace.index.tolist(), empty.index.tolist()) == ([0], [1])
    assert (trace.scale, empty.scale) == (pytest.approx(0.7), pytest.approx(0.3))
    torch.testing.assert_close(trace.each, DPO()(two_kinds).terms[0].each[[0]])


def test_best_mixture_computed_by_hand() -> None:
    best = optimal_mixing(4.0, 1.0, 0.5)
    assert (best.alpha, best.mse) == (pytest.approx(0.125), pytest.approx(0.9375))
    gaussian = optimal_mixing(4.51, 0.41, 0.05)
    assert (gaussian.alpha, gaussian.mse) == (pytest.approx(0.0746888, abs=1e-7), pytest.approx(0.3831120, abs=1e-7))
    assert optimal_mixing(1.0, 4.0, 2.0).alpha == 1.0  # clipped: B − C > A + B − 2C


def test_moments_are_estimated_from_traces_without_bias() -> None:
    rng = torch.Generator().manual_seed(0)
    truth, offset = torch.tensor([1.0, -2.0], dtype=torch.float64), torch.tensor([0.5, 0.4], dtype=torch.float64)
    found = []
    for _ in range(3000):
        traces = truth + 1.5 * torch.randn(16, 2, generator=rng, dtype=torch.float64)
        mixing = mixing_of_traces(traces, truth + offset)
        found.append([mixing.a, mixing.b])
    mean = torch.tensor(found).mean(0)
    # A = 2 · 1.5² = 4.5; B = 0.41, a little above for its floor at 0
    assert float(mean[0]) == pytest.approx(4.5, abs=0.1)
    assert float(mean[1]) == pytest.approx(0.41, abs=0.05)


def test_a_base_over_tokens_or_a_single_trace_is_refused(two_kinds) -> None:
    with pytest.raises(SettingError, match="terms over all pairs"):
        BVPO(SFT())(two_kinds)
    with pytest.raises(SettingError, match="at least two"):
        mixing_of_traces(torch.zeros(1, 3), torch.zeros(3))
    assert len(BVPO(SimPO())(two_kinds).terms) == 2
