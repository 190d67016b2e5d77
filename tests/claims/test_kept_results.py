"""What is kept is what the rules say: every verdict follows from its own figures, and no result has lost its claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from zermelo.claims.protocol import Summary
from zermelo.claims.runner import KEPT, claims, kept_results, load_claim

KEPT_ONES = kept_results()


def summary_of(result: Mapping[str, Any]) -> Summary:
    low, mean, high = ({key: three[part] for key, three in result["figures"].items()} for part in range(3))
    return Summary(mean, low, high, {int(seed): figures for seed, figures in result["per_seed"].items()})


@pytest.mark.parametrize("result", KEPT_ONES, ids=lambda result: result["id"])
class TestEveryKeptResult:
    def test_its_verdict_follows_from_its_figures(self, result: Mapping[str, Any]) -> None:
        assert load_claim(result["id"]).verdict(summary_of(result)) == result["verdict"]

    def test_it_was_measured_on_the_seeds_and_under_the_rule_that_the_claim_states(
        self, result: Mapping[str, Any]
    ) -> None:
        claim = load_claim(result["id"])
        assert result["seeds"] == list(claim.seeds[:1] if claim.exact else claim.seeds)
        assert result["rule"] == claim.rule
        assert result["measured"] == result["figures"][claim.headline][1]

    def test_the_claim_of_its_id_exists(self, result: Mapping[str, Any]) -> None:
        assert result["id"] in claims()
        assert (KEPT / f"{result['id']}.json").is_file()
