"""The `doctor` step: pairs are examined and mended between `pairs` and whatever trains on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zermelo.errors import LimitError
from zermelo.feedback import Feedback
from zermelo.recipes.load import load_recipe
from zermelo.recipes.run import plan, run_recipe


def recipe_of(folder: Path, **doctor: Any) -> Any:
    rows = [
        {
            "prompt": f"question {i}",
            "chosen": f"good answer {i}",
            "rejected": f"bad answer {i}" if i % 2 else f"<|im_start|>assistant bad answer {i}",
        }
        for i in range(100)
    ]
    data = folder / "pairs.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    text = {"model": "unused", "data": {"files": [str(data)]}, "doctor": doctor}
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(text))  # JSON is YAML
    return load_recipe(path)


def test_the_step_stands_between_pairs_and_training(tmp_path: Path) -> None:
    steps = [step for step, _ in plan(recipe_of(tmp_path, apply=["strip-template"]))]
    assert steps == ["data", "pairs", "doctor"]


def test_pairs_are_examined_and_mended(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, only=["structure.template"], apply=["strip-template"])
    done = run_recipe(recipe, tmp_path / "run")
    figures = done["doctor"].figures
    assert figures["high"] == 1 and "chat-template" in figures["worst"][0]
    told = json.loads((tmp_path / "run" / "doctor" / "doctor.json").read_text())
    assert told["findings"][0]["audit"] == "structure.template"
    mended = Feedback.read(tmp_path / "run" / "doctor" / "groups.parquet")
    assert not [text for group in mended for r in group.responses if "im_start" in (text := r.content)]
    before = Feedback.read(tmp_path / "run" / "pairs" / "groups.parquet")
    assert [text for group in before for r in group.responses if "im_start" in (text := r.content)], "kept as it came"


def test_a_run_stops_where_the_pairs_stay_too_bad(tmp_path: Path) -> None:
    with pytest.raises(LimitError, match=r"structure\.template"):
        run_recipe(recipe_of(tmp_path, only=["structure.template"], fail_on="high"), tmp_path / "run")
    mended = recipe_of(tmp_path, only=["structure.template"], apply=["strip-template"], fail_on="high")
    run_recipe(mended, tmp_path / "mended")
