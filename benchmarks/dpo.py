"""A DPO step: our engine against TRL's `DPOTrainer`, same model, same tokens, same optimiser, interleaved steps.

Both sides live in processes of their own and take turns, one optimiser step at a time; times are medians over the
steps, memory is the peak of each process. First the losses of both are compared: TRL's must be ours.

`STEPS=n` sets the timed steps of each side (default 3), `ONE=name` runs one race. A row `…-lean` is our engine with
activation checkpointing and `return_freed_memory`, in the same race. 40 minutes on two cores, nearly all of it TRL's.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import keep

GPU = os.environ.get("DPO_GPU") == "1"  # set by benchmarks/gpu.sh: bfloat16, 0.5 B parameters, vocabulary of 128 k
SEED, VOCABULARY = 0, 131_072 if GPU else 32_768
MICRO_BATCH = 16_384 if GPU else 900  # tokens; a longer group stands alone
FIRST = 8  # words from this id on; the ids below are special


@dataclass(frozen=True)
class Shape:
    """`groups` prompts of `prompt` tokens; `pairs` of responses (lengths with the end token)."""

    prompt: int
    lengths: tuple[int, ...]
    groups: int
    pairs: tuple[tuple[int, int], ...]

    @property
    def n_pairs(self) -> int:
        return self.groups * len(self.pairs)


SHAPES = {
    "dpo-long-prompt": Shape(224, (100, 100), 8, ((0, 1),)),
    "dpo-single-turn": Shape(45, (444, 214), 8, ((0, 1),)),
    # eight responses per prompt; TRL needs them as pairs: the best four against the other four, one by one
    "dpo-k8": Shape(500, (100,) * 8, 2, ((0, 4), (1, 5), (2, 6), (3, 7))),
}
SHAPES["dpo-curve"] = Shape(12, (9, 6), 4, ((0, 1),))  # tiny, for the loss curves; no race
SIDES: dict[str, dict[str, Any]] = {
    # reference log-probabilities from the cache; whole groups in micro-batches, as the trainer cuts a step
    "ours": {"budget": MICRO_BATCH},
    "ours-lean": {"budget": MICRO_BATCH, "checkpointing": True, "return_freed_memory": True},
    "ours-first": {"budget": MICRO_BATCH, "reference": True},  # first epoch: the reference is computed in the step
    "trl-best": {"precompute_ref_log_probs": True, "gradient_checkpointing": False},
    "trl-defaults": {},  # checkpointing on, the reference computed in every step
}
# row → (shape, our side, TRL's side); rows of one shape and peer share a race
ROWS = {
    f"{shape}{suffix}": (shape, ours, theirs)
    for shape in ("dpo-long-prompt", "dpo-single-turn", "dpo-k8")
    for suffix, ours, theirs in (
        ("", "ours", "trl-best"),
        ("-lean", "ours-lean", "trl-best"),
        ("-defaults", "ours-first", "trl-defaults"),
    )
}


def model(name: str) -> Any:
    """A Llama of 36 M parameters: six layers of 512, vocabulary 32,768, tied.

    Two layers of 32 for the curves; 24 of 1,024 (0.51 B parameters with 128 k words) on a GPU.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    width, inner, layers, heads = (32, 64, 2, 4) if name == "dpo-curve" else (512, 1408, 6, 8)
    if GPU:
        width, inner, layers, heads = 1024, 4096, 24, 16
    made = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=8192,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    return made.to(device="cuda", dtype=torch.bfloat16) if GPU else made


def ids(shape: Shape, step: int) -> list[tuple[list[int], list[list[int]]]]:
    """(prompt, responses) of each group of a step; responses end with the end token."""
    import numpy as np

    rng = np.random.default_rng([SEED, step])

    def words(n: int) -> list[int]:
        return [int(i) for i in rng.integers(FIRST, VOCABULARY, n)]

    return [(words(shape.prompt), [[*words(n - 1), 2] for n in shape.lengths]) for _ in range(shape.groups)]


# --- one side, one process: prints {"loss", "seconds"} per step whenever a line arrives


