"""The map of objectives is complete, and its code and recipes run as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from zermelo.catalogue import names, resolve
from zermelo.objectives import from_config, to_config

PAGE = (Path(__file__).parents[2] / "docs" / "objectives.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)\n```", PAGE, re.S)
RECIPES = re.findall(r"```yaml\n(.*?)\n```", PAGE, re.S)
LOSSES = [name for name, target in names().items() if re.match(r"objectives\.\w+:[A-Z]", target)]


@pytest.mark.parametrize("name", LOSSES)
def test_every_objective_of_the_catalogue_is_on_the_map(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("code", CODE, ids=range(len(CODE)))
def test_the_code_runs(code: str) -> None:
    names: dict[str, object] = {"__name__": "docs"}
    exec(compile(code, "docs/objectives.md", "exec"), names)
    assert names.keys() - {"__name__", "__builtins__"}, "the code of the page defines what it shows"


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_the_recipes_are_objectives(recipe: str) -> None:
    made = from_config(yaml.safe_load(recipe)["objective"])
    assert from_config(to_config(made)) == made


def test_every_objective_that_the_trl_page_names_exists() -> None:
    page = (Path(__file__).parents[2] / "docs" / "coming_from_trl.md").read_text(encoding="utf-8")
    cells = [row.split("|")[2] for row in page.splitlines() if row.startswith("| ") and not row.startswith("| TRL")]
    named = {found for cell in cells for found in re.findall(r"`(\w+): \{", cell)}
    assert len(named) > 15
    assert named <= set(names())
    kind = {name: resolve(name) for name in named}
    for cell in cells:
        for name, inside in re.findall(r"`(\w+): \{([^`]*)\}`", cell):
            for setting in re.findall(r"(\w+)(?=[,:}]|$)", re.sub(r"<[^>]*>|: ?[^,]*", "", inside)):
                assert setting in kind[name].__dataclass_fields__, f"{name} has no setting {setting}"
