"""A saved scorer: `zermelo_reward.json` (its card) and, where it is ours, `head.safetensors` beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zermelo import __version__
from zermelo.errors import DataError, MissingError

__all__ = ["CARD", "SCHEMA", "find_card", "read_card", "read_tensors", "write_scorer"]

CARD = "zermelo_reward.json"
SCHEMA = "zermelo.reward/1"
WEIGHTS = "head.safetensors"


def find_card(folder: str | os.PathLike[str]) -> Path | None:
    """The card in a folder or in the `model` folder of a run; None where there is none."""
    for path in (Path(folder) / CARD, Path(folder) / "model" / CARD):
        if path.is_file():
            return path
    return None


def read_card(folder: str | os.PathLike[str], kind: str | None = None) -> dict[str, Any]:
    """The card of a saved scorer.

    Raises:
        MissingError: no card there.
        DataError: not a card of ours, or of another kind.
    """
    path = find_card(folder)
    if path is None:
        raise MissingError("no-scorer", f"{os.fspath(folder)}: no reward model here; expected {CARD}")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError("bad-card", f"not JSON: {error}", file=str(path)) from error
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        found = card.get("schema") if isinstance(card, dict) else type(card).__name__
        raise DataError("bad-card", f"schema {found!r}; expected {SCHEMA!r}", file=str(path))
    if kind is not None and card.get("kind") != kind:
        raise DataError("bad-card", f"a reward model of kind {card.get('kind')!r}; expected {kind!r}", file=str(path))
    return card


def read_tensors(folder: str | os.PathLike[str]) -> dict[str, NDArray[np.float64]]:
    """The arrays beside the card."""
    path = find_card(folder)
    weights = None if path is None else path.parent / WEIGHTS
    if weights is None or not weights.is_file():
        raise MissingError("no-scorer", f"{os.fspath(folder)}: no {WEIGHTS} beside the card")
    try:
        return {name: np.asarray(value) for name, value in _safetensors().load_file(weights).items()}
    except Exception as error:  # the library raises its own class
        raise DataError("bad-card", f"damaged weights: {error}", file=str(weights)) from error


def write_scorer(
    folder: str | os.PathLike[str], kind: str, tensors: Mapping[str, NDArray[Any]], more: Mapping[str, Any]
) -> Path:
    """Write weights, then the card; each beside and renamed."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    beside = place / f"{WEIGHTS}.tmp"
    _safetensors().save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, beside)
    beside.replace(place / WEIGHTS)
    card = {"schema": SCHEMA, "kind": kind, "zermelo": __version__, "date": date.today().isoformat(), **more}
    beside = place / f"{CARD}.tmp"
    beside.write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")
    beside.replace(place / CARD)
    return place


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise MissingError(
            "missing-extra", "saved reward models need safetensors", hint="pip install safetensors"
        ) from error
    return safetensors.numpy