def ours(name: str, options: dict[str, Any], steps: int) -> None:
    """Steps of plain PyTorch on the engine."""
    import copy
    import time

    import torch
    from torch.nn.functional import softplus

    from zermelo.policies.engine import group_logprobs
    from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse
    from zermelo.policies.memory import return_freed_memory
    from zermelo.policies.packing import microbatches

    if options.get("return_freed_memory"):
        return_freed_memory()
    shape = SHAPES[name]
    policy = model(name).train()
    checkpointing = options.get("checkpointing", False)
    rate = 5e-3 if name == "dpo-curve" else 1e-6
    batches = [
        TokenGroups(
            tuple(
                TokenGroup(f"{step}:{i}", tuple(p), tuple(TokenResponse(tuple(r)) for r in rs))
                for i, (p, rs) in enumerate(ids(shape, step))
            )
        )
        for step in range(steps)
    ]
    device = "cuda" if GPU else "cpu"
    pairs = torch.tensor(shape.pairs, device=device)
    one = torch.arange(len(shape.lengths)).repeat_interleave(torch.tensor(shape.lengths)).to(device)

    def sequence(logps: Any) -> Any:
        of_group = logps.view(-1, len(one))  # [G, tokens of a group]
        return logps.new_zeros(len(of_group), len(shape.lengths)).index_add(1, one, of_group)

    def reference(batch: TokenGroups, of: Any) -> Any:
        return sequence(group_logprobs(of, batch, grad=False).logps)

    start = copy.deepcopy(policy) if options.get("reference") else None
    stored = [] if start else [reference(batch, policy) for batch in batches]
    optimiser = torch.optim.AdamW(policy.parameters(), lr=rate, fused=True, weight_decay=0.0)
    for step, batch in enumerate(batches):
        _turn()
        began = time.perf_counter()
        total = 0.0
        for part in microbatches(batch, options.get("budget", 10**9)):
            some = batch.subset(part)
            ref = reference(some, start) if start else stored[step][part]
            margin = sequence(group_logprobs(policy, some, checkpointing=checkpointing).logps) - ref
            win, lose = margin[:, pairs[:, 0]], margin[:, pairs[:, 1]]
            loss = softplus(-0.1 * (win - lose)).sum() / shape.n_pairs
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        _say(loss=total, seconds=time.perf_counter() - began, **_device_peak())


