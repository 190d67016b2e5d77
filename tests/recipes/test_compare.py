"""A comparison from end to end on tiny policies: what is shared, resumed, refused; figures are those of the files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from zermelo.errors import SettingError
from zermelo.recipes.compare.cells import Cell, cell_recipe, cells, settings_of
from zermelo.recipes.compare.figures import compared
from zermelo.recipes.compare.report import write
from zermelo.recipes.compare.run import run_comparison
from zermelo.recipes.compare.schema import Comparison
from zermelo.recipes.load import load_recipe

TINY = {
    "model": "world",
    "data": {"world": "arithmetic", "prompts": 16, "test_prompts": 10},
    "max_tokens": 40,
    "threads": 1,
    "sample": {"n": 4, "max_tokens": 40},
    "judge": {"scorer": "world"},
    "methods": {
        "dpo": {"objective": "dpo", "lr": 1e-4, "grid": {"beta": [0.05, 0.2]}},
        "ipo": {"objective": {"ipo": {}}, "lr": 1e-4},
    },
    "variants": {"clean": {}, "noisy": {"pairs": {"flip": 0.5}}},
    "seeds": [0, 1],
}


def tiny(**changes) -> Comparison:
    return Comparison.model_validate({**TINY, **changes})


def run(out: Path, comparison: Comparison | None = None, **how) -> dict:
    comparison = comparison or tiny()
    result = compared(comparison, run_comparison(comparison, out, **how), out)
    write(comparison, result, out)
    return {key: value for key, value in json.loads((out / "compare.json").read_text()).items() if key != "run"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("compare") / "whole"
    return out, run(out)


def test_every_cell_is_run_and_figures_are_those_of_the_answers_on_disk(finished) -> None:
    from zermelo.feedback.reading import read_groups
    from zermelo.worlds.protocol import world

    out, figures = finished
    assert len(cells(tiny())) == 2 * 2 * (1 + 2 + 1)
    place = world("arithmetic")
    means = {}
    for seed in (0, 1):
        for method, setting in (("start", "default"), ("ipo", "default"), ("dpo", "beta=0.05")):
            name = "start" if method == "start" else method
            path = out / "cells" / "clean" / method / setting / f"seed-{seed}" / "measure" / f"{name}.parquet"
            groups = list(read_groups(str(path), format="native", quiet=True))
            means[method, seed] = np.mean([place.reward(g, g.responses[0].content) for g in groups])
    assert figures["start"]["clean"] == pytest.approx((means["start", 0] + means["start", 1]) / 2)
    methods = {own["name"]: own for own in figures["variants"]["clean"]["methods"]}
    assert methods["dpo"]["settings"]["beta=0.05"] == pytest.approx((means["dpo", 0] + means["dpo", 1]) / 2)
    gain = np.mean([means["ipo", s] - means["start", s] for s in (0, 1)])
    assert methods["ipo"]["gain"]["value"] == pytest.approx(gain)
    assert {(p["first"], p["second"]) for p in figures["variants"]["clean"]["pairs"]} == {("dpo", "ipo")}


def test_samples_and_judgements_are_made_once_for_all_variants(finished) -> None:
    shared = finished[0] / "shared"
    for step in ("data", "sample", "judge"):
        one, two = (shared / name / step for name in ("clean", "noisy"))
        assert (one / "done.json").read_bytes() == (two / "done.json").read_bytes()
    sides = [json.loads((shared / name / "pairs" / "done.json").read_text())["figures"] for name in ("clean", "noisy")]
    assert sides[0]["pairs"] == sides[1]["pairs"] and sides[1]["flipped"] > 0


def test_only_the_first_cell_computes_reference_logprobs(finished, monkeypatch) -> None:
    from zermelo.policies import reference

    computed: list[int] = []
    known = reference.group_logprobs

    def counted(policy, groups, **how):
        computed.append(len(groups.groups))
        return known(policy, groups, **how)

    monkeypatch.setattr(reference, "group_logprobs", counted)
    out = finished[0].parent / "one"
    only = tiny(methods={"dpo": {"objective": "dpo", "lr": 1e-4}}, variants={"clean": {}}, seeds=[0])
    run_comparison(only, out)
    assert computed
    computed.clear()
    more = tiny(methods={"dpo": {"objective": "dpo", "lr": 1e-4}, "ipo": {"objective": {"ipo": {}}}}, seeds=[0, 1])
    (out / "recipe.yaml").unlink()  # as if the same folder had been asked for more from the start
    run_comparison(more, out)
    # the noisy variant has the same sequences with other labels
    assert not computed


def test_a_finished_comparison_is_not_done_again_and_processes_change_no_figure(finished, tmp_path) -> None:
    out, figures = finished
    marks = {path: path.stat().st_mtime_ns for path in out.rglob("done.json")}
    assert run(out) == figures
    assert marks == {path: path.stat().st_mtime_ns for path in out.rglob("done.json")}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_give_the_figures_of_one(finished, tmp_path) -> None:
    assert run(tmp_path / "two", jobs=2) == finished[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("wait", ["shared/clean/sample", "cells/clean/dpo/beta=0.2/seed-0/align"])
def test_a_killed_comparison_goes_on_and_ends_with_the_same_figures(finished, tmp_path, wait) -> None:
    out, file = tmp_path / "killed", tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(TINY))
    command = [sys.executable, "-m", "zermelo", "compare", str(file), "-o", str(out)]
    process = subprocess.Popen(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (out / wait).exists():
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "compare.json").exists()
    assert run(out) == finished[1]


def test_another_comparison_in_the_same_folder_is_refused(finished) -> None:
    with pytest.raises(SettingError, match="another recipe"):
        run(finished[0], tiny(seeds=[0, 2]))


def test_the_page_and_the_markdown_hold_the_tables(finished) -> None:
    page, text = ((finished[0] / name).read_text() for name in ("compare.html", "compare.md"))
    for part in ("Which is better on clean?", "Pairs of methods", "Robustness to settings", "What the runs did"):
        assert part in page
    assert "<script" not in page
    assert "| dpo | ipo |" in text and "## noisy: 10 prompts, 2 seeds" in text


def test_a_diverged_cell_is_an_outcome(tmp_path, monkeypatch) -> None:
    from zermelo.recipes.steps import training

    known = training.train

    tries = []

    def sometimes(context, name, settings, *rest, **how):
        if settings.lr == 1.0:
            tries.append(name)
            raise SettingError("not-finite", "the gradient is nan")
        return known(context, name, settings, *rest, **how)

    monkeypatch.setattr(training, "train", sometimes)
    one = tiny(methods={"dpo": {"objective": "dpo", "grid": {"lr": [1e-4, 1.0]}}}, variants={"clean": {}}, seeds=[0])
    comparison = one
    found = run_comparison(comparison, tmp_path)
    result = compared(comparison, found, tmp_path)
    (own,) = result.results["clean"].methods
    assert own.failed == 1 and own.chosen == ("lr=0.0001",)
    assert "diverged" in result.figures["run"]["failed"][0]
    assert "diverged" in write(comparison, result, tmp_path).read_text()
    assert run_comparison(comparison, tmp_path) == found and len(tries) == 1  # it is not tried again


def test_grids_reach_the_objective_the_training_and_the_parts_of_a_sum() -> None:
    made = tiny(
        methods={
            "sum": {
                "objective": [{"simpo": {"beta": 2.0, "gamma": 1.0}}, {"sft": {}, "weight": 0.1}],
                "grid": {"simpo.beta": [1.0, 4.0], "sft.weight": [0.5], "lr": [1e-5]},
            },
            "wrapped": {"objective": {"lcpo": {"base": {"dpo": {"beta": 0.1}}}}, "grid": {"base.beta": [0.3]}},
        }
    )
    of = settings_of("sum", made.methods["sum"])
    assert list(of) == ["simpo.beta=1.0, sft.weight=0.5, lr=1e-05", "simpo.beta=4.0, sft.weight=0.5, lr=1e-05"]
    last = of["simpo.beta=4.0, sft.weight=0.5, lr=1e-05"]
    assert last.lr == 1e-5 and last.objective[0]["simpo"] == {"beta": 4.0, "gamma": 1.0}
    assert last.objective[1] == {"sft": {}, "weight": 0.5}
    (wrapped,) = settings_of("wrapped", made.methods["wrapped"]).values()
    assert wrapped.objective == {"lcpo": {"base": {"dpo": {"beta": 0.3}}}}
    recipe = cell_recipe(made, Cell("noisy", "wrapped", "base.beta=0.3", 1))
    assert recipe.seed == 1 and recipe.pairs.flip == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"methods": {"dpo": {"objective": "dpo", "grid": {"bata": [1]}}}}, "grid.bata"),
        ({"methods": {"dpo": {"objective": "dpo", "grid": {"lr": [-1]}}}}, "grid.lr"),
        ({"methods": {"dpo": {"objective": "dpo", "grid": {"lr": []}}}}, "no value"),
        ({"methods": {"dpo": {"objective": "dpo", "rounds": {"m": 3}}}}, "rounds: m"),
        ({"methods": {"dpo": {"objective": "dpo", "rounds": {"n": 2, "against": "last"}}}}, "rounds: against"),
        ({"seeds": [1, 1]}, "different"),
        ({"baseline": "kto"}, "none of the methods"),
        ({"variants": {"x": {"pairs": {"flop": 1}}}}, "variants.x"),
        ({"align": {"dpo": {"objective": "dpo"}}}, "in place of"),
        ({"methods": {"start": {"objective": "dpo"}}}, "start"),
        ({"methods": {}}, "at least one"),
    ],
    ids=str,
)
def test_wrong_comparisons_are_refused_with_the_place(change, words, tmp_path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump({**TINY, **change}))
    with pytest.raises(SettingError, match=words):
        cells(load_recipe(file, kind=Comparison))


def test_shipped_comparisons_are_valid() -> None:
    from zermelo.recipes.load import shipped

    assert shipped("compare")
    for name in shipped("compare"):
        assert cells(load_recipe(name, kind=Comparison))


def test_the_command_prints_one_document(tmp_path, capsys) -> None:
    from zermelo.cli.app import main

    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump({**TINY, "methods": {"dpo": {"objective": "dpo"}}, "variants": {"a": {}}}))
    with pytest.raises(SystemExit) as done:
        main(["compare", str(file), "-o", str(tmp_path / "out"), "--dry-run", "--json"])
    assert done.value.code == 0
    assert len(json.loads(capsys.readouterr().out)["cells"]) == 4


def test_a_worker_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    """A killed comparison leaves no worker behind that holds the lock of its run."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import multiprocessing, os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from zermelo.recipes.compare.run import leave_with_parent\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    pool = ProcessPoolExecutor(1, mp_context=context, initializer=leave_with_parent)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(300):
        if not alive(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker lives on")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # a zombie that nobody has waited for is dead too
    return not (state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z")
