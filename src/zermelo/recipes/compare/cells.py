"""The grid of a comparison: its cells, the alignment of each, and where it lies."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zermelo.errors import SettingError, nearest
from zermelo.recipes.compare.schema import Comparison, Method
from zermelo.recipes.schema import Objective, Recipe, Rounds, Training

__all__ = ["START", "Cell", "cell_recipe", "cells", "settings_of"]

START = "start"


@dataclass(frozen=True)
class Cell:
    """One run: a method under one setting, on one variant of the data, with one seed.

    Args:
        variant: Of the data.
        method: Its name, or `start`: nothing is trained.
        setting: `beta=0.1, lr=0.0001`, '' where there is no grid.
        seed: Of the alignment and of the answers.
    """

    variant: str
    method: str
    setting: str
    seed: int

    def folder(self, out: Path) -> Path:
        """Where the cell lies."""
        inner = out / "cells" / safe(self.variant) / safe(self.method)
        return inner / safe(self.setting or "default") / f"seed-{self.seed}"

    def line(self) -> str:
        """For people."""
        setting = f" ({self.setting})" if self.setting else ""
        return f"{self.variant} · {self.method}{setting} · seed {self.seed}"


def cells(comparison: Comparison) -> list[Cell]:
    """All cells; those of the start first."""
    seeds, variants = comparison.seeds, comparison.variants
    found = [Cell(variant, START, "", seed) for variant in variants for seed in seeds]
    for variant in variants:
        for name, method in comparison.methods.items():
            for setting in settings_of(name, method):
                found += [Cell(variant, name, setting, seed) for seed in seeds]
    return found


def cell_recipe(comparison: Comparison, cell: Cell) -> Recipe:
    """What the steps of a cell see."""
    base = comparison.base(cell.variant)
    changes: dict[str, Any] = {"seed": cell.seed, "evaluate": comparison.evaluate, "align": {}, "rounds": {}}
    if cell.method != START:
        made = settings_of(cell.method, comparison.methods[cell.method])[cell.setting]
        changes["rounds" if isinstance(made, Rounds) else "align"] = {cell.method: made}
    return base.model_copy(update=changes)


def settings_of(name: str, method: Method) -> dict[str, Objective | Rounds]:
    """Setting → alignment, of every combination of a method's grid, in the order of the grid."""
    plain = method.plain()
    found: dict[str, Objective | Rounds] = {}
    for values in itertools.product(*method.grid.values()):
        chosen = dict(zip(method.grid, values, strict=True))
        made = plain
        for key, value in chosen.items():
            made = changed(made, key, value, f"methods.{name}.grid.{key}")
        found[", ".join(f"{key}={value}" for key, value in chosen.items())] = made
    return found


def changed(made: Objective | Rounds, key: str, value: Any, place: str) -> Objective | Rounds:
    """The alignment with one setting changed: of the training, of the rounds, or of the objective.

    Raises:
        SettingError: there is no such setting, or it does not take the value (`bad-grid`).
    """
    from zermelo.objectives.config import from_config

    fields = set(type(made).model_fields) - {"objective"}
    try:
        if key in fields:
            return type(made).model_validate(made.model_dump(exclude_unset=True) | {key: value})
        objective = put(made.objective, key.split("."), value)
        from_config(objective)
    except SettingError as error:
        raise SettingError("bad-grid", f"{place}: {error.message}") from None
    except (ValueError, KeyError, TypeError) as error:
        guess = nearest(key, sorted(Training.model_fields))
        hint = f"did you mean `{guess}`?" if guess else None
        raise SettingError(
            "bad-grid", f"{place}: no such setting, or not of that value: {value!r}", hint=hint
        ) from error
    return made.model_copy(update={"objective": objective})


def put(objective: Any, path: list[str], value: Any) -> Any:
    """A plain objective with one of its settings replaced; in a sum the path begins with the part's name."""
    if isinstance(objective, str):
        objective = {objective: {}}
    if isinstance(objective, list):
        places = [i for i, part in enumerate(objective) if path[0] in (part if isinstance(part, Mapping) else [part])]
        if len(places) != 1 or len(path) < 2:
            raise KeyError(path[0])
        return [put(part, path[1:], value) if i in places else part for i, part in enumerate(objective)]
    (name,) = [key for key in objective if key != "weight"]
    if path == ["weight"]:
        return {**objective, "weight": value}
    if path[0] == name and len(path) > 1:
        path = path[1:]
    settings = dict(objective[name] or {})
    if len(path) > 1:
        settings[path[0]] = put(settings[path[0]], path[1:], value)
    else:
        settings[path[0]] = value
    return {**objective, name: settings}


def safe(name: str) -> str:
    """A name as a folder."""
    return re.sub(r"[^\w.=,+-]+", "_", name) or "_"
