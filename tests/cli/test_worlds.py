"""`zermelo worlds`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zermelo.cli.app import main


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main(["worlds", *args])
    return int(end.value.code or 0), capsys.readouterr().out


def test_lists_every_world_with_an_example_and_its_policy(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "list", "--json")
    rows = json.loads(out)
    assert code == 0 and [row["name"] for row in rows] == ["arithmetic", "style"]
    assert all(Path(row["policy"]).is_dir() and row["errors"] and row["response"] for row in rows)
    assert "lost_carry" in run(capsys, "list")[1]


def test_samples_with_the_exact_reward(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    code, out = run(capsys, "sample", "arithmetic", "-n", "3", "--temperature", "0", "--json")
    found = json.loads(out)
    assert code == 0 and found["schema"] == "zermelo.worlds.sample/1" and len(found["rows"]) == 3
    assert found["mean_reward"] == sum(row["reward"] for row in found["rows"]) / 3


def test_trains_and_measures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = str(tmp_path / "model")
    code, text = run(capsys, "train", "style", "--steps", "2", "--prompts", "4", "--out", out, "--json")
    found = json.loads(text)
    assert code == 0 and found["folder"] == out and found["parameters"] <= 900_000
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_unknown_worlds_and_settings_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "sample", "poetry")[0] == 2
    assert run(capsys, "sample", "style", "-n", "0")[0] == 2
    assert run(capsys, "train", "poetry")[0] == 2
