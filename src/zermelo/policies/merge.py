"""An adapter folded into its base: the result is an ordinary checkpoint that Transformers and vLLM load as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from zermelo.errors import SettingError
from zermelo.policies.load import DType, load

__all__ = ["merge_adapter"]


def merge_adapter(
    adapter: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    dtype: DType = "auto",
    trust_remote_code: bool = False,
) -> Path:
    """Write W + (alpha / rank) B A in place of W, with the tokenizer beside.

    Args:
        adapter: Folder of a PEFT adapter.
        out: Folder for the merged model, written beside and renamed.
        base: The base model, where the adapter's own note of it does not hold here.
        dtype: Of the written weights; `auto` is the base's own.
        trust_remote_code: Let the checkpoint's own code run.
    Raises:
        SettingError: the folder holds no adapter, or `out` is there already.
        MissingError: the base or its tokenizer is not there.
    """
    place = Path(out)
    if not (Path(adapter) / "adapter_config.json").is_file():
        raise SettingError("no-adapter", f"{os.fspath(adapter)}: no adapter_config.json here; nothing to merge")
    if place.exists():
        raise SettingError("output-exists", f"{place}: is there already; expected a new folder")
    if base is None:
        policy = load(adapter, dtype=dtype, device="cpu", trust_remote_code=trust_remote_code)
    else:
        policy = load(base, adapter=adapter, dtype=dtype, device="cpu", trust_remote_code=trust_remote_code)
    model: Any = policy.model
    merged = model.merge_and_unload()
    beside = place.with_name(place.name + ".tmp")
    shutil.rmtree(beside, ignore_errors=True)
    merged.save_pretrained(beside)
    policy.tokenizer.save_pretrained(beside)
    beside.rename(place)
    return place
