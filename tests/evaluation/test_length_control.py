from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation import LengthControlledWinRate


def judged(quality: float, slope: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    length, other = rng.gamma(5, 60, n) + 120, rng.gamma(5, 60, n)
    gap = length - other
    logit = quality + slope * np.tanh(gap / gap.std(ddof=1))
    return (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(float), length, other


def test_recovers_the_rate_at_equal_lengths_of_a_judge_who_likes_long_answers() -> None:
    p, length, other = judged(quality=-0.4, slope=1.5, n=20_000, seed=3)
    found = LengthControlledWinRate(resamples=20).measure(p, length, other)
    assert found.controlled.value == pytest.approx(1 / (1 + np.exp(0.4)), abs=0.015)
    assert found.slope.value == pytest.approx(1.5, abs=0.08)
    assert found.raw.value > 0.5 > found.controlled.value


def test_agrees_with_an_unpenalised_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    p, length, other = judged(quality=0.3, slope=0.8, n=500, seed=1)
    gap = length - other
    z = np.tanh(gap / gap.std(ddof=1))[:, None]
    peer = LogisticRegression(C=1e10).fit(z, p)
    found = LengthControlledWinRate(ridge=1e-9, resamples=2).measure(p, length, other)
    assert found.slope.value == pytest.approx(peer.coef_[0, 0], abs=1e-3)
    assert found.controlled.value == pytest.approx(1 / (1 + np.exp(-peer.intercept_[0])), abs=1e-4)


def test_equal_lengths_change_nothing() -> None:
    p = np.random.default_rng(0).random(50)
    found = LengthControlledWinRate(resamples=100).measure(p, np.full(50, 80.0), np.full(50, 80.0))
    assert found.controlled.value == pytest.approx(found.raw.value, abs=1e-12)
    assert found.slope.value == 0 and found.longer == 0.5


def test_a_heavy_ridge_leaves_the_raw_rate() -> None:
    p, length, other = judged(quality=-0.4, slope=1.5, n=300, seed=5)
    found = LengthControlledWinRate(ridge=1e6, resamples=20).measure(p, length, other)
    assert abs(found.slope.value) < 1e-3 and found.controlled.value == pytest.approx(found.raw.value, abs=1e-3)


def test_swapping_sides_gives_the_complement_and_units_do_not_matter() -> None:
    p, length, other = judged(0.2, 1.0, 300, 2)
    settings = LengthControlledWinRate(resamples=50)
    there, back = settings.measure(p, length, other), settings.measure(1 - p, other, length)
    assert there.controlled.value == pytest.approx(1 - back.controlled.value, abs=1e-8)
    assert there.slope.value == pytest.approx(back.slope.value, abs=1e-6)
    scaled = settings.measure(p, 7 * length + 30, 7 * other + 30)
    assert scaled.controlled.value == pytest.approx(there.controlled.value, abs=1e-9)


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    hits = 0
    for trial in range(120):
        p, length, other = judged(-0.4, 1.5, 250, 100 + trial)
        found = LengthControlledWinRate(resamples=200, seed=trial).measure(p, length, other).controlled
        hits += found.low <= 1 / (1 + np.exp(0.4)) <= found.high
    assert 0.88 <= hits / 120 <= 0.99  # 95 % ± 3 standard errors of 120 trials


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_sure_outcomes_and_lengths_that_separate_stay_finite(outcome: float) -> None:
    gap = np.arange(40.0)
    sure = LengthControlledWinRate(resamples=50).measure(np.full(40, outcome), gap, np.zeros(40))
    assert sure.controlled.value == pytest.approx(outcome, abs=1e-4)
    split = LengthControlledWinRate(resamples=50).measure(gap > 19, gap, np.full(40, 19.5))
    assert np.isfinite(split.slope.value) and split.controlled.value == pytest.approx(0.5, abs=0.02)


def test_is_near_the_published_fit_of_alpacaeval(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    folder = shared_data / "alpaca_eval"
    baseline = pq.read_table(folder / "baseline.parquet", columns=["instruction_id", "output_1"]).to_pydict()
    length_of = dict(zip(baseline["instruction_id"], map(len, baseline["output_1"]), strict=True))
    # (raw %, length-controlled %) by sklearn, L1 with cross-validation, of the same two-parameter model
    published = {
        "gpt-3.5-turbo-1106": (9.177965, 37.7739),
        "NullModel": (76.919792, 84.6852),
        "gemma-2b-it": (3.401971, 6.6486),
    }
    table = pq.read_table(folder / "annotations_dev.parquet", filters=[("model", "in", list(published))]).to_pylist()
    checked = 0
    for model, (raw, controlled) in published.items():
        rows = [row for row in table if row["model"] == model]
        if not rows:
            continue
        checked += 1
        own = [len(row["output"]) for row in rows]
        other = [length_of[row["instruction_id"]] for row in rows]
        found = LengthControlledWinRate(resamples=50).measure([row["preference"] for row in rows], own, other)
        assert 100 * found.raw.value == pytest.approx(raw, abs=1e-5)
        assert 100 * found.controlled.value == pytest.approx(controlled, abs=1.5)  # their penalty, chosen by folds
        assert found.slope.value > 0
    assert checked


def test_rows_without_lengths_are_left_out_and_none_left_is_refused() -> None:
    settings = LengthControlledWinRate(resamples=20)
    assert settings.measure([1, 0, 1, 1], [3, 4, 5, np.nan], [4, 4, 4, 4]).n_prompts == 3
    with pytest.raises(SettingError, match="both lengths"):
        settings.measure([1.0], [np.nan], [1.0])
    with pytest.raises(SettingError, match="2 comparisons and 1"):
        settings.measure([1, 0], [1], [2])
