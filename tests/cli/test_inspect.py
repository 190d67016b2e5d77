"""`zermelo inspect`: what is in a file, as text and as one JSON document."""

from __future__ import annotations

import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from zermelo.cli.app import main

FIXTURES = Path(__file__).parent.parent / "feedback" / "formats" / "fixtures"


def run(*args: object) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(SystemExit) as done:
            main(["inspect", *(str(arg) for arg in args)])
    return int(done.value.code or 0)


def as_json(capsys: Any, *args: object) -> dict[str, Any]:
    assert run(*args, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_counts_what_is_said_and_what_can_be_derived(capsys: Any) -> None:
    found = as_json(capsys, FIXTURES / "ultrafeedback.jsonl")
    assert found["schema"] == "zermelo.inspect/1"
    assert (found["format"], found["groups"], found["responses"], found["judgements"]) == ("ultrafeedback", 1, 2, 9)
    assert found["kinds"] == {"rating": 7, "critique": 2}
    # both answers are rated on instruction following, truthfulness and overall; honesty is N/A for one
    assert (found["pairs"], found["derivable_pairs"], found["rejects"]) == (0, 3, 0)
    assert found["missing"] == {"annotations.honesty": 1}
    assert found["criteria"]["overall"] == {"n": 2, "mean": 5.5, "least": 2.0, "most": 9.0, "low": 1.0, "high": 10.0}
    assert found["sources"] == {"alpaca-7b": 1, "gpt-4": 1}
    assert found["annotators"] == {"gpt-4": 9}


def test_counts_stated_pairs_and_ties(capsys: Any) -> None:
    found = as_json(capsys, FIXTURES / "arena-bare.jsonl")
    assert (found["format"], found["pairs"], found["ties"], found["derivable_pairs"]) == ("arena", 4, 2, 0)
    assert found["lengths"] == {} and found["prompts"] == 0
    assert found["sources"] == {"beta": 4, "alpha": 2, "gamma": 2}


def test_rankings_imply_pairs_without_their_ties(capsys: Any) -> None:
    found = as_json(capsys, FIXTURES / "nectar.jsonl")
    assert (found["pairs"], found["derivable_pairs"]) == (0, 3)  # three pairs of three ranks; one tie of two


def test_lengths_are_in_words_and_characters(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [{"prompt": "a b c", "chosen": "x " * n, "rejected": "y"} for n in range(1, 100)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lengths = as_json(capsys, path)["lengths"]
    assert lengths["prompt"]["words"] == dict.fromkeys(("mean", "p05", "p25", "p50", "p75", "p95"), 3.0) | {
        "min": 3,
        "max": 3,
    }
    assert lengths["response"]["chars"]["max"] == 198


def test_several_files_of_several_formats_are_mixed(capsys: Any) -> None:
    found = as_json(capsys, FIXTURES / "trl.jsonl", FIXTURES / "hh.jsonl")
    assert (found["format"], found["formats"], found["groups"]) == ("mixed", {"trl": 1, "hh": 1}, 4)


def test_annotators_of_one_pair_are_compared_whichever_side_stood_first(capsys: Any, tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "model_a": "m", "model_b": "n", "winner": "model_a", "judge": "j1"},
        {"prompt": "p", "model_a": "n", "model_b": "m", "winner": "model_b", "judge": "j2"},
        {"prompt": "p", "model_a": "m", "model_b": "n", "winner": "tie", "judge": "j3"},
        {"prompt": "q", "model_a": "m", "model_b": "n", "winner": "tie", "judge": "j3"},
    ]
    path = tmp_path / "b.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = as_json(capsys, path)["agreement"]
    assert (said["pairs"], said["comparisons"]) == (1, 3)
    assert said["share"] == pytest.approx(1 / 3)


def test_shows_the_facts_and_a_few_rows(capsys: Any) -> None:
    assert run(FIXTURES / "trl-conversational.jsonl", "--rows", "1") == 0
    shown = capsys.readouterr().out
    assert "format       trl" in shown and "groups       2" in shown
    assert "Who wrote Emma?" in shown and "Is it raining?" not in shown


def test_reads_standard_input(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (FIXTURES / "hh.jsonl").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
    assert as_json(capsys, "-")["groups"] == 2


def test_named_columns_are_read(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("question,left text,right text,vote\nWhy?,Because.,No.,2\n")
    found = as_json(
        capsys, path, "--columns", "prompt=question,a=left text,b=right text,winner=vote,source_a='me, too'"
    )
    assert (found["format"], found["pairs"], found["sources"]) == ("columns", 1, {"me, too": 1})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--columns", "prompt=promt"], "has no column 'promt'"),
        (["--columns", "prompt"], "expected role=column"),
        (["--from", "nectr"], "did you mean `nectar`?"),
        (["--form", "trl"], "--form"),
    ],
)
def test_settings_that_do_not_exist_are_usage_errors(args: list[str], words: str, capsys: Any) -> None:
    assert run(FIXTURES / "trl.jsonl", *args) == 2
    assert words in capsys.readouterr().err
