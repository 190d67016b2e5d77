"""A tiny policy over characters, saved where a case can name it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from characters import tokenizer


@pytest.fixture(scope="session")
def policy_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Llama of two layers with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    known = tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(known),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            initializer_range=0.2,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
        model = LlamaForCausalLM(config).eval()
    folder: Path = tmp_path_factory.mktemp("policy")
    model.save_pretrained(folder)
    known.save_pretrained(folder)
    return str(folder)
