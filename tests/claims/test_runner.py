"""The claims runner: intervals over seeds, verdicts from the numbers, results that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zermelo.claims.protocol import Claim, above, interval
from zermelo.claims.runner import claims, keep, kept_results, load_claim, run_claim
from zermelo.errors import SettingError


def make(values: dict[int, float], threshold: float = 0.0) -> Claim:
    return Claim(
        id="M086",
        paper="+1 point",
        measures="points",
        headline="gain",
        run=lambda seed: {"gain": values[seed], "seed": seed},
        verdict=above("gain", threshold),
        rule="interval above 0",
        seeds=tuple(values),
    )


def test_the_interval_over_seeds_is_students() -> None:
    # mean 2, sd 1, n 3: 4.3027 · 1/√3 = 2.4841
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert mean == pytest.approx(2.0)
    assert (low, high) == (pytest.approx(2.0 - 2.4841, abs=1e-4), pytest.approx(2.0 + 2.4841, abs=1e-4))


def test_the_verdict_comes_from_the_numbers() -> None:
    assert run_claim(make({1: 1.0, 2: 1.1, 3: 0.9}))["verdict"] == "reproduced"
    assert run_claim(make({1: 3.0, 2: -1.0, 3: 0.9}))["verdict"] == "partly"
    assert run_claim(make({1: -1.0, 2: -1.1, 3: 0.9}))["verdict"] == "not reproduced"


def test_a_result_carries_what_is_printed(tmp_path: Path) -> None:
    result = run_claim(make({1: 1.0, 2: 1.2}))
    wanted = {"id", "title", "paper", "measured", "ci_low", "ci_high", "seeds", "verdict", "seconds", "notes"}
    assert wanted <= set(result)
    assert result["seeds"] == [1, 2]
    path = keep(result, tmp_path)
    assert json.loads(path.read_text()) == result
    assert [kept for kept in kept_results(tmp_path) if kept["id"] == "M086"] == [result]


def test_an_unknown_claim_is_named_with_a_hint() -> None:
    with pytest.raises(SettingError, match="no claim for 'M999'"):
        load_claim("M999")


@pytest.mark.parametrize("claim_id", list(claims()))
def test_every_claim_loads_and_says_its_rule(claim_id: str) -> None:
    claim = load_claim(claim_id)
    assert claim.id == claim_id
    assert claim.paper
    assert claim.rule
    assert claim.measures
