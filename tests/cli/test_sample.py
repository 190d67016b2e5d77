"""`zermelo sample`, `judge`, `reward` and `merge`: from prompts to scored groups."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from zermelo.cli.app import main
from zermelo.feedback import read_groups


def run(*args: object) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(SystemExit) as done:
            main([str(arg) for arg in args])
    return int(done.value.code or 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3} | {c: i + 4 for i, c in enumerate("0123456789+= ")}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.3, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("cli") / "tiny"
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    rows = [{"id": str(i), "prompt": f"{i}+{i}=", "meta": json.dumps({"answer": str(2 * i)})} for i in range(20)]
    from zermelo.feedback import Group, write_groups

    write_groups([Group(row["id"], row["prompt"], meta=json.loads(row["meta"])) for row in rows], path)
    return path


def test_prompts_become_groups_become_judged_groups(model: Path, prompts: Path, tmp_path: Path, capsys: Any) -> None:
    out, judged = tmp_path / "groups.parquet", tmp_path / "judged.parquet"
    assert run("sample", prompts, "--model", model, "-n", 3, "--max-tokens", 12, "-o", out) == 0
    said = capsys.readouterr()
    assert said.out == "" and "20 groups, 60 responses" in said.err and "strict prefix" in said.err
    groups = list(read_groups(str(out)))
    assert len(groups) == 20 and all(len(group.responses) == 3 for group in groups)
    assert all(r.token_ids and r.logprobs and r.prompt_ids for group in groups for r in group.responses)
    assert list(tmp_path.glob("*.journal")) == []

    assert run("judge", out, "--scorer", "numeric", "--set", "gold=answer", "-o", judged) == 0
    assert "labels by numeric" in capsys.readouterr().err
    assert {j.by for group in read_groups(str(judged)) for j in group.judgements} == {"numeric"}
    assert run("judge", judged, "--scorer", "numeric", "-o", judged) == 2  # an input is never an output
    assert run("judge", judged, "--scorer", "numeric", "--pairs", "-o", tmp_path / "x.parquet") == 2
    assert run("judge", judged, "--scorer", "numerik", "-o", tmp_path / "x.parquet") == 2


def test_the_same_command_after_a_kill_ends_with_the_same_groups(model: Path, prompts: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    settings = ["--model", str(model), "-n", "40", "--max-tokens", "200", "--batch", "40", "--threads", "1"]
    assert run("sample", prompts, *settings, "-o", whole) == 0
    command = [sys.executable, "-m", "zermelo", "sample", str(prompts), *settings, "-o", str(killed)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    journal = tmp_path / "killed.jsonl.journal"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size > 1000):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert journal.exists() and not killed.exists()
    assert run("sample", prompts, *settings, "-o", killed) == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_a_missing_model_is_exit_code_four(prompts: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("sample", prompts, "--model", tmp_path / "nothing", "-o", tmp_path / "g.parquet") == 4
    assert "error[no-model]" in capsys.readouterr().err


def test_an_adapter_is_merged_into_its_base(model: Path, tmp_path: Path, capsys: Any) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from zermelo.policies.load import LoRA, load

    adapted = load(model, lora=LoRA(rank=2))
    torch.manual_seed(0)
    for name, value in adapted.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value)
    adapted.model.save_pretrained(tmp_path / "adapter")
    assert run("merge", tmp_path / "adapter", "-o", tmp_path / "merged") == 0
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    ids = torch.tensor([[5, 6, 7]])
    assert torch.allclose(plain(ids).logits, adapted.model(ids).logits, atol=1e-4)
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").eos_token == "</s>"
    assert run("merge", tmp_path / "adapter", "-o", tmp_path / "merged") == 2
    assert run("merge", model, "-o", tmp_path / "other") == 2


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": f"question {i} about {w}", "chosen": f"a kind word on {w}", "rejected": f"a rude word on {w}"}
        for i, w in enumerate(["rain", "tea", "stone", "glass", "moss", "salt"] * 6)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_reward_head_is_trained_told_and_used(pairs: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "reward"
    train = ["reward", "train", pairs, "--encoder", "tfidf", "--folds", "3"]
    assert run(*train, "-o", out) == 0
    said = capsys.readouterr().out
    assert "length only" in said and "majority side" in said and "36 pairs" in said
    assert run(*train, "-o", out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "zermelo.reward-train/1" and found["reward"]["accuracy"]["value"] > 0.9
    scored = tmp_path / "scored.parquet"
    assert run("reward", "score", pairs, "--scorer", out, "-o", scored) == 0
    for group in read_groups(str(scored)):
        ratings = {j.on[0]: j.value for j in group.judgements if j.kind == "rating"}
        assert ratings[0] > ratings[1]  # type: ignore[operator]
    assert run("reward", "score", pairs, "--scorer", out, "--pairs", "-o", tmp_path / "p.parquet") == 0


@pytest.mark.parametrize("which", [[], ["--encoder", "tfidf", "--model", "x"]])
def test_one_kind_of_reward_model_is_named(pairs: Path, tmp_path: Path, which: list[str], capsys: Any) -> None:
    assert run("reward", "train", pairs, *which, "-o", tmp_path / "r") == 2
    assert "either --encoder or --model" in capsys.readouterr().err
