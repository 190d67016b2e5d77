"""Bad input through the command line: one clear line with file and row, the right exit code, good rows kept."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zermelo.cli.app import main
from zermelo.feedback import read_groups, write_groups

GOOD = {"prompt": "Name a river.", "chosen": "The Rhine.", "rejected": "A river."}


def run(*args: object) -> int:
    """The exit code of a command."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # a command is a process of its own: no warning was shown before
        with pytest.raises(SystemExit) as done:
            main([str(arg) for arg in args])
    return int(done.value.code or 0)


def lines(path: Path, *rows: dict[str, Any] | bytes) -> Path:
    """A JSON-lines file of rows, raw bytes as they are."""
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return path


def good(n: int) -> list[dict[str, Any]]:
    return [{**GOOD, "prompt": f"Name river {i}."} for i in range(n)]


BAD_ROWS = {
    "broken line": (b'{"prompt": "x", \n', "bad-json"),
    "a list instead of an object": (b"[1, 2]\n", "bad-json"),
    "nested too deeply": (b"[" * 200_000 + b"\n", "bad-json"),
    "missing field": ({"prompt": "x", "chosen": "a"}, "missing-field"),
    "null field": ({"prompt": "x", "chosen": "a", "rejected": None}, "missing-field"),
    "wrong type": ({"prompt": "x", "chosen": "a", "rejected": 7}, "wrong-type"),
    "not UTF-8": (b'{"prompt": "x", "chosen": "caf\xe9", "rejected": "b"}\n', "not-utf8"),
    "half a surrogate pair": (b'{"prompt": "x", "chosen": "\\ud83d", "rejected": "b"}\n', "not-utf8"),
    "unknown chat role": (
        {"prompt": [{"role": "wizard", "content": "x"}], "chosen": "a", "rejected": "b"},
        "unknown-role",
    ),
    "NaN score": (b'{"prompt": "x", "chosen": "a", "rejected": "b", "score_chosen": NaN}\n', "nan-score"),
    "infinite score": (b'{"prompt": "x", "chosen": "a", "rejected": "b", "score_chosen": 1e999}\n', "nan-score"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
class TestABadRow:
    def bad(self, tmp_path: Path, name: str) -> tuple[Path, str]:
        row, code = BAD_ROWS[name]
        return lines(tmp_path / "pairs.jsonl", *good(3), row, *good(5)[3:]), code

    def test_stops_the_command_with_file_line_and_code(self, tmp_path: Path, name: str, capsys: Any) -> None:
        path, code = self.bad(tmp_path, name)
        assert run("inspect", path) == 3
        error = capsys.readouterr().err
        assert error.startswith(f"error[{code}]: {path}:4: ")
        assert "hint: `--skip-bad`" in error

    def test_is_one_document_with_json(self, tmp_path: Path, name: str, capsys: Any) -> None:
        path, code = self.bad(tmp_path, name)
        assert run("inspect", path, "--json") == 3
        assert json.loads(capsys.readouterr().out)["error"]["code"] == code

    def test_is_set_aside_by_skip_bad(self, tmp_path: Path, name: str, capsys: Any) -> None:
        path, code = self.bad(tmp_path, name)
        out = tmp_path / "out.parquet"
        assert run("convert", path, out, "--skip-bad") == 0
        assert len(list(read_groups(out))) == 5
        (reject,) = [json.loads(line) for line in (tmp_path / "out.parquet.rejects.jsonl").read_text().splitlines()]
        assert (reject["file"], reject["row"], reject["code"]) == (str(path), 4, code)
        assert reject["reason"] and reject["raw"]

    def test_is_counted_by_inspect_which_writes_nothing(self, tmp_path: Path, name: str, capsys: Any) -> None:
        path, code = self.bad(tmp_path, name)
        assert run("inspect", path, "--skip-bad", "--json") == 0
        summary = json.loads(capsys.readouterr().out)
        assert (summary["groups"], summary["rejects"], summary["bad"]) == (5, 1, {code: 1})
        assert [item.name for item in tmp_path.iterdir()] == ["pairs.jsonl"]


def test_a_failed_conversion_leaves_nothing_behind(tmp_path: Path, capsys: Any) -> None:
    path = lines(tmp_path / "pairs.jsonl", *good(3), b"{broken\n")
    assert run("convert", path, tmp_path / "out.parquet") == 3
    assert [item.name for item in tmp_path.iterdir()] == ["pairs.jsonl"]


def truncated_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(good(50)), path)
    path.write_bytes(path.read_bytes()[:-40])


def truncated_gzip(path: Path) -> None:
    data = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in good(2000)))
    path.write_bytes(data[: len(data) // 2])


def damaged_zstd(path: Path) -> None:
    write_groups(read_groups(lines(path.with_name("in.jsonl"), *good(400))), path, format="trl")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data[: len(data) - 20]))


