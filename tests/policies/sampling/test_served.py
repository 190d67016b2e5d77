"""The endpoint sampler against the server that ships with Transformers, with a real (tiny) model behind it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tokenizers_for_tests as tokenizers
import torch

from zermelo.policies.load import load
from zermelo.policies.sampling import EndpointSampler, Sampling, TransformersSampler
from zermelo.policies.sampling.client import Endpoint

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = tokenizers.byte_level(chat=True)
    tokenizer.eos_token = "<|im_end|>"
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=0, bos_token_id=None,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("served") / "tiny"
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve", str(folder)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [*command, "--port", str(port), "--device", "cpu"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    where = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if httpx.get(f"{where}/health", timeout=2, trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        else:
            pytest.skip("the server of this Transformers version did not start")
        yield f"{where}/v1"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
def test_a_served_model_says_what_it_says_in_this_process(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    prompts = ["What is 2 + 2?", "hello there", "The quick brown fox"]
    greedy = Sampling(temperature=0.0, max_tokens=12)
    here = TransformersSampler(load(folder), greedy).sample(prompts)
    there = EndpointSampler(str(folder), Endpoint(url, concurrency=2, timeout_s=60), greedy).sample(prompts)
    for ours, theirs in zip(here, there, strict=True):
        assert theirs.responses[0].text == ours.responses[0].text
        assert theirs.responses[0].finish == ours.responses[0].finish
