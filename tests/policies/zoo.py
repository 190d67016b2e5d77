"""Tiny random instances of real architectures, and arithmetic in which float64 is float64 throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers as hf
from torch import nn
from torch.overrides import TorchFunctionMode

from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse

VOCABULARY = 64
SIZE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,  # large enough for attention and experts to matter
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def _gpt2() -> nn.Module:
    return hf.GPT2LMHeadModel(
        hf.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=512, initializer_range=0.2)
    )


def _mamba() -> nn.Module:
    return hf.MambaForCausalLM(
        hf.MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.2)
    )


def _recurrent_gemma() -> nn.Module:
    config = hf.RecurrentGemmaConfig(
        **SIZE, lru_width=32, attention_window_size=16, block_types=["recurrent", "attention"], conv1d_width=4
    )
    return hf.RecurrentGemmaForCausalLM(config)


def _gemma(kind: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        more = {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0} if kind == "2" else {}
        config = getattr(hf, "Gemma2Config" if kind == "2" else "Gemma3TextConfig")(
            **SIZE,
            **more,
            head_dim=8,
            query_pre_attn_scalar=8,
            sliding_window=6,
            layer_types=["sliding_attention", "full_attention"],
        )
        return getattr(hf, "Gemma2ForCausalLM" if kind == "2" else "Gemma3ForCausalLM")(config)

    return build


def _of(model: str, config: str, **more: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        return getattr(hf, model)(getattr(hf, config)(**{**SIZE, **more}))

    return build


# the grouped matrix product of the default implementation has no float64
EXPERTS = {"num_experts_per_tok": 2, "output_router_logits": False, "experts_implementation": "eager"}
BRANCHING: dict[str, Callable[[], nn.Module]] = {
    "llama": _of("LlamaForCausalLM", "LlamaConfig"),
    "llama-tied": _of("LlamaForCausalLM", "LlamaConfig", tie_word_embeddings=True, num_key_value_heads=4),
    "qwen2": _of("Qwen2ForCausalLM", "Qwen2Config"),
    "qwen3": _of("Qwen3ForCausalLM", "Qwen3Config", head_dim=8),
    "mistral": _of("MistralForCausalLM", "MistralConfig", sliding_window=None),
    "mistral-window": _of("MistralForCausalLM", "MistralConfig", sliding_window=6),
    "gemma2": _gemma("2"),
    "gemma3": _gemma("3"),
    "gpt2": _gpt2,
    "phi": _of("PhiForCausalLM", "PhiConfig"),
    "gpt-neox": _of("GPTNeoXForCausalLM", "GPTNeoXConfig"),
    "olmo": _of("OlmoForCausalLM", "OlmoConfig"),
    "olmo2": _of("Olmo2ForCausalLM", "Olmo2Config"),
    "mixtral": _of("MixtralForCausalLM", "MixtralConfig", num_local_experts=4, sliding_window=None, **EXPERTS),
    "qwen2-moe": _of(
        "Qwen2MoeForCausalLM",
        "Qwen2MoeConfig",
        num_experts=4,
        moe_intermediate_size=24,
        shared_expert_intermediate_size=24,
        decoder_sparse_step=1,
        **EXPERTS,
    ),
    "cohere": _of("CohereForCausalLM", "CohereConfig", logit_scale=0.25),
    "granite": _of("GraniteForCausalLM", "GraniteConfig", logits_scaling=4.0),
}
ALONE: dict[str, Callable[[], nn.Module]] = {"mamba": _mamba, "recurrent-gemma": _recurrent_gemma}


def build(name: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> nn.Module:
    """A model of the zoo in evaluation mode."""
    torch.manual_seed(seed)
    model = {**BRANCHING, **ALONE}[name]().to(dtype).eval()
    with torch.no_grad():  # biases and norms start at 0 and 1, where wrong gradients can hide
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model


class _Wide(TorchFunctionMode):
    """Models compute norms, rotary positions and softmax in float32 on purpose; here they stay in float64."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = {key: self._dtype(value) for key, value in (kwargs or {}).items()}
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        elif func is torch.Tensor.to:
            args = (args[0], *(self._dtype(arg) for arg in args[1:]))
        return func(*args, **kwargs)

    @staticmethod
    def _dtype(value: Any) -> Any:
        return torch.float64 if value is torch.float32 else value


@contextmanager
def wide() -> Iterator[None]:
    """Inside, whoever asks for float32 gets float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Wide():
            yield
    finally:
        torch.set_default_dtype(before)


def group(name: str, prompt: int, *lengths: int, seed: int = 0) -> TokenGroup:
    """A group of random ids: one prompt of `prompt` tokens, a response of each length."""
    rng = torch.Generator().manual_seed(seed + hash((prompt, lengths)) % 1000)

    def ids(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, VOCABULARY, (n,), generator=rng).tolist())

    return TokenGroup(name, ids(prompt), tuple(TokenResponse(ids(n)) for n in lengths))


# one-token prompts and responses, K = 1, very unequal lengths
SAMPLE = TokenGroups((group("a", 5, 7, 1, 12), group("b", 1, 9), group("c", 24, 2, 40, 3, 1), group("d", 3, 1, 1)))


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """‖a − b‖ / ‖b‖."""
    return float(((a - b).norm() / b.norm().clamp_min(1e-300)).detach())