def trl(name: str, options: dict[str, Any], steps: int) -> None:
    """Steps of `DPOTrainer`, timed from the start of a step to its end."""
    import time

    from datasets import Dataset
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    special = ["<pad>", "<s>", "</s>", "<unk>", *(f"<{i}>" for i in range(4, FIRST))]
    words = {word: i for i, word in enumerate([*special, *(f"w{i}" for i in range(FIRST, VOCABULARY))])}
    backend = Tokenizer(WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    shape = SHAPES[name]

    def text(tokens: list[int]) -> str:
        return " ".join(f"w{i}" for i in tokens if i >= FIRST)

    rows = [
        {"prompt": text(p) + " ", "chosen": text(rs[a]), "rejected": text(rs[b])}
        for step in range(steps)
        for p, rs in ids(shape, step)
        for a, b in shape.pairs
    ]

    class Turns(TrainerCallback):  # type: ignore[misc]
        began = 0.0
        taken = 0.0
        waits = True

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            _turn()
            self.began = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            _device_peak()  # waits for the device
            self.taken = time.perf_counter() - self.began

        def on_log(self, _args: Any, _state: Any, _control: Any, logs: dict[str, float], **__: Any) -> None:
            if "loss" in logs:
                _say(loss=logs["loss"], seconds=self.taken, **_device_peak())

    with tempfile.TemporaryDirectory() as folder:
        settings = DPOConfig(
            output_dir=folder,
            per_device_train_batch_size=shape.n_pairs,
            max_steps=steps,
            learning_rate=5e-3 if name == "dpo-curve" else 1e-6,
            lr_scheduler_type="constant",
            beta=0.1,
            max_length=None,
            bf16=GPU,
            use_cpu=not GPU,
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            train_sampling_strategy="sequential",
            **options,
        )
        trainer = DPOTrainer(
            model=model(name),
            # a model that came from no folder cannot be loaded a second time by the trainer itself
            ref_model=None if options.get("precompute_ref_log_probs") else model(name),
            args=settings,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[Turns()],
        )
        first = next(iter(trainer.get_train_dataloader()))
        expected = sum(shape.prompt * 2 + shape.lengths[a] + shape.lengths[b] for a, b in shape.pairs) * shape.groups
        assert int(first["attention_mask"].sum()) == expected, "the sides do not see the same tokens"
        trainer.train()


def _turn() -> None:
    if not sys.stdin.readline():
        raise SystemExit


def _device_peak() -> dict[str, float]:
    if not GPU:
        return {}
    import torch

    torch.cuda.synchronize()
    return {"peak_mb": torch.cuda.max_memory_allocated() / 1e6}


def _say(**values: float) -> None:
    print("@" + json.dumps(values), flush=True)


# --- the race


def race(name: str, sides: list[str], steps: int) -> list[list[dict[str, float]]]:
    """All sides in turn, one step each. Returns the figures of every step, side by side."""
    players = [_Player(side, name, steps) for side in sides]
    for _ in range(steps):
        for player in players:
            player.step()
    return [player.steps for player in players]


def difference(mine: list[dict[str, float]], other: list[dict[str, float]]) -> float:
    """Largest difference of two loss curves, nat."""
    return max(abs(a["loss"] - b["loss"]) for a, b in zip(mine, other, strict=True))


class _Player:
    def __init__(self, side: str, name: str, steps: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.dpo", side, name, str(steps)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("LOUD") else None,
            text=True,
        )
        self.steps: list[dict[str, float]] = []

    def step(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("@"):
                self.steps.append({"peak_mb": self._peak(), **json.loads(line[1:])})
                return
        raise SystemExit(f"{self.process.args}: ended early; LOUD=1 shows why")

    def _peak(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def flops(name: str) -> float:
    """Multiply-adds × 2 of one step's matrix products on the shared tree: forward, backward, head recomputed."""
    shape = SHAPES[name]
    body = 6 * (4 * 512 * 512 + 3 * 512 * 1408)
    tokens = shape.groups * (shape.prompt + sum(n - 1 for n in shape.lengths))
    predicted = shape.groups * sum(shape.lengths)
    pairs = shape.groups * (
        shape.prompt**2 / 2 + sum(n * shape.prompt + n * n / 2 for n in shape.lengths)
    )  # query-key pairs seen
    attention = 6 * pairs * 512 * 2  # multiply-adds of q·k and p·v; the backward pass has five products for two
    return 2.0 * (3 * tokens * body + 4 * predicted * VOCABULARY * 512 + 3.5 * attention)


def peak_flops() -> float:
    """Best measured float32 matrix-product rate of this machine, FLOP/s."""
    import time

    import torch

    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = 0.0
    for _ in range(12):
        began = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - began))
    return best


def main() -> None:
    steps = int(os.environ.get("STEPS", "3")) + 1  # the first is not counted
    only = os.environ.get("ONE")
    rate = peak_flops()
    races: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row, (shape, side, theirs) in ROWS.items():
        if only in (None, row):
            races.setdefault((shape, theirs), []).append((row, side))
    for (shape, theirs), rows in races.items():
        *mine, other = race(shape, [*(side for _, side in rows), theirs], steps)
        for (row, side), own in zip(rows, mine, strict=True):
            record(row, side, theirs, own, other, rate)


def record(
    row: str, side: str, theirs: str, mine: list[dict[str, float]], other: list[dict[str, float]], rate: float
) -> None:
    """Compare the losses, then keep the figures of one row."""
    apart = difference(mine, other)
    if apart > 1e-3:
        raise SystemExit(f"{row}: losses differ by {apart:.2g}: {mine} {other}")
    name = ROWS[row][0]
    shape = SHAPES[name]
    a, b = (statistics.median(step["seconds"] for step in steps[1:]) for steps in (mine, other))
    keep(
        row,
        peer="trl",
        ours=a,
        theirs=b,
        unit="s",
        ours_mb=mine[-1]["peak_mb"],
        theirs_mb=other[-1]["peak_mb"],
        conditions=(
            f"one optimiser step, Llama 36 M, float32; {shape.groups} prompts of {shape.prompt}, responses of "
            f"{'/'.join(map(str, dict.fromkeys(shape.lengths)))} tokens ({len(shape.lengths)} per prompt), "
            f"{shape.n_pairs} pairs; {side} against {theirs}, {len(mine) - 1} interleaved steps; losses equal within "
            f"{apart:.0e}; our step reaches {flops(name) / a / rate:.0%} of the measured matrix-product rate"
        ),
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_side = ours if sys.argv[1].startswith("ours") else trl
        run_side(sys.argv[2], dict(SIDES[sys.argv[1]]), int(sys.argv[3]))
    else:
        main()
