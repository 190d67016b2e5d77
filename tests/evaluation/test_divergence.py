from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation import Divergence

# two positions, three symbols each; the second position depends on the first symbol
PI = (np.array([0.5, 0.3, 0.2]), np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [1 / 3, 1 / 3, 1 / 3]]))
REF = (np.array([0.4, 0.4, 0.2]), np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]]))


def kl(p: np.ndarray, q: np.ndarray) -> float:
    return float((p * np.log(p / q)).sum())


TRUTH = kl(PI[0], REF[0]) + sum(PI[0][s] * kl(PI[1][s], REF[1][s]) for s in range(3))


def every_answer() -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """All nine answers with their probability: the mean over them is exact, no sampling."""
    logps, refs, weight, exact = [], [], [], []
    for s in range(3):
        for t in range(3):
            logps.append(np.log([PI[0][s], PI[1][s, t]]))
            refs.append(np.log([REF[0][s], REF[1][s, t]]))
            weight.append(PI[0][s] * PI[1][s, t])
            exact.append(np.array([kl(PI[0], REF[0]), kl(PI[1][s], REF[1][s])]))
    return logps, refs, np.array(weight), exact


def test_k1_and_k3_are_unbiased_and_k2_is_not() -> None:
    logps, refs, weight, exact = every_answer()
    for over in ("token", "sequence"):
        # k of each answer alone, weighted by its probability
        each = [Divergence(over=over, resamples=1).measure([a], [b]) for a, b in zip(logps, refs, strict=True)]  # type: ignore[arg-type]
        for name, bias in (("k1", 0.0), ("k3", 0.0)):
            mean = sum(w * getattr(e, name).value for w, e in zip(weight, each, strict=True))
            assert mean == pytest.approx(TRUTH + bias, abs=1e-12)
        k2 = sum(w * e.k2.value for w, e in zip(weight, each, strict=True))
        assert k2 != pytest.approx(TRUTH, abs=1e-3) and k2 == pytest.approx(TRUTH, rel=0.2)
    mean = sum(w * float(e.sum()) for w, e in zip(weight, exact, strict=True))
    assert mean == pytest.approx(TRUTH)


def test_samples_give_the_true_kl_within_their_interval() -> None:
    rng = np.random.default_rng(0)
    logps, refs, weight, exact = every_answer()
    drawn = rng.choice(9, size=4000, p=weight)
    found = Divergence().measure([logps[i] for i in drawn], [refs[i] for i in drawn], exact=[exact[i] for i in drawn])
    assert found.exact is not None and found.kl is found.exact
    for estimate in (found.k1, found.k3, found.exact):
        assert estimate.low - 0.003 <= TRUTH <= estimate.high + 0.003
    assert found.exact.high - found.exact.low < found.k3.high - found.k3.low < found.k1.high - found.k1.low
    assert found.per_token.value == pytest.approx(found.k1.value / 2)


def test_the_reference_itself_is_at_distance_zero() -> None:
    found = Divergence().measure([[-1.0, -2.0], [-3.0]], [[-1.0, -2.0], [-3.0]])
    assert (found.k1.value, found.k2.value, found.k3.value) == (0, 0, 0)


def test_far_answers_do_not_become_nan() -> None:
    found = Divergence(over="sequence").measure([[-1000.0], [-1.0]], [[-1.0], [-1000.0]])
    assert np.isfinite(found.k1.value) and not np.isnan(found.k3.value)


def test_answers_that_do_not_match_are_refused() -> None:
    with pytest.raises(SettingError, match="answer 1"):
        Divergence().measure([[-1.0], [-1.0]], [[-1.0], [-1.0, -2.0]])
    with pytest.raises(SettingError, match="expected as many"):
        Divergence().measure([[-1.0]], [])
    with pytest.raises(SettingError, match="over"):
        Divergence(over="word")  # type: ignore[arg-type]


def test_json_and_page_hold_the_figures() -> None:
    found = Divergence(resamples=50).measure([[-1.0], [-2.0], [-1.5]], [[-1.5], [-2.5], [-1.0]])
    assert found.to_json()["kl"] == pytest.approx(found.k3.value)
    assert "nat per answer" in found.to_html()
