"""Alarms that answers raise: fired on planted figures, silent on healthy ones, and shown in the report."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.recipes.steps.evaluate import alarms_of

SAME = np.full((50, 1), 40.0)
LONG = np.full((50, 1), 60.0)


def names(own, lengths=SAME) -> list[str]:
    return [alarm.name for alarm in alarms_of(own, lengths, SAME)]


def test_a_lead_that_goes_with_length_control_is_length_exploitation() -> None:
    assert names({"win_rate": 0.7, "win_rate_length_controlled": 0.55}, LONG) == ["length-exploitation"]
    assert names({"win_rate": 0.7, "win_rate_length_controlled": 0.68}, LONG) == []
    assert names({"win_rate": 0.7, "win_rate_length_controlled": 0.55}, SAME) == []
    assert names({"win_rate": 0.5, "win_rate_length_controlled": 0.4}, LONG) == []


@pytest.mark.parametrize(("gain", "low", "fires"), [(-0.1, 0.4, True), (0.1, 0.4, False), (-0.1, -0.1, False)])
def test_a_proxy_that_rises_while_the_truth_falls_is_over_optimisation(gain: float, low: float, fires: bool) -> None:
    own = {
        "accuracy_gain": gain,
        "ci_low": gain - 0.05,
        "ci_high": gain + 0.05,
        "proxy_gain": {"value": 0.6, "ci_low": low, "ci_high": 0.8},
    }
    assert names(own) == (["over-optimisation"] if fires else [])


def test_without_judge_or_reward_model_there_is_nothing_to_say() -> None:
    assert names({}) == []


def test_an_alarm_of_a_run_stands_in_its_report_with_figure_and_remedy(tmp_path) -> None:
    from zermelo.recipes.report import report
    from zermelo.recipes.run import Done
    from zermelo.recipes.schema import Recipe
    from zermelo.recipes.summary import versions

    (alarm,) = alarms_of({"win_rate": 0.7, "win_rate_length_controlled": 0.55}, LONG, SAME)
    interval = {"value": 0.7, "ci_low": 0.6, "ci_high": 0.8}
    own = {
        "win_rate_interval": interval,
        "win_rate_length_controlled_interval": interval,
        "kl_interval": None,
        "alarms": [alarm.to_json()],
    }
    recipe = Recipe.model_validate(
        {"model": "m", "data": {"files": "x"}, "align": {"dpo": {"objective": "dpo"}}, "evaluate": {}}
    )
    done = {
        "align": Done("align", {"dpo": {"series": {}, "alarms": [], "checks": []}}, 1.0, 1.0),
        "evaluate": Done("evaluate", {"objectives": {"dpo": own}, "lengths": {}}, 1.0, 1.0),
    }
    figures = {"run": {"versions": versions(), "finished": "now"}}
    page = report(recipe, done, figures, tmp_path).read_text()
    for part in ("length-exploitation", "50%", "ln_dpo", "arXiv 2404.04475"):
        assert part in page