BAD_FILES = {
    "empty.jsonl": (lambda path: path.write_bytes(b""), "no-rows"),
    "blank.jsonl": (lambda path: path.write_bytes(b"\n\n"), "no-rows"),
    "empty.json": (lambda path: path.write_bytes(b"[]"), "no-rows"),
    "header.csv": (lambda path: path.write_text("prompt,chosen,rejected\n"), "no-rows"),
    "empty.parquet": (lambda path: pq.write_table(pa.table({"prompt": pa.array([], pa.string())}), path), "no-rows"),
    "all-bad.jsonl": (lambda path: lines(path, {"prompt": "x", "chosen": "y", "rejected": None}), "no-rows"),
    "cut.parquet": (truncated_parquet, "unreadable-file"),
    "text.parquet": (lambda path: path.write_text("not parquet"), "unreadable-file"),
    "cut.jsonl.gz": (truncated_gzip, "unreadable-file"),
    "cut.jsonl.zst": (damaged_zstd, "unreadable-file"),
    "cut.json": (lambda path: path.write_text(json.dumps(good(3))[:-20]), "unreadable-file"),
    "strange.jsonl": (lambda path: lines(path, {"alpha": 1, "beta": 2}), "unknown-format"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_ends_the_command_even_with_skip_bad(name: str, tmp_path: Path, capsys: Any) -> None:
    make, code = BAD_FILES[name]
    path = tmp_path / name
    make(path)
    if name != "all-bad.jsonl":
        assert run("inspect", path) == 3
        assert f"error[{code}]: {path}" in capsys.readouterr().err
    assert run("inspect", path, "--skip-bad") == 3
    assert f"error[{code}]: {path}" in capsys.readouterr().err
    assert run("convert", path, tmp_path / "out.parquet", "--skip-bad") == 3
    assert not (tmp_path / "out.parquet").exists()


def test_a_file_that_is_not_there_is_bad_data(tmp_path: Path, capsys: Any) -> None:
    assert run("inspect", tmp_path / "nothing.jsonl") == 3
    assert run("inspect", tmp_path / "*.jsonl") == 3
    assert "matches no file" in capsys.readouterr().err


def test_one_broken_line_far_down_is_named_exactly(tmp_path: Path, capsys: Any) -> None:
    row = json.dumps(GOOD).encode() + b"\n"
    path = tmp_path / "long.jsonl"
    path.write_bytes(row * 29_999 + b'{"prompt"\n' + row * 10)
    assert run("inspect", path) == 3
    assert f"{path}:30000: not JSON" in capsys.readouterr().err


def test_a_rating_outside_its_scale_is_bad(tmp_path: Path, capsys: Any) -> None:
    row = {"prompt": "x", "response": "y", "helpfulness": 5, "correctness": 2, "coherence": 2}
    assert run("inspect", lines(tmp_path / "steer.jsonl", row)) == 3
    assert "steer.jsonl:1: helpfulness: 5; expected 0 to 4" in capsys.readouterr().err


def test_a_preference_that_is_no_probability_is_bad(tmp_path: Path, capsys: Any) -> None:
    row = {"instruction": "x", "output_1": "a", "output_2": "b", "preference": 0.4}
    assert run("inspect", lines(tmp_path / "a.jsonl", row)) == 3
    assert "preference: 0.4; expected 1 to 2, or 0 for a tie" in capsys.readouterr().err


def test_a_repeated_explicit_id_is_bad_and_the_first_row_is_kept(tmp_path: Path, capsys: Any) -> None:
    rows = [{**row, "id": name} for row, name in zip(good(3), ("a", "b", "a"), strict=True)]
    path = lines(tmp_path / "pairs.jsonl", *rows)
    assert run("inspect", path) == 3
    assert "pairs.jsonl:3: id 'a' stands in an earlier row" in capsys.readouterr().err
    assert run("convert", path, tmp_path / "out.parquet", "--skip-bad") == 0
    assert [group.id for group in read_groups(tmp_path / "out.parquet")] == ["a", "b"]


def test_ids_that_repeat_by_nature_are_fine(tmp_path: Path, capsys: Any) -> None:
    rows = [{"question_id": 1, "model_a": "a", "model_b": "b", "winner": "model_a"} for _ in range(3)]
    assert run("inspect", lines(tmp_path / "battles.jsonl", *rows)) == 0


SUSPICIOUS = {
    "empty-response": [{**GOOD, "chosen": "  "}],
    "identical-responses": [{**GOOD, "chosen": GOOD["rejected"]}],
    "duplicate-row": [GOOD, GOOD],
    "self-comparison": [{"model_a": "m", "model_b": "m", "winner": "tie"}],
    "differing-prompts": [
        {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: c\n\nAssistant: d"},
    ],
}


@pytest.mark.parametrize("kind", SUSPICIOUS)
def test_a_suspicious_row_is_read_counted_and_warned_of_once(kind: str, tmp_path: Path, capsys: Any) -> None:
    path = lines(tmp_path / "pairs.jsonl", *SUSPICIOUS[kind])
    assert run("inspect", path, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["suspicious"] == {kind: 1}
    assert shown.err.count("warning[suspicious-rows]") == 1
    assert run("convert", path, tmp_path / "out.parquet") == 0
    assert kind in capsys.readouterr().err
    assert len(list(read_groups(tmp_path / "out.parquet", quiet=True))) == len(SUSPICIOUS[kind])


def test_long_texts_and_contradictory_votes_are_fine(tmp_path: Path, capsys: Any) -> None:
    path = lines(tmp_path / "long.jsonl", {**GOOD, "chosen": "word " * 2_000_000})  # 10 MB
    assert run("inspect", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["lengths"]["response"]["chars"]["max"] == 10_000_000
    table = tmp_path / "long.csv"
    assert run("convert", path, table) == 0
    assert next(iter(read_groups(table))).responses[0].content == "word " * 2_000_000
    votes = [{"prompt": "p", "a": "x", "b": "y", "winner": side, "by": f"w{i}"} for i, side in enumerate("ababa")]
    assert run("inspect", lines(tmp_path / "votes.jsonl", *votes), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["suspicious"] == {} and said["agreement"]["comparisons"] == 10
    assert said["agreement"]["share"] == pytest.approx(0.4)  # 3 + 1 of 10 pairs of annotators agree


NASTY = "<script>alert(1)</script> [bold red]markup[/] \x1b[31mred\x1b[0m \u202egnihtemos :smile:"


def test_markup_and_control_codes_show_as_text(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    path = lines(tmp_path / "nasty.jsonl", {"prompt": NASTY, "chosen": NASTY, "rejected": "x"})
    assert run("inspect", path) == 0
    shown = capsys.readouterr().out
    assert "<script>" in shown and "[bold red]" in shown and "\\x1b[31m" in shown
    assert "\x1b" not in shown and "\u202e" not in shown


def test_control_codes_never_reach_the_terminal_in_an_error(tmp_path: Path, capsys: Any) -> None:
    battle = {"model_a": "a", "model_b": "b", "winner": "\x1b]0;owned\x07"}
    assert run("inspect", lines(tmp_path / "a.jsonl", battle)) == 3
    assert run("inspect", lines(tmp_path / "b.jsonl", {"\x1b[2J": 1})) == 3
    shown = capsys.readouterr().err
    assert "\x1b" not in shown and "\x07" not in shown


def test_every_bad_line_of_a_csv_is_named_by_where_its_record_begins(tmp_path: Path, capsys: Any) -> None:
    table = tmp_path / "pairs.csv"
    table.write_bytes(b'prompt,chosen,rejected\n"two\nlines",a,b\nx,only two\ny,caf\xe9,c\nz,d,e\n')
    assert run("inspect", table) == 3
    assert f"{table}:4: 2 cells; the header has 3" in capsys.readouterr().err
    assert run("convert", table, tmp_path / "out.parquet", "--skip-bad") == 0
    rejects = [json.loads(line) for line in (tmp_path / "out.parquet.rejects.jsonl").read_text().splitlines()]
    assert [(reject["row"], reject["code"]) for reject in rejects] == [(4, "bad-csv"), (5, "not-utf8")]


@pytest.mark.parametrize("weight", ["heavy", "", "nan", "inf", "-2"])
def test_a_bad_weight_is_named_by_its_row_and_never_dropped_in_silence(
    tmp_path: Path, capsys: Any, weight: str
) -> None:
    table = tmp_path / "battles.csv"
    table.write_text(f"model_a,model_b,winner,weight\nx,y,model_a,1\ny,x,model_a,{weight}\nx,y,model_b,2\n")
    assert run("rank", table) == 3
    assert f"error[bad-weight]: {table}:3: weight is missing, negative or not a number" in capsys.readouterr().err
    assert run("rank", table, "--skip-bad", "--json") == 0
    found = capsys.readouterr()
    assert {player["games"] for player in json.loads(found.out)["players"]} == {3.0}
    assert "1 comparisons left out: bad-weight" in found.err


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path, capsys: Any) -> None:
    table = tmp_path / "battles.csv"
    table.write_text("model_a,model_b,winner\nx,y,model_a\ny,x,model_a\n")
    assert run("rank", table, "-o", tmp_path / "nowhere" / "board.json") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error[file-system]: ") and "nowhere" in shown and "Traceback" not in shown


def test_a_table_with_names_nobody_knows_is_told_how_to_name_them(tmp_path: Path, capsys: Any) -> None:
    table = tmp_path / "battles.csv"
    table.write_text("x1,x2,res\na,b,x1\nb,a,x1\n")
    assert run("rank", table) == 3
    assert "--columns a=…,b=…,winner=…" in capsys.readouterr().err
    assert run("rank", table, "--columns", "a=x1,b=x2,winner=res") == 0
