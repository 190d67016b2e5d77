"""Every sensible pair composes, keeps its averages, and survives YAML."""

from __future__ import annotations

import importlib
from dataclasses import is_dataclass
from typing import Any

import pytest
import torch
import yaml

from zermelo.catalogue import names
from zermelo.objectives import BVPO, LCPO, LDDPO, SFT, Linear, from_config, has_gradient_rule, to_config

REQUIRED = {"sppo": {"eta": 2.0}}


def made() -> list[Any]:
    found = []
    for name, target in names().items():
        module, _, attribute = target.partition(":")
        if target.startswith("objectives.") and attribute[0].isupper():
            kind = getattr(importlib.import_module(f"zermelo.{module}"), attribute)
            if is_dataclass(kind) and hasattr(kind, "needs"):
                found.append(pytest.param(from_config({name: REQUIRED.get(name, {})}), id=name))
    return found


@pytest.fixture
def batch(make_batch):
    n = 8
    responses = [(-4.0 - i, 2 + i % 3) for i in range(n)]
    tokens = sum(length for _, length in responses)
    ones = torch.ones(tokens, dtype=torch.float64)
    named = ("reward", "origin", "empty_trace", "denoising_error", "part", "degree", "mismatched", "mismatched_ref")
    return make_batch(
        responses,
        ref=[-5.0] * n,
        policies={"prev": [-5.5] * n},
        scores=[0.1 * i for i in range(n)],
        labels=[float(i % 2) for i in range(n)],
        extra={
            **dict.fromkeys(("value", "kl:ref:forward", "kl:ref:reverse", "phrase", "fault", "gate"), ("tokens", ones)),
            **{name: ("responses", [float(i % 2) for i in range(n)]) for name in named},
            "degree_logits": ("responses", torch.zeros(n, 3, dtype=torch.float64)),
        },
    )


@pytest.mark.parametrize("objective", made())
def test_a_sum_is_the_terms_of_its_parts(objective, batch) -> None:
    if has_gradient_rule(objective):
        pytest.skip("a gradient rule is a whole method; adding it to others is refused")
    mixed = objective + Linear(0.1, 0.2) * SFT(of="all")
    parts = list(objective(batch)) + list((0.15 * SFT(of="all"))(batch))
    for ours, alone in zip(mixed.at(0.5)(batch), parts, strict=True):
        assert (ours.name, ours.over, ours.scale) == (alone.name, alone.over, pytest.approx(alone.scale))
        torch.testing.assert_close(ours.each, alone.each)
    assert from_config(yaml.safe_load(yaml.safe_dump(to_config(mixed)))) == mixed


@pytest.mark.parametrize("wrap", [LCPO, LDDPO, BVPO], ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("objective", made())
def test_wrappers_take_every_loss_on_pairs(wrap, objective, batch) -> None:
    terms = list(objective(batch))
    on_pairs = all(item.over == "pairs" and item.index is None for item in terms)
    if not on_pairs or has_gradient_rule(objective) or isinstance(objective, BVPO):
        pytest.skip("not a loss over all pairs")
    wrapped = wrap(objective)
    assert from_config(yaml.safe_load(yaml.safe_dump(to_config(wrapped)))) == wrapped
    assert objective.needs | wrapped.needs == wrapped.needs
    for item in wrapped(batch.with_(state=wrapped.init_state())):
        assert torch.isfinite(item.each).all()
