"""The full length-controlled GLM: identities, recovery, and the official board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.evaluation.length_glm import LengthControl, raw_win_rate


def judged(seed: int = 0, models: int = 12, items: int = 300, phi: float = -1.2):
    """Preferences of a judge that likes length; half of the models write long."""
    rng = np.random.default_rng(seed)
    quality = np.linspace(-1.5, 1.0, models)
    difficulty = rng.normal(0, 1, items)
    base = rng.lognormal(6.5, 0.4, items)
    ratio = np.where(np.arange(models) % 2, 1.8, 0.7)[:, None] * rng.lognormal(0, 0.3, (models, items))
    length = base * ratio
    delta = base - length
    z = np.tanh(delta / delta.std(axis=1, ddof=1, keepdims=True))
    logit = phi * z + difficulty + quality[:, None]
    fair = 1 / (1 + np.exp(-(difficulty + quality[:, None])))
    return (rng.random(logit.shape) < 1 / (1 + np.exp(-logit))).astype(float), length, base, fair.mean(axis=1)


def test_control_gives_the_win_rates_of_equal_lengths() -> None:
    preference, length, base, fair = judged()
    found = LengthControl().fit(preference, length, base, models=[f"m{i}" for i in range(12)])
    raw_error = np.abs(found.win_rate - fair).mean()
    assert np.abs(found.length_controlled - fair).mean() < 0.4 * raw_error


def test_the_baseline_is_half_and_pairs_are_complements() -> None:
    preference, length, base, _ = judged()
    preference[3], length[3] = 0.5, base
    names = [f"m{i}" for i in range(12)]
    found = LengthControl().fit(preference, length, base, models=names, baseline="m3")
    assert found.length_controlled[3] == 0.5
    assert found.against("m1", "m5") == pytest.approx(1 - found.against("m5", "m1"))
    assert found.against("m5", "m3") == pytest.approx(found.length_controlled[5])


def test_a_constant_added_to_both_lengths_changes_nothing() -> None:
    preference, length, base, _ = judged()
    one, two = (
        LengthControl().fit(preference, length + add, base + add, models=[f"m{i}" for i in range(12)])
        for add in (0, 99)
    )
    np.testing.assert_allclose(one.length_controlled, two.length_controlled, atol=1e-9)


def test_honest_errors_are_those_of_repeated_samples_of_instructions() -> None:
    preference, length, base, _ = judged(items=400)
    names = [f"m{i}" for i in range(12)]
    found = LengthControl().fit(preference, length, base, models=names, n_resamples=100, seed=1)
    halves = [
        LengthControl().fit(preference[:, part], length[:, part], base[part], models=names).length_controlled
        for part in (slice(0, 200), slice(200, 400))
    ]
    # the difference of two halves has variance 4 times that of the whole
    ratio = np.mean((halves[0] - halves[1]) ** 2) / np.mean(4 * found.error**2)
    assert 0.4 < ratio < 2.5


def test_bad_preferences_are_refused() -> None:
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        LengthControl().fit(np.array([[1.5]]), np.ones((1, 1)), np.ones(1), models=["m"])
    with pytest.raises(DataError, match="'m' has no row"):
        LengthControl().fit(np.array([[np.nan]]), np.ones((1, 1)), np.ones(1), models=["m"])


class TestTheOfficialBoard:
    @pytest.fixture(scope="class")
    def alpaca(self, shared_data: Path):
        import pandas as pd

        folder = shared_data / "alpaca_eval"
        rows = pd.read_parquet(folder / "annotations_dev.parquet")
        base = pd.read_parquet(folder / "baseline.parquet").set_index("instruction_id").output_1.str.len()
        rows["length"] = rows.output.str.len().fillna(0)
        preference = rows.pivot(index="model", columns="instruction_id", values="preference")
        length = rows.pivot(index="model", columns="instruction_id", values="length")
        board = pd.read_csv(folder / "leaderboard_dev.csv").set_index("model")
        published = pd.read_csv(folder / "glm_coefficients_dev.csv").set_index("model")
        return preference, length, base[preference.columns].to_numpy(), board, published

    def test_raw_win_rates_equal_the_board(self, alpaca) -> None:
        preference, _, _, board, _ = alpaca
        for model in board.index:
            rate, error = raw_win_rate(preference.loc[model].to_numpy())
            assert 100 * rate == pytest.approx(board.win_rate[model], abs=1e-6)
            assert 100 * error == pytest.approx(board.standard_error[model], abs=1e-6)

    def test_controlled_win_rates_come_near_the_board(self, alpaca) -> None:
        preference, length, base, board, published = alpaca
        baseline = "gpt4_1106_preview"
        full = [m for m in board.index if preference.loc[m].notna().all() and m != baseline]
        official = board.length_controlled_winrate[full].to_numpy()
        models = list(preference.index)
        pick = [models.index(m) for m in full]

        def error(**extra: object) -> float:
            found = LengthControl().fit(
                preference.to_numpy(), length.to_numpy(), base, models=models, baseline=baseline, **extra
            )
            return float(np.abs(100 * found.length_controlled[pick] - official).mean())

        assert error() < 1.3  # raw win rates: 4.76
        prior = {m: tuple(row) for m, row in published.iterrows() if m != baseline}
        assert error(published=prior) < 0.5
