"""The engine on a CUDA device: exactness first, then every backend on every shape, then TRL where it is installed.

Run by `benchmarks/gpu.sh`; nothing is downloaded; under ten minutes on one data-centre GPU. bfloat16, a Llama of 0.5 B
parameters with a vocabulary of 128 k. Prints a table; rows against TRL go to `results.json` as `…-gpu`.
`REHEARSE=1` walks through the same script on a processor with a tiny model.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from typing import Any

os.environ.setdefault("DPO_GPU", "0" if os.environ.get("REHEARSE") else "1")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks import dpo
from benchmarks.harness import keep
from zermelo.policies.engine import group_logprobs
from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse

REHEARSAL = bool(os.environ.get("REHEARSE"))
DEVICE = "cpu" if REHEARSAL else "cuda"
BACKENDS = ["split", "dense"] if REHEARSAL else ["flex", "split", "dense"]
# (prompt, lengths, groups): the races' shapes, and long ones that only a GPU takes
SHAPES = {
    "long-prompt": (224, (100, 100), 8),
    "single-turn": (45, (444, 214), 8),
    "k8": (500, (100,) * 8, 2),
    "k8-long": (2048, (512,) * 8, 1),
    "k16-long": (4096, (256,) * 16, 1),
}


def groups_of(prompt: int, lengths: tuple[int, ...], n: int, vocabulary: int) -> TokenGroups:
    """Random ids."""
    generator = torch.Generator().manual_seed(0)

    def ids(k: int) -> tuple[int, ...]:
        return tuple(torch.randint(8, vocabulary, (k,), generator=generator).tolist())

    return TokenGroups(
        tuple(TokenGroup(str(i), ids(prompt), tuple(TokenResponse(ids(k)) for k in lengths)) for i in range(n))
    )


def small(dtype: torch.dtype) -> Any:
    """Two layers with grouped query heads, for exactness."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.1,
    )
    return LlamaForCausalLM(config).to(device=DEVICE, dtype=dtype)


def exactness() -> None:
    """‖a − b‖/‖b‖ of values and gradients against the plain path, worst over tensors; fails above the tolerance."""
    torch.backends.cuda.matmul.allow_tf32 = False
    groups = groups_of(37, (20, 1, 55, 8), 3, 1024)
    print("exactness: worst relative error of log-probabilities and of every gradient, against plain")
    for dtype, limit in ((torch.float32, 1e-4), (torch.bfloat16, 0.1)):
        model = small(dtype)

        def run(backend: str, model: Any = model) -> list[torch.Tensor]:
            model.zero_grad()
            logps = group_logprobs(model, groups, backend=backend).logps  # type: ignore[arg-type]
            assert logps is not None
            (logps * torch.linspace(-1, 1, len(logps), device=DEVICE)).sum().backward()
            return [logps.detach(), *(p.grad.clone() for p in model.parameters())]

        expected = run("plain")
        for backend in [*BACKENDS, "sequences"]:
            worst = max(float((a - b).norm() / b.norm()) for a, b in zip(run(backend), expected, strict=True))
            print(f"  {backend:10s} {str(dtype)[6:]:9s} {worst:.1e}", flush=True)
            if worst > limit:
                raise SystemExit(f"{backend} is not exact in {dtype}: {worst:.2g} > {limit}")


def step(model: Any, optimiser: Any, groups: TokenGroups, backend: str) -> float:
    """One step; seconds."""
    _wait()
    began = time.perf_counter()
    logps = group_logprobs(model, groups, backend=backend).logps  # type: ignore[arg-type]
    assert logps is not None
    logps.mean().neg().backward()
    optimiser.step()
    optimiser.zero_grad()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def backends() -> None:
    """Median step time and peak device memory of each backend on each shape."""
    model = small(torch.float32) if REHEARSAL else dpo.model("gpu")
    vocabulary = model.config.vocab_size
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters / 1e6:.0f} M parameters, {next(model.parameters()).dtype}: seconds a step, peak MB")
    for name, shape in SHAPES.items():
        if REHEARSAL:
            shape = (9, tuple(length // 40 for length in shape[1]), 2)
        groups = groups_of(*shape, vocabulary)
        for backend in [*BACKENDS, "sequences", "auto"]:
            try:
                if DEVICE == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                for _ in range(2):  # compiles, finds its memory
                    step(model, optimiser, groups, backend)
                seconds = statistics.median(step(model, optimiser, groups, backend) for _ in range(5))
            except torch.OutOfMemoryError:
                print(f"  {name:12s} {backend:10s} out of memory", flush=True)
                torch.cuda.empty_cache()
                continue
            peak = torch.cuda.max_memory_allocated() / 1e6 if DEVICE == "cuda" else float("nan")
            print(f"  {name:12s} {backend:10s} {seconds:8.4f} {peak:9.0f}", flush=True)


def against_trl() -> None:
    """The races of `benchmarks/dpo.py` on the device."""
    if importlib.util.find_spec("trl") is None:
        print("TRL is not installed: no race")
        return
    for name in ("dpo-long-prompt", "dpo-single-turn", "dpo-k8"):
        mine, lean, other = dpo.race(name, ["ours", "ours-lean", "trl-best"], 6)
        for suffix, own in (("-gpu", mine), ("-gpu-lean", lean)):
            a, b = (statistics.median(one["seconds"] for one in steps[1:]) for steps in (own, other))
            keep(
                f"{name}{suffix}",
                peer="trl",
                ours=a,
                theirs=b,
                ours_mb=own[-1]["peak_mb"],
                theirs_mb=other[-1]["peak_mb"],
                conditions=(
                    f"one optimiser step, Llama 0.5 B, bfloat16, {torch.cuda.get_device_name()}; device memory; losses "
                    f"within {dpo.difference(own, other):.0e}"
                ),
            )


def main() -> None:
    if not REHEARSAL and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here; REHEARSE=1 walks through the script on a processor")
    print(f"torch {torch.__version__}, {DEVICE if REHEARSAL else torch.cuda.get_device_name()}")
    exactness()
    backends()
    if not REHEARSAL:
        against_trl()


if __name__ == "__main__":
    main()
