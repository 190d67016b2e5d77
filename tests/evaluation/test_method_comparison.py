"""Comparing methods: choices made on one half and measured on the other, seeds apart from settings, Holm over pairs."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation.method_comparison import MethodComparison
from zermelo.stats import holm

RNG = np.random.default_rng(0)


def planted(mean: float, *, seeds: int = 3, prompts: int = 400, seed_sd: float = 0.0, rng=RNG) -> dict[int, np.ndarray]:
    """Scores of one setting: a mean, seeds that differ, prompts that differ, noise."""
    hard = np.linspace(-0.2, 0.2, prompts)
    return {s: mean + rng.normal(0, seed_sd) + hard + rng.normal(0, 0.3, prompts) for s in range(seeds)}


def test_a_planted_difference_is_found_with_its_sign_and_size() -> None:
    runs = {name: {"": planted(mean, seeds=5)} for name, mean in {"a": 0.6, "b": 0.5}.items()}
    result = MethodComparison().measure(runs)
    (pair,) = result.pairs
    assert not pair.difference.excludes(0.1) and pair.difference.excludes(0)
    assert pair.p_adjusted < 0.01 and pair.wins > pair.losses
    assert (result.n_prompts, result.n_seeds) == (400, 5)


def test_differences_and_gains_are_paired_means_computed_by_hand() -> None:
    a = {"x": {0: [1.0, 0.0, 1.0], 1: [1.0, 1.0, 1.0]}}
    b = {"y": {0: [0.0, 0.0, 1.0], 1: [1.0, 0.0, 0.0]}}
    result = MethodComparison().measure({"a": a, "b": b}, start={0: [0.0, 0.0, 0.0], 1: [0.0, 0.0, 1.0]})
    assert result.pairs[0].difference.value == pytest.approx(3 / 6)
    assert [own.gain.value for own in result.methods] == pytest.approx([4 / 6, 1 / 6])
    assert (result.pairs[0].wins, result.pairs[0].losses, result.pairs[0].ties) == (3, 0, 0)


def test_a_larger_grid_of_the_same_thing_does_not_win() -> None:
    rng = np.random.default_rng(3)
    gaps, flattering = [], []
    for trial in range(40):
        many = {f"k{k}": {0: rng.normal(0.5, 0.3, 60)} for k in range(12)}
        one = {"": {0: rng.normal(0.5, 0.3, 60)}}
        result = MethodComparison(seed=trial).measure({"many": many, "one": one})
        gaps.append(result.pairs[0].difference.value)
        flattering.append(result.methods[0].best - result.methods[1].best)
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(40)
    assert np.mean(flattering) > 0.04  # what choosing and measuring on the same prompts would have reported


def test_the_variance_of_seeds_is_told_from_that_of_settings() -> None:
    rng = np.random.default_rng(1)
    seeds_only = {f"k{k}": planted(0.5, seeds=8, seed_sd=0.1, rng=rng) for k in range(8)}
    settings_only = {f"k{k}": planted(0.5 + 0.05 * k, seeds=8, rng=rng) for k in range(8)}
    result = MethodComparison().measure({"seeds": seeds_only, "settings": settings_only})
    one, two = result.methods
    assert one.seed_sd == pytest.approx(0.1, rel=0.4) and one.setting_sd < 0.05
    assert two.seed_sd < 0.03 and two.setting_sd == pytest.approx(np.std(0.05 * np.arange(8), ddof=1), rel=0.2)
    assert two.best - two.worst == pytest.approx(two.spread) and two.worst < two.median < two.best


def test_a_diverged_setting_is_never_chosen_and_counts_as_the_worst() -> None:
    good, bad = planted(0.5), {**planted(0.9), 1: None}
    result = MethodComparison().measure({"a": {"low": good, "high": bad, "mid": planted(0.4)}})
    (own,) = result.methods
    assert own.chosen == ("low",) and own.failed == 1
    assert np.isnan(own.worst) and own.best < 0.6 and own.median == pytest.approx(own.settings["mid"])
    with pytest.raises(SettingError, match="every setting failed"):
        MethodComparison().measure({"a": {"only": bad}})


def test_holm_is_over_all_pairs_and_a_baseline_leaves_only_its_own() -> None:
    runs = {name: {"": planted(mean)} for name, mean in {"a": 0.5, "b": 0.52, "c": 0.55}.items()}
    result = MethodComparison().measure(runs)
    assert [pair.p_adjusted for pair in result.pairs] == pytest.approx(holm([p.p_value for p in result.pairs]))
    against = MethodComparison(baseline="a").measure(runs)
    assert [(pair.first, pair.second) for pair in against.pairs] == [("b", "a"), ("c", "a")]


def test_results_are_plain_numbers_and_a_page() -> None:
    import json

    result = MethodComparison().measure({"a": {"": planted(0.6)}, "b<": {"": planted(0.5)}})
    assert json.loads(json.dumps(result.to_json()))["methods"][1]["name"] == "b<"
    page = result.to_html()
    assert "b&lt;" in page and "Pairs of methods" in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": {"": {0: [1.0, 2.0]}}, "b": {"": {1: [1.0, 2.0]}}},
        {"a": {"": {0: [1.0, 2.0]}}, "b": {"": {0: [1.0, 2.0, 3.0]}}},
        {"a": {"": {0: [1.0, 2.0], 1: [1.0]}}},
    ],
    ids=["seeds", "prompts", "ragged"],
)
def test_runs_that_do_not_fit_together_are_refused(wrong) -> None:
    with pytest.raises(SettingError):
        MethodComparison().measure(wrong)
    with pytest.raises(SettingError, match="baseline"):
        MethodComparison(baseline="z").measure({"a": {"": {0: [1.0, 2.0]}}})
