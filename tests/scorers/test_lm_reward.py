from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Response
from zermelo.policies.load import load_classifier
from zermelo.policies.tokens import tokenise
from zermelo.scorers.lm_reward import LMReward
from zermelo.scorers.load import load_scorer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    torch.set_num_threads(1)
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3} | {c: i + 4 for i, c in enumerate("0123456789+= ")}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.3, num_labels=1, pad_token_id=0,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("rm") / "model"
    LlamaForSequenceClassification(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


GROUPS = [
    Group("a", "1+2=", (Response("3"), Response("44"), Response(""))),
    Group("b", "10+2=", (Response("12"), Response(source="somebody"))),
]


def test_rewards_are_those_of_the_plain_sequence_classifier(folder: Path) -> None:
    policy = load_classifier(folder)
    found = LMReward(policy, batch_tokens=8).rewards(GROUPS)
    made = tokenise(GROUPS, policy)
    for one, place in zip(made.tokens.groups, made.index, strict=True):
        for response, at in zip(one.responses, place.responses, strict=True):
            with torch.no_grad():
                plain = policy.model(torch.tensor([one.prompt + response.ids])).logits.item()
            if not GROUPS[place.group].responses[at].empty:
                assert found[place.group][at] == pytest.approx(plain, abs=1e-5)  # float32, two layers
    assert [sum(value == value for value in own) for own in found] == [2, 1]


def test_loads_by_folder_with_or_without_a_card(folder: Path, tmp_path: Path) -> None:
    plain = load_scorer(str(folder))
    assert isinstance(plain, LMReward) and plain.name == "model"
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    for file in folder.iterdir():
        (run / "model" / file.name).write_bytes(file.read_bytes())
    card = {"schema": "zermelo.reward/1", "kind": "lm", "chat": "auto"}
    (run / "model" / "zermelo_reward.json").write_text(json.dumps(card))
    carded = load_scorer(str(run))
    assert carded.name == "run"
    assert [[j.value for j in own] for own in carded.score(GROUPS)] == [
        [j.value for j in own] for own in plain.score(GROUPS)
    ]


def test_a_model_without_such_a_head_is_refused(folder: Path, tmp_path: Path) -> None:
    config = LlamaConfig.from_pretrained(folder, num_labels=3)
    LlamaForSequenceClassification(config).save_pretrained(tmp_path)
    for file in folder.glob("token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(SettingError, match="no linear head `score` with one output"):
        LMReward.load(tmp_path)
