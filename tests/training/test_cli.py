"""`zermelo align` from the outside: what it prints, its exit codes, its files."""

from __future__ import annotations

import json

import pytest

from zermelo.cli.app import main
from zermelo.cli.objective import parse_objectives
from zermelo.errors import SettingError
from zermelo.feedback.writing import write_groups
from zermelo.objectives import DPO, SFT, SimPO, from_config


@pytest.fixture(scope="module")
def model(make, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    policy = make.policy()
    policy.model.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def data(make, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pairs.parquet"
    write_groups(make.pairs(48), str(path))
    return str(path)


def run(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(args))
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


FAST = ("--lr", "2e-3", "--batch", "16", "--save-every", "2")


def test_a_model_is_trained_checked_and_told_of(model, data, tmp_path, capsys) -> None:
    out = str(tmp_path / "run")
    args = ("align", data, "-m", model, "-b", "dpo:beta=0.2", "-o", out, "--samples", "2", "--validation-share", "0.2")
    code, stdout, stderr = run(capsys, *args, *FAST)
    assert code == 0, stderr
    assert stderr.count(": ok: ") == 4 and "not checked" in stderr
    assert "rewards/margins" in stdout and f"model: {out}/model" in stdout
    samples = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    assert {row["step"] for row in samples} == {0, 3} or {row["step"] for row in samples} == {0, 2}
    code, stdout, _ = run(capsys, *args, *FAST, "--json")
    found = json.loads(stdout)
    assert code == 0 and found["schema"] == "zermelo.training/1" and found["final"]["loss"] < 0.69
    code, _, stderr = run(capsys, *args, "--lr", "1e-3")
    assert code == 2 and "error[other-run]" in stderr and "settings.lr" in stderr
    assert run(capsys, *args, "--lr", "1e-3", "--fresh")[0] == 0


def test_a_dry_run_says_what_is_needed_and_writes_nothing(model, data, tmp_path, capsys) -> None:
    code, stdout, stderr = run(capsys, "align", data, "-m", model, "--dry-run", "--lora", "4", "--json")
    assert code == 0, stderr
    found = json.loads(stdout)
    assert found["groups"] == 48 and found["steps"] == 2 and 0 < found["trainable"] < found["parameters"]
    assert found["seconds"] > 0 and found["memory_gb"] > 0
    assert not list(tmp_path.iterdir())


def test_mistakes_are_one_line_with_the_right_code(model, data, tmp_path, capsys) -> None:
    out = str(tmp_path / "run")
    code, _, err = run(capsys, "align", data, "-m", model, "-b", "dpo:bta=1", "-o", out)
    assert code == 2 and "did you mean `beta`" in err
    assert run(capsys, "align", data, "-m", model, "-b", "dpoo", "-o", out)[0] == 2
    assert run(capsys, "align", data, "-m", model)[0] == 2
    assert run(capsys, "align", str(tmp_path / "none.parquet"), "-m", model, "-o", out)[0] in (3, 4)
    assert run(capsys, "align", data, "-m", str(tmp_path / "nowhere"), "-o", out)[0] == 4
    code, stdout, _ = run(capsys, "align", data, "-m", model, "-o", out, "--overlong", "x", "--json")
    assert code == 2 and json.loads(stdout)["error"]["code"] == "bad-setting"


def test_bad_rows_stop_or_are_set_aside(model, tmp_path, capsys) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"{i}+1=", "chosen": f" {i + 1}", "rejected": " no"} for i in range(20)]
    path.write_text("\n".join([*(json.dumps(row) for row in rows), '{"prompt": "x"']) + "\n")
    out = tmp_path / "run"
    code, _, err = run(capsys, "align", str(path), "-m", model, "-o", str(out), *FAST)
    assert code == 3 and "pairs.jsonl:21" in err
    code, _, err = run(capsys, "align", str(path), "-m", model, "-o", str(out), *FAST, "--skip-bad")
    assert code == 0, err
    assert "1 bad rows set aside" in err and (out / "rejects.jsonl").exists()


def test_a_tokenizer_without_an_end_token_is_a_matter_of_settings(make, data, tmp_path, capsys) -> None:
    policy = make.policy()
    tokenizer = policy.tokenizer
    tokenizer.eos_token = None
    policy.model.generation_config.eos_token_id = None
    policy.model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    code, _, err = run(capsys, "align", data, "-m", str(tmp_path / "m"), "-o", str(tmp_path / "run"))
    assert code == 2, err


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["dpo"], DPO()),
        (["simpo:beta=2.5,gamma=1e-1"], SimPO(beta=2.5, gamma=0.1)),
        (["dpo:beta=0.2", "sft:weight=0.1,of=all"], DPO(beta=0.2) + 0.1 * SFT(of="all")),
        (["[{dpo: {}}, {sft: {}, weight: 0.5}]"], DPO() + 0.5 * SFT()),
        (["simpo: {gamma: 0.1}"], SimPO(gamma=0.1)),
        (["zermelo.objectives:DPO"], DPO()),
    ],
    ids=str,
)
def test_objectives_in_words(texts, expected) -> None:
    assert from_config(parse_objectives(texts)) == expected


def test_an_objective_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SettingError, match="beta"):
        parse_objectives(["dpo:beta"])
    with pytest.raises(SettingError, match="no such file"):
        parse_objectives(["nowhere.yaml"])


def test_a_reward_model_is_trained_and_scores(model, data, tmp_path, capsys, make) -> None:
    from zermelo.cli.reward_model import train_language_model
    from zermelo.scorers.lm_reward import LMReward

    groups = make.pairs(64)
    train_language_model(groups, model, tmp_path / "rm", lr=3e-3, epochs=3, groups_per_step=16, as_json=True)
    assert json.loads(capsys.readouterr().out)["final"]["eval/rewards/accuracies"] > 0.8
    scorer = LMReward.load(tmp_path / "rm")
    rewards = scorer.rewards(make.pairs(16, seed=9))
    assert sum(first > second for first, second in rewards) >= 13
