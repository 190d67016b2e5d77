"""`zermelo evaluate`: tables, one JSON object, files; errors with their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zermelo.cli.app import main
from zermelo.feedback import Group, Judgement, Response, write_groups


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as done:
        main(["evaluate", *(str(arg) for arg in args), "--resamples", "100"])
    return int(done.value.code or 0)


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    groups = [
        Group(
            f"g{i}",
            f"prompt {i} [red]\x1b[31m<b>",
            (Response(text="right" * (i % 3 + 1), source="start"), Response(text="other", source="[bold]new<i>")),
            (
                Judgement("label", (0,), "verifier", float(i % 3 == 0)),
                Judgement("label", (1,), "verifier", float(i % 2 == 0)),
                Judgement("comparison", (1, 0), "ann", float(i % 4 > 0), outcome="first" if i % 4 else "second"),
            ),
        )
        for i in range(24)
    ]
    path = tmp_path / "judged.parquet"
    write_groups(groups, path)
    return path


def test_prints_tables_in_which_text_is_text(judged: Path, capsys: Any) -> None:
    assert run(judged) == 0
    out = capsys.readouterr().out
    assert "24 groups, 24 prompts, 48 responses" in out
    assert "[bold]new<i>" in out and "25.0 %" in out and "\x1b" not in out


def test_json_is_one_object_and_alone_on_stdout(judged: Path, capsys: Any) -> None:
    assert run(judged, "--json", "--baseline", "start") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "zermelo.evaluate/1" and found["baseline"] == "start"
    (win,) = found["win_rates"]
    assert (win["first"], win["win_rate"], win["n_prompts"]) == ("[bold]new<i>", 0.75, 24)
    gain = next(s["gain"] for s in found["scores"] if s["source"] != "start")
    assert gain["value"] == pytest.approx(12 / 24 - 8 / 24) and gain["ci_low"] < gain["value"] < gain["ci_high"]


def test_writes_what_the_suffix_says(judged: Path, tmp_path: Path, capsys: Any) -> None:
    outputs = [tmp_path / name for name in ("a.html", "a.json", "a.md")]
    assert run(judged, *(part for path in outputs for part in ("-o", path))) == 0
    html, js, md = (path.read_text() for path in outputs)
    assert html.startswith("<!doctype html>") and "[bold]new&lt;i&gt;" in html and "<i>" not in html
    assert json.loads(js)["groups"] == 24
    assert "## Win rates" in md and "\\[bold\\]new\\<i\\>" in md
    assert "written: " in capsys.readouterr().err


def test_the_same_seed_gives_the_same_figures(judged: Path, capsys: Any) -> None:
    said = []
    for _ in range(2):
        run(judged, "--json", "--seed", "3")
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--baseline", "strat"), 2, "did you mean 'start'?"),
        (("-o", "x.pdf"), 2, "x.pdf"),
        (("--level", "95"), 2, "level"),
        (("--by", "nobody"), 3, "nobody"),
    ],
)
def test_says_what_is_wrong_in_one_line(
    judged: Path, capsys: Any, args: tuple[str, ...], code: int, message: str
) -> None:
    assert run(judged, *args) == code
    assert message in capsys.readouterr().err


def test_an_output_is_never_an_input(tmp_path: Path, judged: Path, capsys: Any) -> None:
    js = tmp_path / "pairs.json"
    js.write_text("[]")
    assert run(js, "-o", js) == 2
    assert "is also an input" in capsys.readouterr().err


def test_runs_without_torch(judged: Path) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from zermelo.cli.app import main
main(["evaluate", {str(judged)!r}, "--json", "--resamples", "20"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["groups"] == 24
