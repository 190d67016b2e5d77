"""Objectives in words: `simpo:beta=2,gamma=1`, inline YAML, or a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from zermelo.catalogue import names
from zermelo.errors import SettingError

__all__ = ["OBJECTIVE_HELP", "parse_objectives"]

OBJECTIVE_HELP = "dpo:beta=0.1, YAML, or a YAML file; repeat to add up (sft:weight=0.1). `zermelo methods` lists them."


def parse_objectives(texts: list[str]) -> Any:
    """The plain form of a sum of objectives, for `objectives.config.from_config`.

    Args:
        texts: Each `name`, `name:setting=value,…` (`weight` among them multiplies it), inline YAML, or a file.
    Raises:
        SettingError: not of that form.
    """
    parts: list[Any] = []
    for text in texts:
        found = _parse(text)
        parts += found if isinstance(found, list) else [found]
    return parts[0] if len(parts) == 1 else parts


def _parse(text: str) -> Any:
    if text.endswith((".yaml", ".yml")):
        path = Path(text)
        if not path.is_file():
            raise SettingError("bad-setting", f"--objective {text}: no such file")
        found = _yaml(path.read_text(encoding="utf-8"), text)
        return found["objective"] if isinstance(found, dict) and set(found) == {"objective"} else found
    if text.lstrip()[:1] in ("[", "{") or ": " in text:
        return _yaml(text, text)
    name, _, rest = text.partition(":")
    if rest and "=" not in rest and name not in names():  # module:attribute, one's own
        return {text: {}}
    settings = {}
    for part in filter(None, (piece.strip() for piece in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise SettingError(
                "bad-setting", f"--objective {text}: {part!r} is no setting; expected name:setting=value,setting=value"
            )
        settings[key.strip()] = number(_yaml(value, text))
    weight = settings.pop("weight", None)
    return {name.strip(): settings} if weight is None else {name.strip(): settings, "weight": weight}


def _yaml(text: str, place: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        short = " ".join(str(error).split())[:200]
        raise SettingError("bad-setting", f"--objective {place}: not YAML: {short}") from error


def number(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
