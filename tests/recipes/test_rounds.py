"""Rounds: who samples, who is the reference, what is found again; every shipped iterative recipe runs in small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.feedback.reading import read_groups
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.recipes.load import load_recipe
from zermelo.recipes.report import report
from zermelo.recipes.run import plan, run_recipe
from zermelo.recipes.schema import Pairs, Recipe
from zermelo.recipes.steps.answers import _comparisons, flip, staged, win_rates
from zermelo.recipes.summary import summary

SMALL = {
    "model": "world",
    "data": {"world": "arithmetic", "prompts": 24, "test_prompts": 8},
    "max_tokens": 48,
    "threads": 1,
    "rounds": {
        "dpo": {
            "n": 2,
            "prompts": "parts",
            "objective": {"dpo_nll": {}},
            "lr": 1e-4,
            "sample": {"n": 6, "max_tokens": 48},
        },
        "inpo": {
            "n": 2,
            "objective": {"inpo": {"eta": 0.1, "tau": 0.02}},
            "lr": 1e-4,
            "sample": {"n": 6, "max_tokens": 48},
        },
    },
    "evaluate": {},
}


def run(out: Path, recipe: Recipe) -> dict:
    done = run_recipe(recipe, out)
    figures = summary(recipe, done, out)
    report(recipe, done, figures, out)
    return {key: value for key, value in figures.items() if key != "run"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("rounds") / "whole"
    return out, run(out, Recipe.model_validate(SMALL))


def versions(path: Path) -> set[str | None]:
    groups = read_groups(str(path), format="native", quiet=True)
    return {response.policy_version for group in groups for response in group.responses}


def test_each_round_samples_from_the_policy_of_the_one_before(finished) -> None:
    from zermelo.policies.fingerprint import fingerprint
    from zermelo.policies.load import load
    from zermelo.worlds.protocol import folder

    rounds = finished[0] / "rounds" / "dpo"
    first = load(str(folder("arithmetic")), dtype="float32")
    second = load(str(rounds / "round-0" / "align" / "dpo" / "model"), dtype="float32")
    assert versions(rounds / "round-0" / "sample" / "groups.parquet") == {fingerprint(first)}
    assert versions(rounds / "round-1" / "sample" / "groups.parquet") == {fingerprint(second)}
    assert fingerprint(first) != fingerprint(second)


def test_parts_of_the_prompts_share_none_and_are_all_of_them(finished) -> None:
    def ids(path: Path) -> set[str]:
        return {group.key for group in read_groups(str(path), format="native", quiet=True)}

    out = finished[0]
    one, two = (ids(out / "rounds" / "dpo" / f"round-{i}" / "sample" / "groups.parquet") for i in (0, 1))
    assert not one & two and one | two == ids(out / "data" / "train.parquet")


def test_inpo_keeps_the_first_model_as_its_reference_and_dpo_the_last(finished) -> None:
    def config(name: str) -> dict:
        return json.loads((finished[0] / "rounds" / name / "round-1" / "align" / name / "config.json").read_text())

    assert config("inpo")["references"].keys() == {"ref", "prev"}
    assert "arithmetic" in config("inpo")["references"]["ref"]
    assert config("dpo")["references"] == {}


def test_the_figures_of_all_rounds_stand_in_a_row_and_in_the_report(finished) -> None:
    out, figures = finished
    told = json.loads((out / "rounds" / "done.json").read_text())["figures"]["dpo"]
    assert len(told["rounds"]) == 2 and {"sample", "judge", "pairs"} == set(told["rounds"][0])
    steps = [step for step, _ in told["series"]["loss"]]
    assert steps == sorted(steps) and len(set(steps)) == told["steps"] == figures["objectives"]["dpo"]["steps"]
    assert "inpo: log-probability of both sides" in (out / "report.html").read_text()
    assert 0 <= figures["objectives"]["inpo"]["accuracy_after"] <= 1


def test_a_run_that_lost_its_last_round_goes_on_and_ends_the_same(finished, tmp_path) -> None:
    out = tmp_path / "again"
    shutil.copytree(finished[0], out)
    (out / "rounds" / "done.json").unlink()
    shutil.rmtree(out / "rounds" / "inpo" / "round-1")
    (out / "rounds" / "dpo" / "round-1" / "align" / "done.json").unlink()
    mark = (out / "rounds" / "dpo" / "round-0" / "align" / "done.json").stat().st_mtime_ns
    shutil.rmtree(out / "evaluate")
    assert run(out, Recipe.model_validate(SMALL)) == finished[1]
    assert (out / "rounds" / "dpo" / "round-0" / "align" / "done.json").stat().st_mtime_ns == mark


@pytest.mark.parametrize("name", list(load_recipe("rounds").rounds))
def test_every_shipped_iterative_method_runs_in_small(name: str, tmp_path) -> None:
    recipe = load_recipe("rounds", ["data.prompts=20", "data.test_prompts=6", "sample.n=6"])
    own = recipe.rounds[name].model_copy(update={"n": min(recipe.rounds[name].n, 2)})
    if own.sample is not None:
        own = own.model_copy(update={"sample": own.sample.model_copy(update={"n": 6})})
    needs_reward = own.judge is not None and own.judge.scorer == "reward"
    small = recipe.model_copy(update={"rounds": {name: own}, "reward": recipe.reward if needs_reward else None})
    figures = run(tmp_path, small)
    assert figures["objectives"][name]["steps"] >= own.n
    if name == "hypo":
        rows = (tmp_path / "rounds" / "hypo" / "round-0" / "align" / "hypo" / "metrics.jsonl").read_text().splitlines()
        steps = [row for row in map(json.loads, rows) if "loss" in row]
        assert steps and all("hypo_kl/loss" in row for row in steps)


def test_shipped_iterative_recipes_are_plans() -> None:
    assert [step for step, _ in plan(load_recipe("iterative"))] == ["data", "rounds", "evaluate"]


def rated(*values: float) -> Group:
    return Group(
        "g",
        "p",
        tuple(Response(f"t{i}") for i in range(len(values))),
        tuple(Judgement("rating", (i,), value=v) for i, v in enumerate(values)),
    )


def test_win_rates_computed_by_hand() -> None:
    said = rated(2.0, 1.0, 1.0).judgements
    hard = win_rates(rated(2.0, 1.0, 1.0), said, soft=False)
    assert [j.value for j in hard] == [1.0, 0.25, 0.25]
    soft = win_rates(rated(2.0, 1.0, 1.0), said, soft=True)
    assert soft[0].value == pytest.approx(1 / (1 + np.exp(-1)))
    assert soft[1].value == pytest.approx((1 - 1 / (1 + np.exp(-1)) + 0.5) / 2)


def test_best_against_worst_and_stages_of_a_curriculum() -> None:
    group = rated(3.0, 0.0, 2.0, 1.0)
    (pair,) = _comparisons(group, Pairs(how="best_worst", per_prompt=1), 0)
    assert pair[0].on == (0, 1)
    for stage, worse in ((0, 1), (1, 3), (2, 2)):  # the largest gap first
        (one,) = staged([group], Pairs(how="easy_first", stage=stage))
        assert [j.on for j in one.judgements] == [(0, worse)]
    (hard,) = staged([group], Pairs(how="hard_first", stage=0))
    assert [j.on for j in hard.judgements] == [(0, 2)]
    assert staged([group], Pairs(how="easy_first", stage=7)) == []


def test_rejection_keeps_better_answers_than_chance() -> None:
    group = rated(*np.random.default_rng(0).permutation(np.linspace(0, 4, 16)))
    value = {i: j.value for i, j in enumerate(group.judgements)}
    means = []
    for beta in (0.1, 100.0):
        kept = [i for s in range(40) for j, _ in _comparisons(group, _rso(beta), s) for i in j.on]
        means.append(np.mean([value[i] for i in kept]))
        for j, _ in _comparisons(group, _rso(beta), 0):
            assert value[j.on[0]] > value[j.on[1]]
    assert means[0] > 3.2 and means[1] < means[0] - 0.8  # a wide β keeps the first candidates, whatever they are worth


def _rso(beta: float) -> Pairs:
    return Pairs(how="rejection", keep=4, beta=beta, per_prompt=4)


def test_a_larger_share_of_flips_flips_more_and_never_others() -> None:
    groups = [
        Group(str(i), "p", (Response("a"), Response("b")), (Judgement("comparison", (0, 1), value=1.0),))
        for i in range(400)
    ]
    flipped = {s: {g.id for g in groups if flip(g, s, int(g.id)).judgements[0].on == (1, 0)} for s in (0.0, 0.2, 0.5)}
    assert not flipped[0.0] and flipped[0.2] < flipped[0.5]
    assert len(flipped[0.2]) == pytest.approx(80, abs=30)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rounds": {"x": {"objective": "dpo", "reference": "other"}}}, "against"),
        ({"rounds": {"x": {"objective": "dpo", "curriculum": "easy_first", "sample": {}}}}, "leave sample out"),
        ({"rounds": {"x": {"objective": "dpo", "sample": {}, "judge": {"scorer": "reward"}}}}, "reward step"),
        ({"align": {"dpo": {"objective": "dpo"}}}, "both name"),
        ({"sample": {"part": [2, 2]}, "judge": {}}, "part is"),
    ],
    ids=str,
)
def test_rounds_that_cannot_work_are_refused(change, words, tmp_path) -> None:
    import yaml

    file = tmp_path / "r.yaml"
    file.write_text(yaml.safe_dump({**SMALL, **change}))
    with pytest.raises(SettingError, match=words):
        load_recipe(file)
