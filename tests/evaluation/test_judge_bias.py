"""Judging bias: identities of flips, planted cues, always-second judges, parsing, real judges in both orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.judge_bias import CueBias, PositionBias, read_choice
from zermelo.worlds.judges import SimulatedJudge

FEW = CueBias(resamples=100)
OPTIONS = st.integers(0, 2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(OPTIONS, OPTIONS, OPTIONS, OPTIONS), min_size=2, max_size=40))
def test_the_shares_of_flips_add_up(rows) -> None:
    plain, cued, right, target = map(list, zip(*rows, strict=True))
    found = FEW.measure(plain, cued, right, target)
    assert found.change.value == pytest.approx(found.helpful.value - found.harmful.value)
    assert found.change.value == pytest.approx(found.cued.value - found.plain.value)
    assert found.robust.value + found.harmful.value + found.helpful.value + found.neutral.value == pytest.approx(1)


def test_a_small_table_is_counted_as_by_hand() -> None:
    #        stays, stays, harmful, helpful, neutral, unparsed
    plain = [0, 0, 0, 1, 1, 0]
    cued = [0, 0, 1, 0, 2, np.nan]
    found = FEW.measure(plain, cued, [0] * 6, [1, 1, 1, 1, 2, 1], again=[0, 0, 1, 1, np.nan, 0])
    assert (found.n, found.left_out) == (5, 1)
    assert [found.harmful.value, found.helpful.value, found.neutral.value] == [0.2] * 3
    assert found.robust.value == pytest.approx(0.4)
    assert found.harm.value == pytest.approx(1 / 3)
    assert found.pull.value == pytest.approx(2 / 5 - 1 / 5)  # third and fifth with the cue, the fourth without
    assert found.unrest.value == pytest.approx(1 / 4)


def test_a_planted_cue_gives_the_robust_rate_of_its_probabilities() -> None:
    gap = np.abs(np.random.default_rng(0).normal(0, 1.5, 20_000))  # the first is always the better
    judge = SimulatedJudge(cues={"authority": 0.8, "nothing": 0.0}, seed=3)
    plain = judge.probability(gap)
    for cue in ("authority", "nothing"):
        cued = judge.probability(gap, pointed={cue: -1.0})
        found = FEW.measure(1 - judge.choose(plain), 1 - judge.choose(cued), np.zeros(20_000), np.ones(20_000))
        drop = float(np.abs(plain - cued).mean())  # same luck: flips exactly where the luck lies between the two
        assert found.robust.value == pytest.approx(1 - drop, abs=0.01)
        assert found.pull.value == pytest.approx(drop, abs=0.01)
        assert found.helpful.value == 0
    assert drop == 0


def test_a_judge_that_always_says_the_second() -> None:
    rng = np.random.default_rng(1)
    right = (rng.random(400) < 0.5).astype(float)
    found = PositionBias(resamples=100).measure(np.zeros(400), np.ones(400), right=right)
    assert (found.flips.value, found.first.value, found.accuracy.value) == (1.0, -0.5, 0.5)
    assert (found.both_right.value, found.by_place.value) == (0.0, -1.0)


def test_a_judge_without_bias_flips_only_by_luck() -> None:
    gap = np.random.default_rng(2).normal(0, 2, 3000)
    fair, led = SimulatedJudge(seed=4), SimulatedJudge(position=1.0, seed=4)
    for judge, low, high in ((fair, -1e-9, 1e-9), (led, 0.05, 0.5)):
        one = judge.choose(judge.probability(gap, shown=1.0))
        two = judge.choose(judge.probability(gap, shown=-1.0))
        found = PositionBias(resamples=100).measure(one, two)
        assert low <= found.first.value <= high
        assert np.isnan(found.accuracy.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A", "A"),
        ("I first thought of A, but the answer is B.", "B"),
        ("Answer: (A)", "A"),
        ("Verdict: [[b]]", "B"),
        ("The answer is A. No, wait: the better answer is B", "B"),
        ("Both A and B are fine.", None),
        ("A's style is good", None),
        ("neither", None),
    ],
)
def test_verdicts_are_read_and_never_guessed(text: str, said: str | None) -> None:
    assert read_choice(text) == said


def test_results_show_themselves() -> None:
    found = FEW.measure([0, 1], [0, 0], [0, 0], [1, 1])
    assert found.to_json()["unrest"]["value"] is None
    assert len(found.table()) == 10
    assert "robust" in found.to_html()
    place = PositionBias(resamples=10).measure([1, 0], [1, 1])
    assert place.to_json()["flips"]["value"] == 0.5
    assert "flips" in place.to_html()


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="number"):
        FEW.measure([0, 1], [0], [0], [1])
    with pytest.raises(SettingError, match="no item"):
        FEW.measure([np.nan], [0], [0], [1])
    with pytest.raises(DataError, match="P\\(a"):
        PositionBias().measure([2.0], [0.0])
    with pytest.raises(SettingError, match="both orders"):
        PositionBias().measure([np.nan], [0.0])
    with pytest.raises(DataError, match="number"):
        PositionBias().measure([1.0], [0.0, 1.0])


FLIPS = {"GPT-4": 5.8, "LLaMA2": 23.1, "PaLM2": 28.8, "ChatGPT": 31.3, "ChatGPT-0301": 40.5, "Falcon": 58.0}


def test_published_flips_and_accuracies_of_llmbar_are_found_again(shared_data: Path) -> None:
    import pandas as pd

    folder = shared_data / "llmbar"
    verdicts, items = pd.read_parquet(folder / "verdicts.parquet"), pd.read_parquet(folder / "items.parquet")
    said = pd.read_csv(folder / "published_statistics.csv")
    vanilla = verdicts[(verdicts["strategy"] == "Vanilla") & (verdicts["stage"] == "final")]
    for judge, rows in vanilla.groupby("judge"):
        table = rows.set_index(["subset", "item", "swapped"])["winner"].unstack()
        key = items.set_index(["subset", "item"])["label"].reindex(table.index)
        found = PositionBias(resamples=10).measure(
            2 - table[False].to_numpy(), 2 - table[True].to_numpy(), right=2 - key.to_numpy()
        )
        if found.left_out == 0:  # the authors count two unparsed verdicts as agreement
            assert 100 * found.flips.value == pytest.approx(FLIPS[judge], abs=0.05)
            row = said[(said["judge"] == judge) & (said["strategy"] == "Vanilla")]
            assert found.both_right.value == pytest.approx(row["correct_both"].sum() / row["n"].sum())
            right = (row["correct_unswapped"] + row["correct_swapped"]).sum()
            assert found.accuracy.value == pytest.approx(right / (2 * row["n"].sum()))
        else:
            assert 100 * found.flips.value == pytest.approx(FLIPS[judge], abs=0.5)


def test_the_judge_of_rewardmath_that_mostly_says_a_is_seen(shared_data: Path) -> None:
    import pandas as pd

    rows = pd.read_parquet(shared_data / "rewardmath" / "pairwise_verdicts.parquet")
    rows = rows[rows["judge"] == "chatgpt"]
    assert 100 * (rows["verdict"] == "A").mean() == pytest.approx(83.7, abs=0.05)
