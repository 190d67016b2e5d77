"""Fifty steps of DPO on the engine follow TRL's own trainer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_loss_curve_of_fifty_steps_is_that_of_trl(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl", reason="the extra `bench` is not installed")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    sys.modules.pop("benchmarks", None)
    from benchmarks.dpo import difference, race

    ours, theirs = race("dpo-curve", ["ours", "trl-best"], 50)
    assert difference(ours, theirs) < 1e-3
    losses = [step["loss"] for step in ours]
    assert max(losses) - min(losses) > 0.05  # it is no flat line that they share
