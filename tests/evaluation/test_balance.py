"""The balance score against worked numbers and its closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.evaluation.balance import balance_score, true_ece


def test_gives_the_score_worked_out_by_hand() -> None:
    assert balance_score([0.9, 0.8, 0.3, 0.6, 0.4], [1, 0, 0, 1, 1]) == pytest.approx(-0.12)


def test_is_the_true_miscalibration_where_it_points_one_way() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(400_000)
    q = p + 0.1 * (p - 0.5)
    assert true_ece(q, p) == pytest.approx(0.025, abs=1e-4)
    q = np.clip(q, 0, 1)
    assert true_ece(q, p) == pytest.approx(0.0227, abs=1e-4)
    assert balance_score(q, rng.random(400_000) < p) == pytest.approx(-0.0227, abs=2e-3)


def test_errors_of_both_signs_cancel() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(400_000)
    q = np.clip(p + 0.1, 0, 1)
    assert true_ece(q, p) == pytest.approx(0.095, abs=1e-3)
    assert abs(balance_score(q, rng.random(400_000) < p)) < 0.02


def test_refuses_what_is_no_probability() -> None:
    with pytest.raises(DataError, match="in \\[0, 1\\]"):
        balance_score([1.2], [1])
