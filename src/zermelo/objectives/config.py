"""Objectives as plain data, for recipes and checkpoints, and back.

[{simpo: {beta: 2.0, gamma: 1.0}}, {sft: {}, weight: 0.1}]       a sum
{lcpo: {base: {dpo: {beta: 0.1}}}}                                a wrapper takes an objective as `base`
{dpo: {beta: {linear: {start: 0.1, end: 0.05}}}}                  a schedule in place of a number
{"my_package.losses:MyLoss": {scale: 2}}                          one's own, by import path
dpo                                                               a name alone: its defaults
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from zermelo.catalogue import names, resolve
from zermelo.errors import SettingError, nearest
from zermelo.objectives.protocol import Sum, Weighted
from zermelo.objectives.schedules import SCHEDULES

__all__ = ["from_config", "name_of", "to_config"]


def from_config(data: Any, *, place: str = "objective") -> Any:
    """The objective that plain data describes.

    Args:
        data: A name, a mapping `{name: settings, weight: w}`, or a list of them (their sum).
        place: Where the data stands, for messages.
    Raises:
        SettingError: a name is unknown, a setting is unknown, missing or out of range; with its place.
    """
    if isinstance(data, str):
        return _build(data, {}, place)
    if isinstance(data, Sequence):
        if not data:
            raise SettingError("bad-setting", f"{place}: an empty list is no objective")
        parts = [from_config(item, place=f"{place}[{index}]") for index, item in enumerate(data)]
        return parts[0] if len(parts) == 1 else sum(parts[1:], start=parts[0])
    if not isinstance(data, Mapping):
        raise SettingError("bad-setting", f"{place}: expected a name, a mapping or a list. Got {data!r}")
    heads = [key for key in data if key != "weight"]
    if len(heads) != 1:
        found = ", ".join(f"`{key}`" for key in heads) or "none"
        raise SettingError(
            "bad-setting",
            f"{place}: expected one objective (and `weight`). Got {found}",
            hint="several objectives are a list: [{simpo: {beta: 2.0}}, {sft: {}, weight: 0.1}]",
        )
    built = _build(str(heads[0]), data[heads[0]], place)
    if "weight" not in data:
        return built
    weight = _value(data["weight"], f"{place}.weight")
    if not callable(weight) and (isinstance(weight, bool) or not isinstance(weight, int | float)):
        raise SettingError("bad-setting", f"{place}.weight must be a number or a schedule. Got {weight!r}")
    return built * weight


def to_config(objective: Any) -> Any:
    """Plain data from which `from_config` makes an equal objective; settings at their defaults are left out.

    Raises:
        SettingError: the objective is no dataclass that an import path could name (made inside a function).
    """
    if isinstance(objective, Sum):
        return [to_config(part) for part in objective.parts]
    if isinstance(objective, Weighted):
        return {**_as_mapping(to_config(objective.base)), "weight": _plain(objective.weight)}
    return {name_of(type(objective)): _settings(objective)}


def name_of(kind: type) -> str:
    """The catalogue's name of an objective class, or its import path."""
    if "<locals>" in kind.__qualname__:
        raise SettingError(
            "bad-objective",
            f"{kind.__qualname__} is made inside a function; no import path leads there",
            hint="define it at the top of a module",
        )
    path = f"{kind.__module__}:{kind.__qualname__}"
    inside = path.removeprefix("zermelo.")
    return next((name for name, target in names().items() if target == inside), path)


def _as_mapping(data: Any) -> dict[str, Any]:
    if isinstance(data, dict) and "weight" not in data:
        return data
    raise SettingError("bad-objective", "a product of two schedules has no YAML form; multiply one of them out")


def _settings(value: Any) -> dict[str, Any]:
    found = {}
    for item in fields(value):
        now = getattr(value, item.name)
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        if default is MISSING or now != default:
            found[item.name] = _plain(now)
    return found


def _plain(value: Any) -> Any:
    for name, kind in SCHEDULES.items():
        if type(value) is kind:
            return {name: _settings(value)}
    if hasattr(value, "needs"):
        return to_config(value)
    if callable(value):
        raise SettingError("bad-objective", f"{value!r} has no plain form; use a schedule of zermelo.objectives")
    return list(value) if isinstance(value, tuple) else value


def _value(data: Any, place: str) -> Any:
    """A setting: schedules are recognised by their name, objectives by the field `base`; else as it is."""
    if isinstance(data, Mapping):
        if len(data) == 1 and next(iter(data)) in SCHEDULES:
            name = str(next(iter(data)))
            return _construct(SCHEDULES[name], data[name], f"{place}.{name}")
        raise SettingError(
            "bad-setting",
            f"{place}: expected a value or a schedule. Got {dict(data)!r}",
            hint="schedules: " + ", ".join(SCHEDULES),
        )
    return tuple(data) if isinstance(data, list) else data


def _build(name: str, settings: Any, place: str) -> Any:
    kind = resolve(name, kind="objectives.")
    if not (isinstance(kind, type) and is_dataclass(kind) and hasattr(kind, "needs")):
        raise SettingError(
            "unknown-name", f"{place}: {name} is no objective", hint="`zermelo methods --base` lists them"
        )
    return _construct(kind, settings, f"{place}.{name}")


def _construct(kind: Any, settings: Any, place: str) -> Any:
    if settings is None:
        settings = {}
    if not isinstance(settings, Mapping):
        raise SettingError("bad-setting", f"{place}: settings are a mapping. Got {settings!r}")
    known = {item.name: item for item in fields(kind)}
    values = {}
    for key, data in settings.items():
        if key not in known:
            guess = nearest(str(key), list(known))
            advice = f"did you mean `{guess}`?" if guess else "it has " + (", ".join(known) or "none")
            raise SettingError("unknown-setting", f"{place}.{key}: {kind.__name__} has no such setting; {advice}")
        inner = f"{place}.{key}"
        values[key] = from_config(data, place=inner) if key == "base" else _value(data, inner)
        default = known[key].default
        if isinstance(values[key], str) and isinstance(default, int | float):
            raise SettingError("bad-setting", f"{inner} must be a number. Got {values[key]!r}")
    for key, item in known.items():
        if key not in values and item.default is MISSING and item.default_factory is MISSING:
            raise SettingError("missing-setting", f"{place}.{key}: missing; {kind.__name__} has no default for it")
    try:
        return kind(**values)
    except SettingError as error:
        raise SettingError(error.code, f"{place}: {error.message}", hint=error.hint) from None
