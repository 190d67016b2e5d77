"""Reward models: the same loop, another supplier."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import DPO, BradleyTerryReward, RewardRegression
from zermelo.policies.load import LoRA
from zermelo.training import Callback, OfflineSettings, train_reward

SETTINGS = OfflineSettings(lr=3e-3, epochs=3, groups_per_step=16, validation_share=0.2, save_every=None)


@pytest.mark.parametrize("lora", [None, LoRA(rank=4)], ids=["full", "lora"])
def test_a_reward_model_learns_and_loads_in_transformers(lora, policy, pairs, tmp_path) -> None:
    from transformers import AutoModelForSequenceClassification

    result = train_reward(policy, pairs, settings=SETTINGS, lora=lora, out=tmp_path)
    assert result.final["eval/rewards/accuracies"] > 0.9
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    ids = torch.tensor([[1, 5, 6, 7, 2]])
    assert loaded(ids).logits.shape == (1, 1)
    assert torch.allclose(loaded(ids).logits, result.policy.model(ids).logits, atol=1e-5)
    card = json.loads((tmp_path / "model" / "zermelo_reward.json").read_text())
    assert card["schema"] == "zermelo.reward/1" and card["kind"] == "lm" and card["pairs"] > 40


def test_the_reward_is_that_of_the_classifier_at_the_end_token(policy, pairs) -> None:
    """By hand: the classifier on prompt + response + end, with its own head."""
    from zermelo.training.examples import make_examples
    from zermelo.training.plan import MicroBatch
    from zermelo.training.reward import RewardSupplier, reward_module

    module = reward_module(policy, None, 0, copied=True)
    examples = make_examples(pairs[:4], policy, BradleyTerryReward().needs, OfflineSettings()).items
    supplier = RewardSupplier(module, module, BradleyTerryReward().needs, torch.device("cpu"))
    micro = MicroBatch(examples)
    found = supplier.computed(micro, supplier.data(micro), {}, grad=False).extra_of("reward")
    expected = [
        module.classifier(torch.tensor([[*group.prompt, *response.ids]])).logits.item()
        for item in examples
        for group in item.tokens
        for response in group.responses
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_regression_learns_the_scores(policy, rated) -> None:
    settings = replace(SETTINGS, epochs=12, validation_share=0.0)
    result = train_reward(policy, rated, RewardRegression(), settings=settings)
    assert result.history[-1]["loss"] < 0.3 * result.history[0]["loss"]


@pytest.mark.parametrize("lora", [None, LoRA(rank=4, dropout=0.1)], ids=["full", "lora"])
def test_a_reward_run_goes_on_where_it_was_broken(lora, policy, pairs, tmp_path) -> None:
    class Crash(Callback):
        def on_step(self, run, row) -> None:
            if row["step"] == 5:
                raise RuntimeError("crash")

    settings = replace(SETTINGS, epochs=2, save_every=3)
    whole = train_reward(policy, pairs, settings=settings, lora=lora, out=tmp_path / "whole")
    with pytest.raises(RuntimeError):
        train_reward(policy, pairs, settings=settings, lora=lora, out=tmp_path / "broken", callbacks=[Crash()])
    torch.rand(3)
    again = train_reward(policy, pairs, settings=settings, lora=lora, out=tmp_path / "broken")
    assert again.final == whole.final
    for one, two in zip(whole.policy.model.parameters(), again.policy.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_policy_passed_in_stays_as_it_is(policy, pairs) -> None:
    before = [p.clone() for p in policy.model.parameters()]
    train_reward(policy, pairs, settings=replace(SETTINGS, max_steps=1))
    assert all(torch.equal(a, b) for a, b in zip(before, policy.model.parameters(), strict=True))


def test_an_objective_of_policies_is_refused(policy, pairs) -> None:
    with pytest.raises(SettingError, match="reads no reward"):
        train_reward(policy, pairs, DPO(), settings=SETTINGS)
