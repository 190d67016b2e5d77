"""Tiny policies and tokenizers, made here: nothing is downloaded. Lets the tests import them: `import zoo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny_llama() -> Any:
    """A Llama of two layers over characters, random weights, fixed seed: `Policy`."""
    import tokenizers_for_tests
    from transformers import LlamaConfig, LlamaForCausalLM

    from zermelo.policies.policy import Policy
    from zermelo.policies.template import probe_template

    torch.set_num_threads(1)
    tokenizer = tokenizers_for_tests.characters()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return Policy(LlamaForCausalLM(config).eval(), tokenizer, "tiny-llama", probe_template(tokenizer))
