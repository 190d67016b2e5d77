"""`zermelo convert`: from any format to any other, with what is lost counted."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from zermelo.cli.app import main
from zermelo.feedback import detect, read_groups
from zermelo.feedback.formats import FORMATS, load_format

FIXTURES = Path(__file__).parent.parent / "feedback" / "formats" / "fixtures"


def run(*args: object) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(SystemExit) as done:
            main(["convert", *(str(arg) for arg in args)])
    return int(done.value.code or 0)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_turn_becomes_plain_strings(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert run(FIXTURES / "hh.jsonl", out) == 0
    assert rows(out)[0] == {
        "prompt": "Can I eat acorns?",
        "chosen": "Yes, if you leach the tannins out first.",
        "rejected": "No.",
    }
    assert rows(out)[1]["prompt"][-1] == {"role": "user", "content": "What time is it?"}
    assert rows(out)[1]["chosen"] == [{"role": "assistant", "content": "I have no clock."}]


def test_the_suffix_chooses_the_format(tmp_path: Path) -> None:
    for name, form in (("a.parquet", "native"), ("a.arrow", "native"), ("a.csv", "csv"), ("a.jsonl.zst", "trl")):
        assert run(FIXTURES / "trl.jsonl", tmp_path / name) == 0
        assert detect(tmp_path / name).name == form


def test_a_name_wins_over_the_suffix(tmp_path: Path) -> None:
    for name, form in (("a.parquet", "trl"), ("b.jsonl", "native"), ("c.json", "alpacaeval"), ("d.jsonl.gz", "kto")):
        assert run(FIXTURES / "trl.jsonl", tmp_path / name, "--to", form) == 0
        assert detect(tmp_path / name).name == form


def test_tools_and_template_settings_are_kept(tmp_path: Path) -> None:
    native, back = tmp_path / "a.parquet", tmp_path / "b.jsonl"
    assert run(FIXTURES / "chat.jsonl", native) == 0
    assert run(native, back, "--to", "chat") == 0
    assert rows(back) == rows(FIXTURES / "chat.jsonl")


def test_what_the_format_has_no_place_for_is_counted(tmp_path: Path, capsys: Any) -> None:
    assert run(FIXTURES / "arena.jsonl", tmp_path / "a.jsonl", "--to", "hh") == 0
    error = capsys.readouterr().err
    assert "warning[lossy]: hh has no place for" in error
    assert "1 ties" in error and "2 sources of responses" in error


def test_native_loses_nothing_and_says_nothing(tmp_path: Path, capsys: Any) -> None:
    for path in sorted(FIXTURES.iterdir()):
        assert run(path, tmp_path / "a.parquet") == 0
        assert "warning" not in capsys.readouterr().err


def test_ratings_become_pairs_only_when_asked(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "a.jsonl"
    assert run(FIXTURES / "helpsteer2.jsonl", out) == 3
    assert "`--pairs all`" in capsys.readouterr().err
    assert not out.exists()
    assert run(FIXTURES / "listwise.jsonl", out, "--pairs", "all") == 0
    chosen = {(row["chosen"], row["rejected"]) for row in rows(out)}
    assert chosen == {("glad", "sad"), ("merry", "sad")}


def test_a_table_says_which_ratings_a_pair_came_from(tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert run(FIXTURES / "ultrafeedback.jsonl", out, "--pairs", "best_worst") == 0
    said = [item for group in read_groups(out) for item in group.judgements]
    assert {(item.by, item.criterion, item.outcome) for item in said} == {
        ("gpt-4", name, "first") for name in ("instruction_following", "truthfulness", "overall")
    }


def test_a_comparison_becomes_a_wanted_and_an_unwanted_completion(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    assert run(FIXTURES / "trl.jsonl", out, "--to", "kto") == 0
    assert [row["label"] for row in rows(out)] == [True, False, True, False]


def test_several_inputs_become_one_output(tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    assert run(FIXTURES / "trl.jsonl", FIXTURES / "hh.jsonl", out) == 0
    assert len(list(read_groups(out))) == 4


def test_an_input_is_never_an_output(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes((FIXTURES / "trl.jsonl").read_bytes())
    link = tmp_path / "b.jsonl"
    link.symlink_to(path)
    for output in (path, link):
        assert run(path, output) == 2
        assert "error[same-file]" in capsys.readouterr().err
    assert path.read_bytes() == (FIXTURES / "trl.jsonl").read_bytes()


def test_standard_output_gets_the_rows_and_nothing_else(capfdbinary: Any) -> None:
    assert run(FIXTURES / "trl.jsonl", "-") == 0
    shown = capfdbinary.readouterr()
    assert [json.loads(line)["prompt"] for line in shown.out.splitlines()] == ["The sky is", "Name a prime above ten."]
    assert b"2 groups as 2 rows" in shown.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["out.txt"], "the suffix says no container"),
        (["out.parquet.gz"], "compressed inside"),
        (["out.parquet", "--pairs", "all"], "holds no pairs"),
        (["out.csv", "--to", "native"], "groups are nested"),
        (["out.jsonl", "--to", "columns"], "is read, not written"),
        (["out.jsonl", "--to", "trel"], "did you mean `trl`?"),
        (["out.jsonl", "--pairs", "some"], "--pairs must be"),
        ([], "one or more inputs and an output"),
    ],
)
def test_settings_that_make_no_output_are_usage_errors(
    args: list[str], words: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(FIXTURES / "trl.jsonl", *args) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"columns"}))
@pytest.mark.parametrize("source", ["trl-conversational", "ultrafeedback", "arena", "prm800k", "chat"])
def test_any_format_becomes_any_other_or_says_why_not(source: str, name: str, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out.jsonl"
    pairs = ("--pairs", "all") if hasattr(load_format(name), "derive") else ()
    code = run(FIXTURES / f"{source}.jsonl", out, "--to", name, *pairs)
    if code == 0:
        assert list(read_groups(out, format=name, quiet=True))
    else:
        assert code == 3 and "error[nothing-to-write]" in capsys.readouterr().err
