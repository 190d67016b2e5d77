"""A recipe from end to end on a tiny scale: figures, resuming, refusal of another recipe in the same folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zermelo.errors import SettingError
from zermelo.recipes.load import load_recipe
from zermelo.recipes.report import report
from zermelo.recipes.run import plan, run_recipe
from zermelo.recipes.summary import summary

SMALL = ["data.prompts=24", "data.test_prompts=12", "sample.n=4", "select=null", "reward=null"]


def small(*more: str):
    recipe = load_recipe("quickstart", [*SMALL, *more])
    return recipe.model_copy(update={"align": {k: v for k, v in recipe.align.items() if k != "dpo_nll"}})


def run(out: Path, recipe) -> dict:
    done = run_recipe(recipe, out)
    figures = summary(recipe, done, out)
    report(recipe, done, figures, out)
    return figures


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("run") / "whole"
    return out, run(out, small())


def without_run(figures: dict) -> dict:
    return {key: value for key, value in figures.items() if key != "run"}


def test_the_summary_holds_the_figures_as_plain_numbers(finished) -> None:
    out, figures = finished
    assert json.loads((out / "summary.json").read_text()) == figures
    dpo = figures["objectives"]["dpo"]
    for key in ("accuracy_before", "accuracy_after", "win_rate", "win_rate_length_controlled"):
        assert 0 <= dpo[key] <= 1
    assert dpo["accuracy_gain"] == pytest.approx(dpo["accuracy_after"] - dpo["accuracy_before"])
    assert dpo["ci_low"] <= dpo["accuracy_gain"] <= dpo["ci_high"]
    assert isinstance(dpo["kl"], float)
    assert set(figures["run"]["steps"]) == {"data", "sample", "judge", "inject", "pairs", "align", "evaluate"}


def test_the_report_is_one_file_without_network(finished) -> None:
    page = (finished[0] / "report.html").read_text()
    for part in (
        "Is it better?",
        "What happened in training",
        "Side by side",
        "The resolved recipe",
        "Length-controlled",
    ):
        assert part in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page


def test_trained_models_load_in_transformers_as_they_are(finished) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = finished[0] / "align" / "dpo" / "model"
    assert AutoModelForCausalLM.from_pretrained(folder).config.model_type == "llama"
    assert AutoTokenizer.from_pretrained(folder).eos_token


def test_a_finished_run_is_not_done_again(finished) -> None:
    out, figures = finished
    before = (out / "align" / "done.json").stat().st_mtime_ns
    assert without_run(run(out, small())) == without_run(figures)
    assert (out / "align" / "done.json").stat().st_mtime_ns == before


def test_another_recipe_in_the_same_folder_is_refused(finished) -> None:
    with pytest.raises(SettingError, match="another recipe has been run"):
        run_recipe(small("seed=5"), finished[0])


def test_the_same_seed_gives_the_same_figures_in_another_folder(finished, tmp_path: Path) -> None:
    assert without_run(run(tmp_path / "again", small())) == without_run(finished[1])


def test_the_plan_names_the_steps_that_the_recipe_asks_for() -> None:
    assert [step for step, _ in plan(load_recipe("quickstart"))] == [
        "data", "sample", "judge", "inject", "pairs", "reward", "align", "select", "evaluate",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("wait", ["sample", "align/dpo/metrics.jsonl", "evaluate"])
def test_a_killed_run_goes_on_and_ends_with_the_same_figures(finished, tmp_path: Path, wait: str) -> None:
    out = tmp_path / "killed"
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; "
        "from test_run import run, small; run(Path(sys.argv[1]), small())"
    )
    command = [sys.executable, "-c", code, str(out), str(Path(__file__).parent)]
    process = subprocess.Popen(command, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    while process.poll() is None and not (out / wait).exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert without_run(run(out, small())) == without_run(finished[1])


def test_a_users_own_pairs_run_without_a_verifier(finished, tmp_path: Path) -> None:
    import yaml

    from zermelo.feedback.reading import read_groups
    from zermelo.feedback.writing import write_groups
    from zermelo.worlds.protocol import folder

    pairs = tmp_path / "pairs.jsonl"
    write_groups(read_groups(str(finished[0] / "pairs" / "groups.parquet")), pairs, format="trl")
    recipe = tmp_path / "mine.yaml"
    settings = {
        "model": str(folder("arithmetic")),
        "data": {"files": str(pairs), "test_share": 0.3},
        "max_tokens": 64,
        "threads": 1,
        "reward": {"lr": 3e-4},
        "align": {"dpo": {"objective": {"dpo": {"beta": 0.1}}, "lora": 4}},
        "evaluate": {},
    }
    recipe.write_text(yaml.safe_dump(settings))
    figures = run(tmp_path / "mine", load_recipe(recipe))
    assert figures["objectives"]["dpo"]["accuracy_gain"] is None
    assert 0 <= figures["objectives"]["dpo"]["win_rate"] <= 1
    assert 0 <= figures["reward_accuracy"] <= 1
