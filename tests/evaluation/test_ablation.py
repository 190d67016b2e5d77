"""One factor at a time: planted effects come back, interactions show as simple effects at the baseline."""

from __future__ import annotations

import json

import pytest

from zermelo.errors import SettingError
from zermelo.evaluation.ablation import FactorStudy

FACTORS = {"data": ["clean", "noisy", "junk"], "algorithm": ["dpo", "ppo"], "reward_model": ["small", "large"]}
CATEGORIES = {"reasoning": ["gsm", "bbh"], "safety": ["toxic"]}
EFFECT = {"noisy": -2.0, "junk": -5.0, "ppo": 1.0, "large": 0.5}


def additive(levels, seed: int) -> dict[str, float]:
    moved = sum(EFFECT.get(level, 0.0) for level in levels.values())
    return {"gsm": 40 + moved + seed, "bbh": 60 + moved - seed, "toxic": 80 + 2 * moved + 3 * seed}


def test_planted_additive_effects_come_back_exactly_and_rank_the_factors() -> None:
    report = FactorStudy(FACTORS, CATEGORIES).run(additive, seeds=[0, 1, 2])
    for level, effect in EFFECT.items():
        factor = next(name for name, levels in FACTORS.items() if level in levels)
        assert report.deltas[factor, level, "reasoning"].value == pytest.approx(effect)
        assert report.deltas[factor, level, "safety"].value == pytest.approx(2 * effect)
        # categories weigh alike: (1 + 2)/2, not (1 + 1 + 2)/3
        assert report.deltas[factor, level, "overall"].value == pytest.approx(1.5 * effect)
    assert list(report.ranges) == ["data", "algorithm", "reward_model"]
    assert report.ranges["data"] == pytest.approx(7.5)
    assert len(report.records) == 5 * 3


def test_with_an_interaction_deltas_are_the_simple_effects_at_the_baseline() -> None:
    def interacting(levels, seed: int) -> dict[str, float]:
        both = levels["algorithm"] == "ppo" and levels["reward_model"] == "large"
        return {name: value + 100 * both for name, value in additive(levels, seed).items()}

    report = FactorStudy(FACTORS, CATEGORIES).run(interacting, seeds=[0])
    assert report.deltas["algorithm", "ppo", "reasoning"].value == pytest.approx(1.0)
    assert report.deltas["reward_model", "large", "reasoning"].value == pytest.approx(0.5)


def test_deltas_are_paired_by_seed() -> None:
    report = FactorStudy(FACTORS, CATEGORIES).run(additive, seeds=[0, 50, 100])
    delta = report.deltas["algorithm", "ppo", "safety"]
    assert (delta.low, delta.high) == pytest.approx((2.0, 2.0))  # seeds differ by 300 points, the effect does not


def test_results_are_plain_numbers_and_a_page() -> None:
    report = FactorStudy(FACTORS, CATEGORIES).run(additive, seeds=[0])
    assert json.loads(json.dumps(report.to_json()))["ranges"]["algorithm"] == pytest.approx(1.5)
    assert "algorithm" in report.to_html()
    assert {row["level"] for row in report.table()} == {"noisy", "junk", "ppo", "large"}


@pytest.mark.parametrize(
    "wrong", [{"factors": {"data": []}}, {"categories": {"overall": ["x"]}}, {"factors": {"a": ["b", "b"]}}], ids=str
)
def test_studies_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(SettingError):
        FactorStudy(**{"factors": FACTORS, "categories": CATEGORIES, **wrong})
    with pytest.raises(SettingError, match="toxic"):
        FactorStudy(FACTORS, CATEGORIES).run(lambda levels, seed: {"gsm": 1.0, "bbh": 1.0}, seeds=[0])
