"""Recipes: what is wrong is said with file, line and suggestion; overrides; defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from zermelo.errors import SettingError
from zermelo.recipes.load import load_recipe, parse_overrides, shipped

GOOD = """\
model: world
data: {world: arithmetic, prompts: 20}
sample: {n: 4}
judge:
align:
  dpo: {objective: {dpo: {beta: 0.1}}, lr: 2e-5}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def test_a_recipe_loads_with_its_defaults(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD))
    assert recipe.sample is not None
    assert recipe.sample.n == 4
    assert recipe.judge is not None
    assert recipe.judge.scorer == "world"
    assert recipe.align["dpo"].lr == 2e-5


def test_a_string_of_data_names_files(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, "model: gpt2\ndata: my_pairs.parquet\n")).data.files == ["my_pairs.parquet"]


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD), ["align.dpo.lr=1e-6", "seed=7"])
    assert recipe.align["dpo"].lr == 1e-6
    assert recipe.seed == 7


def test_overrides_are_yaml_values() -> None:
    assert parse_overrides(["a.b=1e-5", "c=[1, 2]", "d=yes"]) == [(("a", "b"), 1e-5), (("c",), [1, 2]), (("d",), True)]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (GOOD.replace("lr: 2e-5", "\n      lrr: 2e-5"), 7, r"align\.dpo\.lrr: no such setting; did you mean `lr`\?"),
        (GOOD.replace("n: 4", "n: four"), 3, r"sample\.n: .*Got 'four'"),
        (GOOD.replace("model: world\n", ""), 1, r"model: missing"),
        (GOOD.replace("sample:", "smaple:"), 3, r"smaple: no such setting; did you mean `sample`\?"),
        (GOOD + "reward: {lr: -1}\n", 7, r"reward\.lr: .*greater than 0.*Got -1"),
        (GOOD.replace("model:", "modle:"), 1, r"modle: no such setting; did you mean `model`\?"),
        (GOOD + "model: other\n", 7, "`model` stands twice"),
        (GOOD.replace("{dpo: {beta: 0.1}}", "{dpo: {bta: 0.1}}"), 6, "DPO has no such setting; did you mean `beta`"),
        (GOOD.replace("{dpo: {beta: 0.1}}", "{dop: {}}"), 6, "no objectives.'dop' in the catalogue"),
        ("model: [\n", 2, "not YAML"),
        ("- 1\n", 1, "a recipe is a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        load_recipe(write(tmp_path, text))
    assert caught.value.row == line
    assert caught.value.exit_code == 2


def test_steps_that_need_another_are_refused_without_it(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="sample needs judge"):
        load_recipe(write(tmp_path, GOOD.replace("judge:\n", "")))


def test_every_shipped_recipe_loads() -> None:
    assert "quickstart" in shipped()
    for name in shipped():
        load_recipe(name)


def test_a_misspelt_setting_of_a_comparisons_variant_has_a_suggestion(tmp_path: Path) -> None:
    from zermelo.recipes.compare.schema import Comparison

    text = GOOD.replace("align:", "methods:") + "variants:\n  noisy: {pairs: {flipp: 0.2}}\n"
    with pytest.raises(SettingError, match=r"pairs\.flipp: no such setting; did you mean `flip`\?") as caught:
        load_recipe(write(tmp_path, text), kind=Comparison)
    assert caught.value.row == 8
