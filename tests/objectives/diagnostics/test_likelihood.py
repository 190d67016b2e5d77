"""Classification of a run, and where the mass went."""

from __future__ import annotations

import pytest
import torch

from zermelo.objectives.diagnostics import displacement, gainers, predicted_gain


@pytest.mark.parametrize(
    ("chosen", "rejected", "kind", "displaced"),
    [
        (1.0, -2.0, "as wanted", False),
        (-1.0, -3.0, "both down", True),
        (-3.0, -1.0, "both down", False),
        (2.0, 1.0, "both up", False),
        (-1.0, 2.0, "inverted", False),
        (0.0, 0.0, "unchanged", False),
        (0.0, -1.0, "as wanted", False),
    ],
)
def test_names_what_the_run_did(chosen: float, rejected: float, kind: str, displaced: bool) -> None:
    start = torch.tensor([-10.0, -12.0])
    found = displacement(start + chosen, start + rejected, start, start)
    assert (found.kind, found.displaced) == (kind, displaced)
    assert found.margin == pytest.approx(chosen - rejected)


def test_counts_the_pairs_that_fell() -> None:
    start = torch.zeros(4)
    assert displacement(torch.tensor([-1.0, -1, -1, 9]), start - 1, start, start).falling == 0.75


def test_mass_goes_where_the_unembedding_points() -> None:
    unembedding = torch.tensor([(5.0, 0.0), (10.0, 5.0), (-5.0, -5.0)])
    lift = predicted_gain(unembedding, 0, 1)
    assert lift.tolist() == [-25.0, -75.0, 50.0]
    ids, gain = gainers(torch.tensor([0.787, 0.107, 0.106]).log(), torch.tensor([0.013, 0.001, 0.986]).log(), k=1)
    assert ids.tolist() == [2]
    assert float(gain[0]) == pytest.approx(0.88, abs=1e-6)
