"""`zermelo doctor`: verdict, JSON, page, rows concerned, limits, remedies; bad input with its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from zermelo.cli.app import main
from zermelo.doctor.diagnosis import Diagnosis
from zermelo.doctor.protocol import Finding
from zermelo.feedback import Feedback, Group, Judgement, Response, write_groups


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as done:
        main(["doctor", *(str(arg) for arg in args)])
    return int(done.value.code or 0)


def pair(name: str, chosen: str, rejected: str) -> Group:
    said = (Judgement("comparison", (0, 1), "ann", 1.0, outcome="first"),)
    return Group(name, f"prompt {name} <b>\x1b[31m", (Response(text=chosen), Response(text=rejected)), said)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    groups = [pair(f"g{i}", f"answer number {i}", "" if i % 4 == 0 else f"other {i * 7}") for i in range(24)]
    path = tmp_path / "pairs.parquet"
    write_groups(groups, path)
    return path


def test_prints_a_verdict_and_the_command_that_mends(data: Path, capsys: Any) -> None:
    assert run(data, "--only", "structure.empty") == 0
    out = capsys.readouterr().out
    assert "6 of 24 rows (25.0%) hold an empty answer" in out
    assert f"zermelo doctor fix {data} --apply drop-empty -o clean.parquet" in out


def test_json_is_one_object_with_the_documented_fields(data: Path, capsys: Any) -> None:
    assert run(data, "--only", "structure", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "zermelo.doctor/1" and told["rows"] == 24
    finding = next(item for item in told["findings"] if item["audit"] == "structure.empty")
    fields = {"audit", "severity", "title", "figure", "ci_low", "ci_high", "rows_file", "examples", "remedy"}
    assert fields <= finding.keys()
    assert finding["severity"] == "high" and finding["figure"] == pytest.approx(6 / 24)
    assert finding["ci_low"] < 0.25 < finding["ci_high"] and finding["rows_file"] is None
    assert all({"audit", "why"} <= item.keys() for item in told["skipped"])


def test_files_hold_the_page_the_findings_and_the_rows(data: Path, tmp_path: Path, capsys: Any) -> None:
    page, plain = tmp_path / "doctor.html", tmp_path / "doctor.json"
    assert run(data, "--only", "structure.empty", "-o", page, "-o", plain) == 0
    html = page.read_text()
    assert "structure.empty" in html and "\x1b" not in html and "<script" not in html
    (finding,) = json.loads(plain.read_text())["findings"]
    rows = pq.read_table(finding["rows_file"])
    assert rows.column_names == ["row", "id", "score"]
    assert rows["row"].to_pylist() == [0, 4, 8, 12, 16, 20]
    assert rows["id"].to_pylist() == ["g0", "g4", "g8", "g12", "g16", "g20"]
    assert len(finding["examples"]) == 6


@pytest.mark.parametrize(("limit", "code"), [("high", 5), ("low", 5)])
def test_fails_with_5_where_a_finding_is_too_bad(data: Path, limit: str, code: int, capsys: Any) -> None:
    assert run(data, "--only", "structure.empty", "--fail-on", limit, "--json") == code
    captured = capsys.readouterr()
    assert json.loads(captured.out)["findings"], "stdout is still one document"
    assert "error[doctor-findings]" in captured.err


def test_does_not_fail_on_what_is_less_bad(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "pairs.parquet"
    write_groups([pair(f"g{i}", f"good {i}", "" if i == 0 else f"bad {i}") for i in range(50)], path)
    assert run(path, "--only", "structure.empty", "--fail-on", "high") == 0
    assert run(path, "--only", "structure.empty", "--fail-on", "medium") == 5


def test_fix_writes_what_stays_and_beside_it_what_went(data: Path, tmp_path: Path, capsys: Any) -> None:
    clean = tmp_path / "clean.parquet"
    assert run("fix", data, "--apply", "drop-empty", "-o", clean, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fixes"][0]["dropped"] == 6
    kept, gone = Feedback.read(clean), Feedback.read(told["dropped"])
    assert len(kept) == 18 and gone.ids() == ["g0", "g4", "g8", "g12", "g16", "g20"]
    assert run(clean, "--only", "structure.empty", "--json") == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_an_input_is_never_an_output(data: Path, capsys: Any) -> None:
    before = data.read_bytes()
    assert run("fix", data, "--apply", "drop-empty", "-o", data) == 2
    assert data.read_bytes() == before


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--only", "structure.emty"), 2, "unknown-audit"),
        (("-o", "doctor.pdf"), 2, "unknown-suffix"),
        (("--encoder", "no-such-encoder-here"), 4, "no-model"),
    ],
)
def test_bad_settings_end_with_one_line(data: Path, args: tuple[str, ...], code: int, said: str, capsys: Any) -> None:
    assert run(data, *args) == code
    assert said in capsys.readouterr().err


def test_an_unknown_remedy_names_the_nearest(data: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("fix", data, "--apply", "drop-emty", "-o", tmp_path / "x.parquet") == 2
    assert "drop-empty" in capsys.readouterr().err
    assert not (tmp_path / "x.parquet").exists()


def test_an_audit_of_ones_own_is_named_by_its_import_path(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "my_audits.py").write_text(
        "from zermelo.doctor.protocol import Passed\n\n\n"
        "class Mine:\n    id, asks = 'structure.mine', 'is it mine?'\n\n"
        "    def run(self, case):\n        return [Passed(self.id, f'{case.n_rows} rows')]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert run(data, "--only", "my_audits:Mine", "--json") == 0
    assert json.loads(capsys.readouterr().out)["passed"][0]["title"] == "24 rows"
    assert run(data, "--only", "my_audits:Yours") == 2
    assert "unknown-audit" in capsys.readouterr().err


def test_a_bad_row_ends_the_command_or_is_set_aside(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "pairs.jsonl"
    good = [json.dumps({"prompt": f"p{i}", "chosen": f"yes {i}", "rejected": f"no {i}"}) for i in range(40)]
    path.write_text("\n".join([*good[:3], "{broken", *good[3:]]) + "\n")
    assert run(path, "--only", "structure.empty") == 3
    assert "pairs.jsonl:4" in capsys.readouterr().err
    out = tmp_path / "doctor.json"
    assert run(path, "--only", "structure.empty", "--skip-bad", "-o", out) == 0
    assert json.loads(out.read_text())["rows"] == 40
    assert (tmp_path / "doctor.json.rejects.jsonl").exists()


def test_data_without_pairs_says_what_does_not_apply_and_why(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "answers.parquet"
    write_groups([Group(f"g{i}", f"p{i}", (Response(text=f"only one answer {i}"),), ()) for i in range(30)], path)
    assert run(path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["skipped"] and all(item["why"] for item in told["skipped"])
    assert not [item for item in told["findings"] if item["severity"] == "high"]


@pytest.mark.parametrize("text", ["🙂🙂🙂", "same words every time"])
def test_strange_texts_end_in_a_diagnosis(text: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "strange.parquet"
    write_groups([pair(f"g{i}", text, text + "!") for i in range(300)], path)
    assert run(path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 300


def test_another_process_gives_the_same_figures(tmp_path: Path) -> None:
    groups = []
    for i in range(200):  # sources that win a little more often than not, every prompt twice: folds matter
        one, two = f"m{i * 7 % 5}", f"m{(i * 7 + 1 + i % 3) % 5}"
        first = 1.0 if (i * 2654435761 >> 7) % 10 < 4 + (one < two) * 3 else 0.0
        said = (Judgement("comparison", (0, 1), "ann", first, outcome="first" if first else "second"),)
        answers = (Response(text=f"answer {i}", source=one), Response(text=f"reply {i * 3}", source=two))
        groups.append(Group(f"g{i}", f"prompt {i // 2}", answers, said))
    path = tmp_path / "pairs.parquet"
    write_groups(groups, path)
    command = [
        sys.executable,
        "-m",
        "zermelo",
        "doctor",
        str(path),
        "--json",
        "--only",
        "shortcut,noise,structure.prompts",
    ]
    told = []
    for seed in ("1", "2"):  # of Python's own hash, which differs from process to process
        env = os.environ | {"PYTHONHASHSEED": seed}
        found = json.loads(subprocess.run(command, env=env, capture_output=True, check=True, text=True).stdout)
        told.append({name: value for name, value in found.items() if name != "run"})
    assert told[0]["findings"] and told[0] == told[1]


def test_lists_audits_and_remedies(capsys: Any) -> None:
    assert run("audits", "--json") == 0
    audits = json.loads(capsys.readouterr().out)
    assert {"audit": "structure.empty", "asks": "are there answers without a visible character?"} in audits
    assert run("fixes", "--json") == 0
    fixes = json.loads(capsys.readouterr().out)
    assert {"drop-empty", "relabel-suspects"} <= {item["fix"] for item in fixes}
    assert all(item["what it does"] for item in fixes)


def test_rows_are_dropped_before_labels_are_mended_and_lengths_balanced_last() -> None:
    found = [
        Finding("shortcut.length", "high", "long", fix="balance-length"),
        Finding("noise.labels", "high", "wrong", fix="relabel-suspects:soft"),
        Finding("structure.empty", "medium", "empty", fix="drop-empty"),
    ]
    said = Diagnosis(("x.jsonl",), 10, tuple(found)).remedy()
    assert said == "zermelo doctor fix x.jsonl --apply drop-empty,relabel-suspects:soft,balance-length -o clean.parquet"


def test_times_in_a_table_of_battles_are_read_as_times(tmp_path: Path) -> None:
    rows = ["model_a,model_b,winner,judge,prompt,response_a,response_b,tstamp"]
    rows += [f"red,blue,model_{'ab'[k % 2]},ann,q{k},yes {k},no {k},{1_700_000_000 + k}" for k in range(4)]
    (tmp_path / "battles.csv").write_text("\n".join(rows) + "\n")
    found = [group.judgements[0].at for group in Feedback.read(str(tmp_path / "battles.csv"))]
    assert found == [1_700_000_000.0 + k for k in range(4)]
