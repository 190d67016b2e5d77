"""Load a causal language model with its tokenizer: a folder, a hub name, or an adapter's folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zermelo.errors import MissingError, SettingError, one_of, positive, unit_interval
from zermelo.policies.policy import Policy
from zermelo.policies.template import Chat, probe_template

if TYPE_CHECKING:
    import torch

__all__ = ["LoRA", "load", "load_classifier", "load_tokenizer", "with_lora"]

DType = Literal["float32", "bfloat16", "float16", "auto"]
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


@dataclass(frozen=True)
class LoRA:
    """Settings of a new low-rank adapter: W + (alpha / rank) B A, B starting at 0.

    Args:
        rank: Rank of A and B.
        alpha: Scale; None = 2 · rank.
        dropout: Dropout before A.
        targets: Module names, or `all-linear` (every linear layer but the output layer).
    Source: "LoRA: Low-Rank Adaptation of Large Language Models", 2021, arXiv 2106.09685.
    """

    rank: int = 16
    alpha: int | None = None
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        positive(self, "rank")
        if self.alpha is not None:
            positive(self, "alpha")
        unit_interval(self, "dropout", open_right=1.0)


def load(
    name_or_path: str | os.PathLike[str],
    *,
    adapter: str | os.PathLike[str] | None = None,
    lora: LoRA | None = None,
    dtype: DType = "float32",
    device: str | torch.device | None = None,
    attention: str | None = None,
    chat: Chat = "auto",
    trust_remote_code: bool = False,
    name: str | None = None,
) -> Policy:
    """Load a policy, in evaluation mode, its template probed.

    Args:
        name_or_path: A folder with model and tokenizer, a hub name, or the folder of a PEFT adapter.
        adapter: Folder or hub name of a trained adapter to put on the model.
        lora: A new adapter; only its parameters are trainable.
        dtype: Type of the weights; `auto` is the checkpoint's own.
        device: None = the first CUDA device where there is one, else the CPU.
        attention: Transformers' `attn_implementation`; None = its own choice.
        chat: How text prompts are wrapped, see `Template`.
        trust_remote_code: Let the checkpoint's own code run. Off unless asked for.
        name: Name on what it samples; default: the last part of `name_or_path`.
    Raises:
        MissingError: no such model, a folder without tokenizer, no network, the extra `train` not installed.
        SettingError: the tokenizer has no end-of-text token, or a setting is wrong.
    """
    path = os.fspath(name_or_path)
    source, adapter = _base_of_adapter(path, adapter)
    tokenizer = load_tokenizer(path if _has_tokenizer(Path(path)) else source, trust_remote_code=trust_remote_code)
    model = _model("AutoModelForCausalLM", source, dtype, attention, trust_remote_code)
    if adapter is not None:
        model = _with_adapter(model, os.fspath(adapter))
    if lora is not None:
        model = with_lora(model, lora)
    model = model.to(_device(device)).eval()
    template = probe_template(tokenizer, chat=chat, end_ids=_generation_ends(model))
    return Policy(model, tokenizer, name or Path(path.rstrip("/")).name, template)


def load_classifier(
    name_or_path: str | os.PathLike[str],
    *,
    dtype: DType = "float32",
    device: str | torch.device | None = None,
    chat: Chat = "auto",
    trust_remote_code: bool = False,
) -> Policy:
    """A sequence classifier with its tokenizer and template (reward models); arguments and errors as for `load`."""
    path = os.fspath(name_or_path)
    tokenizer = load_tokenizer(path, trust_remote_code=trust_remote_code)
    model = _model("AutoModelForSequenceClassification", path, dtype, None, trust_remote_code)
    template = probe_template(tokenizer, chat=chat)
    return Policy(model.to(_device(device)).eval(), tokenizer, Path(path.rstrip("/")).name, template)


def _model(kind: str, source: str, dtype: DType, attention: str | None, trust_remote_code: bool) -> Any:
    torch, transformers = _libraries()
    one_of(_Choice(dtype), "dtype", ("float32", "bfloat16", "float16", "auto"))
    settings: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    if attention is not None:
        settings["attn_implementation"] = attention
    with _said(source):
        return getattr(transformers, kind).from_pretrained(
            source, dtype="auto" if dtype == "auto" else getattr(torch, dtype), **settings
        )


def _device(device: str | torch.device | None) -> Any:
    torch, _ = _libraries()
    return device if device is not None else ("cuda" if torch.cuda.is_available() else "cpu")


def load_tokenizer(name_or_path: str | os.PathLike[str], *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a folder or hub name.

    Raises:
        MissingError: the folder has none (`no-tokenizer`), or the name is unknown (`no-model`).
    """
    _, transformers = _libraries()
    path = os.fspath(name_or_path)
    folder = Path(path)
    if folder.is_dir() and not _has_tokenizer(folder):
        raise MissingError(
            "no-tokenizer",
            f"{path}: a model folder without a tokenizer; expected tokenizer.json or the like",
            hint="save it there with `tokenizer.save_pretrained(folder)`",
        )
    with _said(path):
        return transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)


@dataclass(frozen=True)
class _Choice:
    dtype: str


class _said:
    """Turn the libraries' ways of saying 'not there' into one line."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        folder = Path(self.source)
        if folder.is_dir():
            short = " ".join(str(error).split())[:300]
            raise MissingError("broken-model", f"{self.source}: cannot be loaded: {short}") from error
        if isinstance(error, OSError):
            offline = any(os.environ.get(key) == "1" for key in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
            why = "not in the local cache, and offline (HF_HUB_OFFLINE=1)" if offline else "not found"
            raise MissingError(
                "no-model",
                f"{self.source}: no such folder, and as a hub name {why}",
                hint="give a folder with model and tokenizer, or download once with `hf download NAME`",
            ) from error
        short = " ".join(str(error).split())[:300]
        raise SettingError("broken-model", f"{self.source}: {short}") from error


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingError(
            "missing-extra", f"language models need {error.name}", hint="pip install 'zermelo[train]'"
        ) from error
    return torch, transformers


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def _base_of_adapter(path: str, adapter: str | os.PathLike[str] | None) -> tuple[str, str | os.PathLike[str] | None]:
    """(base model, adapter) of a folder that holds an adapter and no model of its own."""
    settings = Path(path) / "adapter_config.json"
    if not settings.is_file() or (Path(path) / "config.json").is_file():
        return path, adapter
    base = json.loads(settings.read_text(encoding="utf-8")).get("base_model_name_or_path")
    if not base:
        raise SettingError("broken-model", f"{settings}: names no base model", hint="give the base, and `adapter=`")
    return str(base), path


def _with_adapter(model: Any, adapter: str) -> Any:
    from peft import PeftModel

    with _said(adapter):
        return PeftModel.from_pretrained(model, adapter, is_trainable=True)


def with_lora(model: Any, lora: LoRA) -> Any:
    """The model with a new adapter; only its parameters are trainable."""
    from peft import LoraConfig, get_peft_model

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    alpha = 2 * lora.rank if lora.alpha is None else lora.alpha
    config = LoraConfig(
        r=lora.rank, lora_alpha=alpha, lora_dropout=lora.dropout, target_modules=targets, task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)


def _generation_ends(model: Any) -> list[int]:
    """End ids that the model's generation settings name; an int, a list or nothing."""
    found = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return [] if found is None else [int(found)] if isinstance(found, int) else [int(token) for token in found]
