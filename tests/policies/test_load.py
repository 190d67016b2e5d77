from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from zermelo.errors import MissingError, SettingError
from zermelo.policies.load import LoRA, load


@pytest.fixture(scope="module")
def folder(tiny_llama: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny"
    tiny_llama.model.save_pretrained(path)
    tiny_llama.tokenizer.save_pretrained(path)
    return path


def test_loads_a_folder_with_its_name_and_context(folder: Path) -> None:
    policy = load(folder)
    assert policy.name == "tiny" and policy.max_length == 128 and policy.end_ids == (2,)
    assert policy.dtype == torch.float32 and not policy.model.training
    assert load(folder, dtype="bfloat16").dtype == torch.bfloat16


def test_a_folder_without_tokenizer_is_missing_one(tiny_llama: Any, tmp_path: Path) -> None:
    tiny_llama.model.save_pretrained(tmp_path / "bare")
    with pytest.raises(MissingError) as caught:
        load(tmp_path / "bare")
    assert caught.value.code == "no-tokenizer" and caught.value.exit_code == 4


def test_a_tokenizer_without_end_token_is_a_wrong_setting(tiny_llama: Any, tmp_path: Path) -> None:
    import tokenizers_for_tests

    tiny_llama.model.save_pretrained(tmp_path / "endless")
    tokenizers_for_tests.byte_level(eos=False).save_pretrained(tmp_path / "endless")
    with pytest.raises(SettingError) as caught:
        load(tmp_path / "endless")
    assert caught.value.code == "no-eos" and caught.value.exit_code == 2


def test_a_tokenizer_without_padding_is_fine(tiny_llama: Any, tmp_path: Path) -> None:
    import tokenizers_for_tests

    tokenizer = tokenizers_for_tests.byte_level()
    assert tokenizer.pad_token is None
    tiny_llama.model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    load(tmp_path / "m")


def test_an_unknown_hub_name_while_offline_says_what_to_do() -> None:
    with pytest.raises(MissingError, match="no such folder, and as a hub name") as caught:
        load("nobody/no-such-model")
    assert caught.value.exit_code == 4 and "hf download" in str(caught.value)


def test_a_new_adapter_changes_nothing_yet_and_alone_is_trainable(folder: Path, tmp_path: Path) -> None:
    ids = torch.tensor([[5, 6, 7]])
    plain, adapted = load(folder), load(folder, lora=LoRA(rank=4))
    assert torch.equal(plain.model(ids).logits, adapted.model(ids).logits)
    assert all("lora_" in name for name, value in adapted.model.named_parameters() if value.requires_grad)
    for name, value in adapted.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value)
    adapted.model.save_pretrained(tmp_path / "adapter")
    again = load(tmp_path / "adapter")  # the adapter's folder names its base
    assert load(folder, adapter=tmp_path / "adapter").name == "tiny"
    assert torch.equal(again.model(ids).logits, adapted.model(ids).logits)
    assert not torch.equal(again.model(ids).logits, plain.model(ids).logits)


def test_a_damaged_model_is_one_line(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(MissingError) as caught:
        load(tmp_path)
    assert caught.value.code == "broken-model" and "\n" not in caught.value.message


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": -1.0}, {"dropout": 1.0}])
def test_adapter_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        LoRA(**wrong)
