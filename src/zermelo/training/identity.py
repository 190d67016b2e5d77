"""What makes a run the same run: a digest of the examples, and the resolved configuration."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zermelo.errors import SettingError
from zermelo.objectives.config import to_config
from zermelo.training.examples import Example
from zermelo.training.settings import OfflineSettings

__all__ = ["data_digest", "described", "resolved"]


def data_digest(examples: Sequence[Example]) -> str:
    """32 hex digits of ids, tokens and judgements, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for example in examples:
        digest.update(f"{example.id}\x1f{example.pairs}{example.scores}{example.labels}{example.weight}".encode())
        for group in example.tokens:
            digest.update(array("q", group.prompt).tobytes())
            for response in group.responses:
                digest.update(array("q", response.ids).tobytes() + b"\x1e")
    return digest.hexdigest()


def described(objective: Any) -> Any:
    """The objective as plain data, or its repr where no import path leads to it."""
    try:
        return to_config(objective)
    except SettingError:
        return repr(objective)


def resolved(
    kind: str,
    *,
    name: str,
    weights: str,
    objective: Any,
    settings: OfflineSettings,
    examples: Sequence[Example],
    validation: Sequence[Example],
    more: dict[str, Any],
) -> dict[str, Any]:
    """The configuration that a folder is claimed with."""
    return {
        "schema": "zermelo.training/1",
        "kind": kind,
        "policy": {"name": name, "weights": weights},
        "objective": described(objective),
        "settings": asdict(settings),
        "data": {"groups": len(examples), "digest": data_digest(examples)},
        "validation": {"groups": len(validation), "digest": data_digest(validation)} if validation else None,
        **more,
    }
