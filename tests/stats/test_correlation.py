from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as peer

from zermelo.errors import SettingError
from zermelo.stats import kendall_tau, pearson, spearman


def test_gives_the_values_computed_by_hand() -> None:
    x, y = [1, 2, 3, 4, 5], [1, 3, 2, 5, 4]
    assert spearman(x, y).value == pytest.approx(0.8)
    assert kendall_tau(x, y).value == pytest.approx(0.6)
    assert kendall_tau([1, 2, 2, 3], [1, 2, 3, 3]).value == pytest.approx(0.8)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=25))
def test_agrees_with_scipy_also_with_ties(rows: list[tuple[int, int]]) -> None:
    x, y = np.array(rows, dtype=float).T
    if len(set(x)) < 2 or len(set(y)) < 2:
        return
    assert spearman(x, y, resamples=0).value == pytest.approx(peer.spearmanr(x, y).statistic)
    assert kendall_tau(x, y, resamples=0).value == pytest.approx(peer.kendalltau(x, y).statistic)
    assert pearson(x + 1e6, y, resamples=0).value == pytest.approx(peer.pearsonr(x, y).statistic, abs=1e-9)


@pytest.mark.parametrize(("ours", "theirs"), [(spearman, peer.spearmanr), (kendall_tau, peer.kendalltau)])
def test_each_resample_is_the_statistic_of_the_rows_drawn(ours, theirs) -> None:  # type: ignore[no-untyped-def]
    from zermelo.stats import bootstrap_of

    rng = np.random.default_rng(0)
    x = rng.integers(0, 8, 40).astype(float)
    y = x + rng.integers(0, 6, 40)
    slow = bootstrap_of(lambda a, b: theirs(a, b).statistic, x, y, resamples=40, seed=3).estimate()
    fast = ours(x, y, resamples=40, seed=3)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high))


def test_long_columns_are_sorted_instead_of_tabulated() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    y = x + rng.normal(size=2000)
    found = kendall_tau(x, y, resamples=20)
    assert found.value == pytest.approx(0.5, abs=0.05) and found.low < found.value < found.high


def test_clusters_are_drawn_whole() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    y = x + rng.normal(size=50)
    once = spearman(x, y, seed=2)
    four = spearman(np.repeat(x, 4), np.repeat(y, 4), cluster=np.repeat(np.arange(50), 4), seed=2)
    assert (four.low, four.high) == pytest.approx((once.low, once.high), abs=0.02)


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingError, match="same"):
        spearman([1, 2], [1, 2, 3])
    with pytest.raises(SettingError, match="no row"):
        pearson([np.nan], [1.0])
    with pytest.raises(SettingError, match="infinite"):
        kendall_tau([np.inf, 1.0], [1.0, 2.0])
