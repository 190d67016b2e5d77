"""The tiny policies: their files, their quality, and the script that makes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from safetensors import safe_open

from zermelo.errors import SettingError
from zermelo.policies.load import load
from zermelo.recipes.worlds import RECIPES, Recipe, batches, mean_reward, recipe, train
from zermelo.worlds import folder, world
from zermelo.worlds.tokenizer import BOS, EOS, PAD, VOCABULARY, decode, encode

TINY = Recipe(hidden=16, intermediate=32, layers=1, heads=2, steps=3, batch=4, warmup=1)
# mean reward on 600 held-out prompts of the shipped policies, and how far a retrained one may be from it:
# 600 draws have a standard error of 0.02, and another machine sums in another order
SAMPLED = {"arithmetic": 0.475, "style": 0.59}
BAND = 0.15  # 900 steps amplify the last digit: another processor ends elsewhere, not worse


@pytest.mark.parametrize("name", sorted(RECIPES))
class TestEveryShippedPolicy:
    def test_is_small_and_stored_in_half_precision(self, name: str) -> None:
        with safe_open(folder(name) / "model.safetensors", "pt") as weights:
            tensors = [weights.get_tensor(key) for key in weights.keys()]  # noqa: SIM118
        assert {tensor.dtype for tensor in tensors} == {torch.float16}
        assert sum(tensor.numel() for tensor in tensors) <= 900_000

    def test_its_recipe_is_the_one_in_the_code(self, name: str) -> None:
        assert Recipe(**json.loads((folder(name) / "recipe.json").read_text())) == recipe(name)

    def test_its_tokenizer_begins_with_bos_and_gives_every_character_back(self, name: str) -> None:
        policy = load(folder(name))
        prompt = str(world(name).prompts(1, seed=0)[0].prompt)
        text = world(name).reference(world(name).prompts(1, seed=0)[0])
        ids = policy.tokenizer(prompt + text)["input_ids"]
        assert ids == [BOS, *encode(prompt + text)] and ids.count(BOS) == 1
        assert policy.tokenizer.decode(ids, skip_special_tokens=True) == prompt + text == decode(ids)
        assert (policy.tokenizer.eos_token_id, policy.tokenizer.pad_token_id) == (EOS, PAD)
        assert len(policy.tokenizer) == len(VOCABULARY) == policy.model.config.vocab_size
        assert ids[: len(policy.tokenizer(prompt)["input_ids"])] == policy.tokenizer(prompt)["input_ids"]

    def test_it_answers_as_well_as_is_stated(self, name: str) -> None:
        torch.set_num_threads(1)
        found = mean_reward(load(folder(name)), world(name), n=200)
        assert found == pytest.approx(SAMPLED[name], abs=0.11)  # 200 draws: three standard errors

    @pytest.mark.slow
    @pytest.mark.timeout(3600)
    def test_the_script_reproduces_its_quality(self, name: str, tmp_path: Path) -> None:
        made = train(world(name), tmp_path / name)
        assert mean_reward(load(made.folder), world(name)) == pytest.approx(SAMPLED[name], abs=BAND)


def test_all_policies_together_stay_below_five_megabytes() -> None:
    assert sum(path.stat().st_size for path in folder("arithmetic").parent.rglob("*") if path.is_file()) < 5e6


def test_training_is_repeatable_and_replaces_an_older_model(tmp_path: Path) -> None:
    task = world("arithmetic")
    first = train(task, tmp_path / "a", settings=TINY)
    weights = (first.folder / "model.safetensors").read_bytes()
    again = train(task, tmp_path / "a", settings=TINY)
    assert (again.folder / "model.safetensors").read_bytes() == weights
    other = train(task, tmp_path / "b", settings=replace(TINY, seed=1))
    assert (other.folder / "model.safetensors").read_bytes() != weights
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_loss_stands_on_responses_and_their_end_alone() -> None:
    rows = [("1+2=?", "A: 3"), ("10+2=?", "10+2=12\nA: 12")]
    ((ids, labels),) = batches(rows, 2)
    for row, (prompt, text) in enumerate(sorted(rows, key=lambda pair: len(pair[0] + pair[1]))):
        kept = labels[row][labels[row] != -100].tolist()
        assert kept == [*encode(text), EOS]
        assert ids[row, : len(prompt) + 1].tolist() == [BOS, *encode(prompt)]


def test_a_world_without_a_policy_is_refused_with_a_suggestion() -> None:
    with pytest.raises(SettingError) as error:
        recipe("stile")
    assert error.value.hint == "did you mean `style`?"
    with pytest.raises(SettingError, match="no policy"):
        folder("tabular")
