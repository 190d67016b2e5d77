"""The engine under PEFT, activation checkpointing, autocast, DDP and FSDP2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import zoo
from torch import Tensor, nn

from zermelo.policies.engine import group_logprobs
from zermelo.policies.groups import TokenGroups

torch.set_num_threads(1)


def gradients(model: nn.Module, groups: TokenGroups = zoo.SAMPLE, **kwargs: object) -> dict[str, Tensor]:
    model.zero_grad(set_to_none=True)
    got = group_logprobs(model, groups, **kwargs)  # type: ignore[arg-type]
    assert got.logps is not None
    weight = torch.randn(got.logps.shape, generator=torch.Generator().manual_seed(0)).to(got.logps.dtype)
    (got.logps * weight).sum().backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return {"logps": got.logps.detach(), **grads}


def check(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    worst = max(expected, key=lambda name: zoo.apart(found[name], expected[name]))
    assert zoo.apart(found[worst], expected[worst]) <= tolerance, worst


def lora(model: nn.Module, **kwargs: object) -> nn.Module:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    adapted = get_peft_model(model, LoraConfig(r=3, lora_alpha=6, **kwargs))  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return adapted.eval()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "adapter",
    [
        {"target_modules": ["q_proj", "v_proj", "down_proj"]},
        {"target_modules": ["q_proj", "lm_head"]},
        {"target_modules": ["lm_head"], "use_dora": True},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    ],
    ids=["body", "head", "dora-head", "embedding", "saved-head"],
)
def test_lora_on_any_layer_equals_the_plain_forward(adapter: dict[str, object]) -> None:
    with zoo.wide():
        model = lora(zoo.build("llama"), **adapter)
        expected = gradients(model, backend="plain")
        assert any("lora_A" in name for name in expected) or "modules_to_save" in adapter
        for backend in ("dense", "split"):
            check(gradients(model, backend=backend), expected, 1e-10)


def test_adapters_switched_off_give_the_base_model() -> None:
    base = zoo.build("llama", torch.float32)
    expected = group_logprobs(base, zoo.SAMPLE, grad=False).logps
    model = lora(base, target_modules=["q_proj", "lm_head"])
    with model.disable_adapter():
        off = group_logprobs(model, zoo.SAMPLE, grad=False).logps
    on = group_logprobs(model, zoo.SAMPLE, grad=False).logps
    assert expected is not None and off is not None and on is not None
    assert zoo.apart(off, expected) < 1e-6 < zoo.apart(on, expected)


def test_virtual_prompt_tokens_take_the_sequence_path() -> None:
    from peft import PromptTuningConfig, get_peft_model

    settings = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    model = get_peft_model(zoo.build("llama", torch.float32), settings).eval()
    group = zoo.SAMPLE.groups[0]
    ids = torch.tensor([group.prompt + group.responses[0].ids])
    at = len(group.prompt) - 1
    logits = model(input_ids=ids).logits.log_softmax(-1)[0, 3 + at : -1]
    expected = logits.gather(1, ids[0, at + 1 :, None])[:, 0]
    for backend in ("auto", "plain"):
        got = group_logprobs(model, TokenGroups((group,)), grad=False, backend=backend)
        assert got.backend == {"auto": "sequences"}.get(backend, backend) and got.logps is not None
        assert zoo.apart(got.logps[: len(expected)], expected) < 1e-6


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2", "mamba"])
def test_activation_checkpointing_changes_no_number(name: str) -> None:
    model = zoo.build(name, torch.float32).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    expected = gradients(model, backend="plain")
    check(gradients(model, checkpointing=True), expected, 1e-5)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    check(gradients(model), expected, 1e-5)
    check(gradients(model, backend="sequences"), expected, 1e-5)


def test_activation_checkpointing_really_recomputes() -> None:
    model = zoo.build("llama", torch.float32).train()
    calls = []
    model.model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    group_logprobs(model, zoo.SAMPLE, grad=False)
    calls.clear()
    gradients(model, checkpointing=True)
    assert len(calls) == 2


def test_torch_checkpoint_wrappers_recompute_with_the_same_attention() -> None:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import apply_activation_checkpointing

    def named(found: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name.replace("_checkpoint_wrapped_module.", ""): value for name, value in found.items()}

    model = zoo.build("llama", torch.float32)
    expected = gradients(model, backend="plain")
    apply_activation_checkpointing(model, check_fn=lambda module: type(module).__name__ == "LlamaDecoderLayer")
    for backend in ("dense", "split"):
        check(named(gradients(model, backend=backend)), expected, 1e-5)


def test_bfloat16_autocast_is_as_close_to_the_truth_as_the_plain_forward() -> None:
    model = zoo.build("llama", torch.float32)
    truth = gradients(model, backend="plain")

    def distance(**kwargs: object) -> float:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = gradients(model, **kwargs)
        assert found["logps"].dtype == torch.float32
        return sum(zoo.apart(found[name].float(), truth[name]) for name in truth) / len(truth)

    plain = distance(backend="plain")
    assert plain > 1e-3  # it is bfloat16 indeed
    for backend in ("dense", "split"):
        assert distance(backend=backend) < 1.25 * plain


def test_bfloat16_weights_work_on_every_backend() -> None:
    model = zoo.build("qwen2", torch.bfloat16)
    truth = group_logprobs(zoo.build("qwen2", torch.float32), zoo.SAMPLE, grad=False).logps
    assert truth is not None
    for backend in ("dense", "split", "sequences"):
        got = gradients(model, backend=backend)
        assert got["logps"].dtype == torch.float32 and zoo.apart(got["logps"], truth) < 0.1


def test_dropout_keeps_its_rate_in_training() -> None:
    model = zoo.build("gpt2", torch.float32).train()
    a = group_logprobs(model, zoo.SAMPLE, grad=False, backend="split").logps
    b = group_logprobs(model, zoo.SAMPLE, grad=False, backend="split").logps
    assert a is not None and b is not None and not torch.equal(a, b)


WORKER = """
import sys, torch, torch.distributed as dist
sys.path.insert(0, {folder!r})
import zoo
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from zermelo.policies.engine import Want, group_logprobs
from zermelo.policies.groups import TokenGroups

