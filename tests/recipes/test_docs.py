"""What the page on comparisons shows is valid and runs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from zermelo.recipes.compare.cells import cells
from zermelo.recipes.compare.schema import Comparison
from zermelo.recipes.load import load_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)\n```", PAGE, re.S)
RECIPES = re.findall(r"```yaml\n(.*?)\n```", PAGE, re.S)


def test_the_code_runs(capsys) -> None:
    for code in CODE:
        exec(compile(code, "docs/compare.md", "exec"), {"__name__": "docs"})
    assert "[" in capsys.readouterr().out


def test_the_comparison_and_the_rounds_are_valid(tmp_path) -> None:
    comparison, rounds = tmp_path / "comparison.yaml", tmp_path / "rounds.yaml"
    comparison.write_text(RECIPES[0])
    loaded = load_recipe(comparison, kind=Comparison)
    assert len(cells(loaded)) == 3 * 5 * (1 + 3 + 4 + 1)
    recipe = {"model": "world", "data": {"world": "arithmetic"}, "reward": {}, "judge": {}, "sample": {}}
    rounds.write_text(yaml.safe_dump(recipe | yaml.safe_load(RECIPES[1])))
    assert load_recipe(rounds).rounds["iterative_dpo"].n == 3


def test_the_recipes_that_the_page_names_are_shipped() -> None:
    assert set(load_recipe("rounds").rounds) >= {"dno", "dno_practical", "rso", "vpo", "curry", "hypo"}
    assert set(load_recipe("iterative").rounds) == {"iterative_dpo", "inpo"}
