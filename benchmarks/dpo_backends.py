"""The engine against its own path of one forward per sequence, over shapes; and which backend wins where.

Interleaved steps in one process, forward and backward, medians. From the second table come the constants of
`policies/backends.py`; nothing is timed when the engine runs.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.harness import keep

# name → (prompt, lengths, groups, width, layers, vocabulary)
SHAPES = {
    "long-prompt": (224, (100, 100), 8, 512, 6, 32_768),
    "single-turn": (45, (444, 214), 8, 512, 6, 32_768),
    "k8": (500, (100,) * 8, 2, 512, 6, 32_768),
    "one-response": (50, (200,), 8, 512, 6, 32_768),
    "tiny": (20, (60, 60), 32, 128, 4, 64),
    "tiny-k8": (20, (60,) * 8, 8, 128, 4, 64),
}
LADDER = [16, 32, 64, 96, 128, 192, 256, 512]  # tokens of a group, for the choice between dense and split


def prepare(prompt: int, lengths: tuple[int, ...], groups: int, width: int, layers: int, vocabulary: int) -> Any:
    """(model, token groups)."""
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse

    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=width * 11 // 4,
            num_hidden_layers=layers,
            num_attention_heads=width // 32 if width < 512 else 8,
            num_key_value_heads=width // 32 if width < 512 else 8,
            tie_word_embeddings=True,
        )
    )
    rng = np.random.default_rng(0)

    def ids(n: int) -> tuple[int, ...]:
        return tuple(int(i) for i in rng.integers(3, vocabulary, n))

    made = (TokenGroup(str(i), ids(prompt), tuple(TokenResponse(ids(n)) for n in lengths)) for i in range(groups))
    return model, TokenGroups(tuple(made))


def medians(model: Any, groups: Any, backends: list[str], repeat: int) -> dict[str, float]:
    """Seconds of a forward and backward pass per backend, interleaved, the first round left out."""
    from zermelo.policies.engine import group_logprobs

    seconds: dict[str, list[float]] = {backend: [] for backend in backends}
    for _ in range(repeat + 1):
        for backend in backends:
            began = time.perf_counter()
            group_logprobs(model, groups, backend=backend).logps.sum().backward()
            model.zero_grad()
            seconds[backend].append(time.perf_counter() - began)
    return {backend: statistics.median(taken[1:]) for backend, taken in seconds.items()}


def main() -> None:
    for name, shape in SHAPES.items():
        model, groups = prepare(*shape)
        repeat = 3 if shape[3] >= 512 else 15
        found = medians(model, groups, ["auto", "sequences", "plain"], repeat)
        prompt, lengths, n = shape[:3]
        sizes = "/".join(map(str, dict.fromkeys(lengths)))
        keep(
            f"dpo_backends-{name}",
            peer="one forward per sequence (ours)",
            ours=found["auto"],
            theirs=min(found["sequences"], found["plain"]),
            conditions=(
                f"forward and backward, {n} prompts of {prompt}, responses of {sizes} "
                f"({len(lengths)} per prompt), width {shape[3]}; the better of fused and plain output layer"
            ),
        )
    print("tokens of a group: dense, split (s)")
    for size in LADDER:
        model, groups = prepare(size // 2, (size // 4, size // 4), max(1, 2048 // size), 128, 2, 64)
        found = medians(model, groups, ["dense", "split"], 15)
        print(f"{size:5d}: {found['dense']:.4f} {found['split']:.4f}")


if __name__ == "__main__":
    main()
