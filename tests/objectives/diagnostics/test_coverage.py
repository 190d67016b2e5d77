"""Coverage coefficients on finite response sets."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives.diagnostics import coverage_coefficients, largest_in_ball

REF = torch.tensor([0.5, 0.3, 0.2])


def test_an_uncovered_response_is_infinite_everywhere_and_finite_nearby() -> None:
    policies = torch.tensor([[0.5, 0.5, 0.0], [0.6, 0.3, 0.1], [0.0, 0.0, 1.0]])
    data = torch.tensor([0.7, 0.3, 0.0])
    assert coverage_coefficients(policies, data, REF, eps=0.4).everywhere == math.inf
    covered = torch.tensor([0.6, 0.2, 0.2])
    found = coverage_coefficients(policies, covered, REF, eps=0.05)
    assert found.everywhere == pytest.approx(5.0)
    assert found.nearby == pytest.approx(1.5)  # only the second policy is within the ball


def test_over_all_policies_the_ball_is_solved_exactly() -> None:
    found = coverage_coefficients(None, REF, REF, eps=0.1)
    assert found.everywhere == pytest.approx(5.0)
    peaks = [largest_in_ball(p, 0.1) / p for p in (0.5, 0.3, 0.2)]
    assert found.nearby == pytest.approx(max(peaks), rel=1e-6)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
def test_the_peak_lies_on_the_edge_of_the_ball(p: float) -> None:
    q = largest_in_ball(p, 0.05)
    assert q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)) == pytest.approx(0.05, abs=1e-9)
    assert largest_in_ball(p, 0.0) == pytest.approx(p, abs=1e-7)
    assert largest_in_ball(p, 100.0) == 1.0


def test_a_negative_radius_is_refused() -> None:
    with pytest.raises(SettingError, match="eps"):
        coverage_coefficients(None, REF, REF, eps=-1.0)
