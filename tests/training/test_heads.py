"""Heads that objectives read: made, trained, kept and saved; what is supplied and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest
import torch

from zermelo.catalogue import names, resolve
from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.objectives import DPO, OREO, DegreeLoss, SparseDPO
from zermelo.objectives.protocol import EXTRAS
from zermelo.objectives.reward import BradleyTerryReward
from zermelo.training import Callback, OfflineSettings, align
from zermelo.training.heads import HEADS, make_heads
from zermelo.training.metrics import METRICS
from zermelo.training.supply import COMPUTED, DATA_EXTRAS

QUICK = OfflineSettings(lr=3e-3, groups_per_step=8, save_every=None, warmup=0.0, schedule="constant")
DOCS = Path(__file__).parents[2] / "docs" / "training.md"


def judged(n: int) -> list[Group]:
    """Sums with one right and one wrong answer, labelled 1 and 0."""
    return [
        Group(
            f"g{i}",
            f"{i}+1=",
            (Response(f" {i + 1}."), Response(f" {i + 7}?")),
            (Judgement("label", (0,), value=1.0), Judgement("label", (1,), value=0.0)),
        )
        for i in range(n)
    ]


def graded(n: int) -> list[Group]:
    """Pairs whose answers carry a degree that their first letter gives away."""
    return [
        Group(
            f"g{i}",
            f"{i}?",
            tuple(Response(f"{'abc'[d]} {i}") for d in range(3)),
            (Judgement("comparison", (0, 1), value=1.0),),
            meta={"degree": [0, 1, 2]},
        )
        for i in range(n)
    ]


def test_the_value_head_starts_at_zero_and_learns_the_reward(policy) -> None:
    groups = judged(24)
    settings = replace(QUICK, epochs=12, lr=1e-2)
    result = align(policy, groups, OREO(beta=1e-4, alpha=0.0, action="response"), settings=settings)
    first, last = result.history[0], result.history[-1]
    # policy = reference and V = 0: both losses are the mean of R², ½
    assert first["oreo_policy/loss"] == pytest.approx(0.5, abs=1e-5)
    assert first["oreo_value/loss"] == pytest.approx(0.5, abs=1e-5)
    # a tiny β leaves R to the value, which before the first token knows the prompt alone: ½, with error ¼
    assert last["oreo_policy/value"] == pytest.approx(0.5, abs=0.2)
    assert last["oreo_value/loss"] < 0.35


def test_the_gates_start_nearly_open_and_their_price_closes_them(policy, pairs) -> None:
    settings = replace(QUICK, epochs=6, lr=1e-2)
    result = align(policy, pairs[:24], SparseDPO(beta=0.1, lam=1.0), settings=settings)
    gate = 1 / (1 + math.exp(-2))
    assert result.history[0]["loss"] == pytest.approx(math.log(2) + gate, abs=1e-4)
    assert result.history[-1]["sparse_dpo/open"] < gate - 0.1


@pytest.mark.parametrize("kind", ["classes", "ordinal"])
def test_degrees_are_told_apart_by_their_head(kind, policy) -> None:
    settings = replace(QUICK, epochs=12)
    result = align(policy, graded(24), DPO() + 0.5 * DegreeLoss(kind=kind), settings=settings)
    start = math.log(3) if kind == "classes" else 2 * math.log(2)  # zero logits; of 3 classes 2 thresholds
    assert result.history[0]["degree/loss"] == pytest.approx(start, abs=1e-4)
    assert result.history[-1]["degree/accuracy"] > 0.9


def test_a_reward_head_beside_the_policy_learns_the_pairs(policy, pairs) -> None:
    settings = replace(QUICK, epochs=4)
    result = align(policy, pairs[:32], DPO() + BradleyTerryReward(), settings=settings)
    assert result.history[-1]["loss"] < 0.5 * result.history[0]["loss"]


class StopAt(Callback):
    def on_step(self, run, row) -> None:
        if row["step"] == 4:
            raise RuntimeError("crash")


def test_heads_are_kept_in_checkpoints_and_saved_beside_the_model(policy, tmp_path) -> None:
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    settings = replace(QUICK, save_every=3, epochs=2)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    align(policy, judged(24), OREO(), settings=settings, out=whole)
    with pytest.raises(RuntimeError, match="crash"):
        align(policy, judged(24), OREO(), settings=settings, out=broken, callbacks=[StopAt()])
    align(policy, judged(24), OREO(), settings=settings, out=broken)
    one, two = (load_file(path / "model" / "heads.safetensors") for path in (whole, broken))
    assert one.keys() == {"value.weight", "value.bias"} and all(torch.equal(one[name], two[name]) for name in one)
    assert float(one["value.weight"].norm()) > 0
    rows = [[json.loads(x)["loss"] for x in (p / "metrics.jsonl").read_text().splitlines()] for p in (whole, broken)]
    assert rows[0] == rows[1]
    assert AutoModelForCausalLM.from_pretrained(whole / "model").config.model_type == "llama"


def test_heads_compute_in_float32_under_mixed_precision(policy) -> None:
    result = align(policy, judged(8), OREO(), settings=replace(QUICK, precision="bfloat16", checks=False))
    assert math.isfinite(result.history[-1]["loss"])


def test_degrees_that_the_data_lacks_are_refused(policy, pairs) -> None:
    with pytest.raises(SettingError, match="degrees of preference"):
        align(policy, pairs, DPO() + DegreeLoss(), settings=QUICK)


def every_loss() -> list[str]:
    """Names of all objectives of the catalogue."""
    return [
        name for name, target in names().items() if target.startswith("objectives.") and hasattr(resolve(name), "needs")
    ]


@pytest.mark.parametrize("name", every_loss())
def test_what_an_objective_reads_is_supplied_or_belongs_to_images(name: str) -> None:
    kind = resolve(name)
    values = {f.name: 1.0 for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    values = {k: DPO() if k == "base" else v for k, v in values.items()}
    made = kind(**values)
    known = {*DATA_EXTRAS, *COMPUTED, "kl:ref:forward", "kl:ref:reverse"}
    missing = set(made.needs.extra) - known
    assert missing == ({"denoising_error"} if name == "mapo" else set())


def test_the_docs_list_every_extra() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for name in EXTRAS:
        assert f"`{name}`" in page, name
    assert set(HEADS) < set(EXTRAS)


def test_an_objective_without_heads_has_none(policy, pairs) -> None:
    assert make_heads(DPO(), policy.model, pairs) is None
    assert METRICS