rank, port = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{{port}}", rank=rank, world_size=2)
parts = [TokenGroups(zoo.SAMPLE.groups[:1]), TokenGroups(zoo.SAMPLE.groups[1:3])]

def loss(model, groups, **kwargs):
    out = group_logprobs(model, groups, backend="split", want=Want(entropy=True, hidden=True), **kwargs)
    return out.logps.sum() + 0.5 * out.entropy.sum() + out.hidden.sum()

def full(grad):
    return grad.full_tensor() if hasattr(grad, "full_tensor") else grad

for name, kind in (("llama-tied", "fsdp2"), ("gemma2", "fsdp2"), ("llama-tied", "ddp")):
    plain = zoo.build(name, torch.float32).train()
    for part in parts:
        (loss(plain, part) / 2).backward()
    expected = {{k: p.grad for k, p in plain.named_parameters()}}
    model = zoo.build(name, torch.float32).train()
    if kind == "ddp":
        wrapped = DistributedDataParallel(model)
    else:
        for layer in model.model.layers:
            fully_shard(layer)
        fully_shard(model, reshard_after_forward=True)  # the root too: nothing is at hand by luck
        wrapped = model
    for checkpointing in (False, True):
        model.zero_grad()
        loss(wrapped, parts[rank], checkpointing=checkpointing).backward()
        for k, p in model.named_parameters():
            error = zoo.apart(full(p.grad), expected[k])
            assert error < 1e-5, (name, kind, checkpointing, k, error)
print("equal", rank)
dist.destroy_process_group()
"""


def test_sharded_and_replicated_models_get_the_gradients_of_both_processes(tmp_path: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(folder=str(Path(__file__).parent)))
    workers = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), port],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    said = [worker.communicate(timeout=200)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(said)
