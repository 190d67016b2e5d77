"""Bare battles: the same rows as through groups, read without building any."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.feedback import Feedback, read_battles

FRAME = pd.DataFrame(
    {
        "model_a": ["gpt", "gpt", "llama", "bard", "gpt"],
        "model_b": ["llama", "bard", "bard", "gpt", "llama"],
        "winner": ["model_a", "model_b", "tie", "tie (bothbad)", "model_a"],
        "judge": ["x", "x", "y", None, "y"],
        "language": ["en"] * 5,
    }
)
COLUMNS = ["row", "source_a", "source_b", "outcome", "prob", "by"]


def written(folder: Path, frame: pd.DataFrame, suffix: str) -> Path:
    path = folder / f"battles{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix.startswith(".csv"):
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".jsonl", ".jsonl.gz"])
def test_every_container_gives_the_rows_that_groups_give(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, FRAME, suffix)
    bare = read_battles(path)
    table = bare.arrow()
    assert table.schema == Feedback.of([]).battles().schema
    through_groups = Feedback.read(path).battles().arrow()
    assert table.select(COLUMNS).to_pylist() == through_groups.select(COLUMNS).to_pylist()
    assert bare.count() == 5


def test_aggregation_never_builds_rows_in_python(tmp_path: Path) -> None:
    view = read_battles(written(tmp_path, FRAME, ".parquet"))
    query = "SELECT source_a, count(*) AS n, sum(prob) AS won FROM view GROUP BY ALL ORDER BY n DESC, source_a"
    assert view.sql(query).to_pylist()[0] == {"source_a": "gpt", "n": 3, "won": 2.0}


@pytest.mark.parametrize(
    ("winner", "outcomes"),
    [
        (["left", "right", "draw"], ["first", "second", "tie"]),
        (["gpt", "bard", "tie"], ["first", "second", "tie"]),
        ([1, 2, 0], ["first", "second", "tie"]),
        ([1.0, 0.0, 0.5], ["first", "second", "tie"]),
        ([1, 0, 0], ["first", "second", "second"]),
        (["A", "[[B]]", "both_bad"], ["first", "second", "both_bad"]),
    ],
)
def test_winners_in_the_words_that_data_sets_use(tmp_path: Path, winner: list, outcomes: list[str]) -> None:
    frame = pd.DataFrame({"left": ["gpt"] * 3, "right": ["llama", "bard", "bard"], "winner": winner})
    assert read_battles(written(tmp_path, frame, ".csv")).arrow()["outcome"].to_pylist() == outcomes


def test_probabilities_are_no_outcomes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"model_a": ["a", "a"], "model_b": ["b", "b"], "winner": [0.25, 0.5]})
    table = read_battles(written(tmp_path, frame, ".csv")).arrow()
    assert table["prob"].to_pylist() == [0.25, 0.5]
    assert table["outcome"].to_pylist() == [None, None]


def test_one_hot_winners(tmp_path: Path) -> None:
    hot = pd.DataFrame({"winner_model_a": [1, 0, 0], "winner_model_b": [0, 1, 0], "winner_tie": [0, 0, 1]})
    frame = pd.concat([FRAME[["model_a", "model_b"]].head(3), hot], axis=1)
    assert read_battles(written(tmp_path, frame, ".csv")).arrow()["prob"].to_pylist() == [1.0, 0.0, 0.5]


def test_columns_may_be_named(tmp_path: Path) -> None:
    frame = FRAME.rename(columns={"model_a": "home", "model_b": "away", "winner": "result"})
    path = written(tmp_path, frame.replace({"result": {"model_a": "first", "model_b": "second"}}), ".csv")
    named = {"source_a": "home", "source_b": "away", "winner": "result"}
    assert read_battles(path, columns=named).count() == 5
    with pytest.raises(SettingError, match="did you mean `home`"):
        read_battles(path, columns={**named, "source_a": "hme"}).count()
    with pytest.raises(DataError, match="two names and a winner"):
        read_battles(path).count()


def test_a_bad_row_is_named_by_file_and_line_or_left_out_and_counted(tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame.loc[2, "winner"] = "nobody"
    frame.loc[3, "model_b"] = None
    path = written(tmp_path, frame, ".csv")
    with pytest.raises(DataError, match=r"battles.csv:4: winner 'nobody'"):
        read_battles(path).count()
    with pytest.raises(DataError, match=r"battles.parquet:3: winner 'nobody'"):
        read_battles(written(tmp_path, frame, ".parquet")).arrow()
    view = read_battles(path, skip_bad=True)
    assert view.count() == 3
    assert view.dropped == {"unknown-winner": 1, "missing-field": 1}
    assert view.arrow()["row"].to_pylist() == [0, 1, 4]


def test_several_files_are_one_view(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv.gz"
    FRAME.to_csv(one, index=False)
    bad = FRAME.assign(winner=["model_a"] * 4 + ["?"])
    two.write_bytes(gzip.compress(bad.to_csv(index=False).encode()))
    with pytest.raises(DataError, match=r"2.csv.gz:6"):
        read_battles([one, two]).count()
    assert read_battles([one, two], skip_bad=True).count() == 9


def test_a_file_that_is_cut_or_empty_is_one_clear_error(tmp_path: Path) -> None:
    path = written(tmp_path, FRAME, ".parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cut"):
        read_battles(path).count()
    with pytest.raises(DataError, match="no rows"):
        read_battles(written(tmp_path, FRAME.head(0), ".csv")).count()


def test_names_with_quotes_and_unicode_are_names(tmp_path: Path) -> None:
    frame = pd.DataFrame({"model_a": ["O'Brien", 'say "x"'], "model_b": ["猫", "b"], "winner": ["O'Brien", "b"]})
    table = read_battles(written(tmp_path, frame, ".csv")).arrow()
    assert table["outcome"].to_pylist() == ["first", "second"]
    assert table["source_b"].to_pylist() == ["猫", "b"]


def test_a_bare_file_has_no_texts(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no groups"):
        read_battles(written(tmp_path, FRAME, ".csv")).text([0])
