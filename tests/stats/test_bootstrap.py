from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.stats import bootstrap_counts, bootstrap_mean, bootstrap_of

RNG = np.random.default_rng(3)
SKEWED = RNG.gamma(3, size=60)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_agrees_with_scipy(method: str) -> None:
    from scipy.stats import bootstrap as peer

    ours = bootstrap_mean(SKEWED, resamples=20_000, method=method, seed=1)  # type: ignore[arg-type]
    theirs = peer((SKEWED,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(2))
    limits = (theirs.confidence_interval.low, theirs.confidence_interval.high)
    # Monte Carlo error of a tail quantile over 20,000 draws: about 0.02 standard errors on either side
    assert (ours.low[0], ours.high[0]) == pytest.approx(limits, abs=0.06 * ours.standard_error[0])


def test_the_general_bootstrap_and_the_one_of_counts_draw_the_same_resamples() -> None:
    cluster = RNG.integers(0, 12, size=60)
    fast = bootstrap_mean(SKEWED, cluster=cluster, resamples=50, seed=5)
    slow = bootstrap_of(lambda x: float(x.mean()), SKEWED, cluster=cluster, resamples=50, seed=5)
    np.testing.assert_allclose(fast.draws, slow.draws, rtol=1e-12)


def test_clusters_widen_the_interval_of_repeated_rows() -> None:
    values, cluster = np.repeat(SKEWED, 8), np.repeat(np.arange(60), 8)
    rows, units = bootstrap_mean(values, seed=0), bootstrap_mean(values, cluster=cluster, seed=0)
    assert units.standard_error[0] == pytest.approx(np.sqrt(8) * rows.standard_error[0], rel=0.1)
    assert units.n_units == 60


def test_statistics_in_columns_share_their_resamples() -> None:
    both = bootstrap_mean(np.stack([SKEWED, 2 * SKEWED], axis=1), resamples=100)
    np.testing.assert_allclose(2 * both.draws[:, 0], both.draws[:, 1])


def test_missing_values_and_weights_enter_the_mean_as_they_should() -> None:
    found = bootstrap_mean([1.0, np.nan, 4.0], weight=[3.0, 9.0, 1.0])
    assert found.value[0] == pytest.approx(7 / 4)


def test_the_same_seed_gives_the_same_draws_whatever_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    first = bootstrap_mean(SKEWED, resamples=64, seed=9)
    monkeypatch.setattr("zermelo.stats.bootstrap.CHUNK", 60 * 7)
    again = bootstrap_mean(SKEWED, resamples=64, seed=9)
    np.testing.assert_allclose(first.draws, again.draws, rtol=1e-14)  # BLAS adds in another order


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_the_interval_of_a_mean_covers_about_as_often_as_it_says(method: str) -> None:
    rng, hits = np.random.default_rng(0), 0
    for trial in range(300):
        found = bootstrap_mean(rng.normal(1.0, 2.0, size=50), resamples=300, method=method, seed=trial)  # type: ignore[arg-type]
        hits += bool(found.low[0] <= 1.0 <= found.high[0])
    assert 0.90 <= hits / 300 <= 0.98  # 95 % ± 3 standard errors of 300 trials, and the small-sample loss


def test_one_unit_has_a_value_and_no_interval() -> None:
    found = bootstrap_mean([3.0])
    assert found.value[0] == 3.0 and np.isnan(found.low[0])


def test_nothing_to_resample_is_refused() -> None:
    with pytest.raises(SettingError, match="no unit"):
        bootstrap_counts(lambda counts: counts, 0)
    with pytest.raises(SettingError, match="percentile"):
        bootstrap_mean([1.0, 2.0], method="bc")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="differ in length"):
        bootstrap_of(lambda a, b: 0.0, [1.0], [1.0, 2.0])
