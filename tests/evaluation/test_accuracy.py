from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation import Accuracy, PairedAccuracy
from zermelo.stats import newcombe_paired, wilson

nan = np.nan


def test_one_sample_a_prompt_gives_wilson_newcombe_and_mcnemar() -> None:
    before, after = np.repeat([1, 1, 0, 0], [36, 2, 12, 0]), np.repeat([1, 0, 1, 0], [36, 2, 12, 0])
    found = PairedAccuracy().measure(before, after)
    assert found.gain == newcombe_paired(36, 12, 2, 0)
    assert (found.before, found.after) == (wilson(38, 50), wilson(48, 50))
    assert found.test.name == "McNemar (exact)" and (found.test.wins, found.test.losses) == (12, 2)


def test_the_gain_is_paired_by_prompt_and_weighs_prompts_equally() -> None:
    found = PairedAccuracy().measure([[1, 0], [0, 0], [nan, nan]], [[1, 1], [1, nan], [1, 1]])
    assert found.gain.value == pytest.approx((0.5 + 1.0) / 2)
    assert (found.n_prompts, found.n_unpaired) == (2, 1)


def test_more_samples_of_a_prompt_do_not_pass_for_more_prompts() -> None:
    rng = np.random.default_rng(0)
    chance = rng.random(200)
    once = (rng.random(200) < chance).astype(float)
    copied = Accuracy().measure(np.repeat(once[:, None], 16, axis=1))
    assert copied.high - copied.low == pytest.approx(
        wilson(once.sum(), 200).high - wilson(once.sum(), 200).low, rel=0.1
    )


def test_the_interval_of_the_gain_covers_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(1), 0
    for trial in range(200):
        skill = rng.beta(2, 2, size=80)
        before = (rng.random((80, 4)) < skill[:, None]).astype(float)
        after = (rng.random((80, 4)) < np.clip(skill + 0.1, 0, 1)[:, None]).astype(float)
        truth = float(np.mean(np.clip(skill + 0.1, 0, 1) - skill))
        gain = PairedAccuracy(resamples=300, seed=trial).measure(before, after).gain
        hits += gain.low <= truth <= gain.high
    assert 0.90 <= hits / 200 <= 0.99


def test_all_right_has_an_interval_with_width() -> None:
    assert Accuracy().measure(np.ones((30, 4))).low == pytest.approx(wilson(30, 30).low)


def test_the_summary_holds_plain_numbers_and_the_page_shows_them() -> None:
    found = PairedAccuracy(resamples=200).measure([[0, 1], [0, 0]], [[1, 1], [1, 0]])
    summary = found.to_json()
    assert summary["accuracy_gain"] == pytest.approx(summary["accuracy_after"] - summary["accuracy_before"])
    assert {"ci_low", "ci_high"} <= set(summary)
    assert "gain, points" in found.to_html() and "<svg" in found.to_html()


def test_prompts_that_do_not_match_are_refused() -> None:
    with pytest.raises(SettingError, match="3 prompts, after 2"):
        PairedAccuracy().measure([1, 0, 1], [1, 0])
    with pytest.raises(SettingError, match="no prompt"):
        PairedAccuracy().measure([nan, 1], [1, nan])
    with pytest.raises(SettingError, match="level"):
        PairedAccuracy(level=95)
