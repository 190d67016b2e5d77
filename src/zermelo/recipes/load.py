"""A YAML file and `key=value` overrides into a `Recipe`; whatever is wrong is said with file, line and suggestion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, overload

import yaml
from pydantic import BaseModel, ValidationError

from zermelo.errors import DataError, SettingError, nearest
from zermelo.recipes.schema import Recipe

__all__ = ["load_recipe", "parse_overrides", "shipped"]

STEPS = ("sample", "judge", "inject", "pairs", "doctor", "reward", "select", "evaluate")
Path_ = tuple[str | int, ...]
Made = TypeVar("Made", bound=Recipe)


def shipped(kind: str = "") -> dict[str, Path]:
    """name → path of the recipes that come with the package; `compare`: of the comparisons."""
    folder = Path(str(files(__package__))) / "shipped" / kind
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


@overload
def load_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe: ...


@overload
def load_recipe(source: str | Path, overrides: Sequence[str] = (), *, kind: type[Made]) -> Made: ...


def load_recipe(source: str | Path, overrides: Sequence[str] = (), *, kind: type[Recipe] = Recipe) -> Recipe:
    """Read, override and validate a recipe.

    Args:
        source: A YAML file, or the name of a shipped recipe (`quickstart`).
        overrides: `key=value` with dots (`align.dpo.lr=1e-5`); values are YAML.
        kind: What it is read as: a recipe, or a comparison.
    Raises:
        SettingError: the file is no YAML, a key is unknown, a value has the wrong type; with file and line.
    """
    known = shipped("" if kind is Recipe else "compare")
    path = known.get(str(source), Path(source))
    if not path.is_file():
        guess = nearest(str(source), list(known))
        hint = f"did you mean `{guess}`?" if guess else "shipped: " + ", ".join(known)
        raise SettingError("no-recipe", f"{source}: no such file", hint=hint)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.load(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise DataError("not-utf8", f"{path}: not UTF-8 at byte {error.start}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or str(error)
        raise SettingError("bad-yaml", f"not YAML: {problem}", file=str(path), row=line) from error
    if not isinstance(raw, dict):
        raise SettingError("bad-yaml", "a recipe is a mapping of settings and steps", file=str(path), row=1)
    for step in STEPS:  # `judge:` with nothing behind it asks for the step with its defaults; `judge=null` takes it out
        if step in raw and raw[step] is None:
            raw[step] = {}
    for key, value in parse_overrides(overrides):
        _put(raw, key, value)
    lines = _lines(node)
    try:
        made = kind.model_validate(raw)
    except ValidationError as error:
        raise _explain(error, str(path), lines, kind) from None
    _check_objectives(made, str(path), lines)
    return made


def parse_overrides(overrides: Sequence[str]) -> list[tuple[tuple[str, ...], Any]]:
    """`align.dpo.lr=1e-5` → (("align", "dpo", "lr"), 1e-5)."""
    found = []
    for item in overrides:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise SettingError("usage", f"{item!r}: an override is key=value, such as align.dpo.lr=1e-5")
        found.append((tuple(key.split(".")), yaml.load(value, Loader=_Loader)))
    return found


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads 1e-5 as text; people mean the number. A key that stands twice is a mistake, not the later one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys differ."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"`{key.value}` stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


def _put(raw: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    for part in key[:-1]:
        if not isinstance(raw.get(part), dict):
            raw[part] = {}
        raw = raw[part]
    raw[key[-1]] = value


def _lines(node: Any) -> dict[Path_, int]:
    """Path of keys → 1-based line, for every node of the document."""
    found: dict[Path_, int] = {}

    def walk(item: Any, path: Path_) -> None:
        found[path] = item.start_mark.line + 1
        if isinstance(item, yaml.MappingNode):
            for key, value in item.value:
                walk(value, (*path, key.value))
                found[(*path, key.value)] = key.start_mark.line + 1
        elif isinstance(item, yaml.SequenceNode):
            for index, value in enumerate(item.value):
                walk(value, (*path, index))

    if node is not None:
        walk(node, ())
    return found


def _explain(error: ValidationError, file: str, lines: Mapping[Path_, int], kind: type[Recipe]) -> SettingError:
    """The first problem, as one line with its place."""
    # a misspelt key that is required is also missing: the misspelling is what to say
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path: Path_ = tuple(first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    line = _line(path or tuple(message.split(":")[0].split(".")), lines)
    dotted = ".".join(map(str, path)) or "recipe"
    if first["type"] == "extra_forbidden":
        what = f"{dotted}: no such setting; {advice(path, kind)}"
        return SettingError("unknown-setting", what, file=file, row=line)
    if first["type"] == "missing":
        return SettingError("missing-setting", f"{dotted}: missing; a recipe needs it", file=file, row=line)
    got = "" if first["type"] == "value_error" else f". Got {first['input']!r}"
    return SettingError("bad-setting", f"{dotted}: {message}{got}", file=file, row=line)


def advice(path: Path_, kind: type[Recipe]) -> str:
    """What may stand in place of an unknown key at a path."""
    known = _known_keys(path[:-1], kind)
    guess = nearest(str(path[-1]), known)
    return f"did you mean `{guess}`?" if guess else "known: " + ", ".join(known)


def _line(path: Path_, lines: Mapping[Path_, int]) -> int | None:
    """Line of the deepest part of a path that the file has."""
    return next((lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines), None)


def _check_objectives(made: Recipe, file: str, lines: Mapping[Path_, int]) -> None:
    """Refuse an objective that cannot be made now, and not after the samples, judgements and pairs of a long run."""
    if find_spec("torch") is None:
        return  # the step itself says what is to be installed
    from zermelo.objectives.config import from_config

    for part in ("align", "rounds", "methods"):
        for name, settings in getattr(made, part, {}).items():
            try:
                from_config(settings.objective, place="objective")
            except SettingError as error:
                place: Path_ = (part, name, "objective")
                inner = error.message.partition(":")[0].partition(" ")[0]
                steps = re.findall(r"[^.\[\]]+", inner)[1:] if inner.startswith("objective") else []
                path = (*place, *(int(step) if step.isdigit() else step for step in steps))
                raise SettingError(
                    error.code,
                    f"{part}.{name}: {error.message}",
                    file=file,
                    row=_line(path, lines),
                    hint=error.hint,
                ) from None


def _known_keys(path: Path_, kind: type[Recipe]) -> list[str]:
    """Keys that the settings at a path take."""
    model: Any = kind
    for part in path:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            break
        found = model.model_fields.get(str(part))
        model = _model_of(found.annotation) if found is not None else model
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_of(annotation: Any) -> Any:
    """The settings class inside `X | None` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_of(inner)) is not None:
            return found
    return None
