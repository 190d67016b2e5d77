"""Files of other formats read by columns: the same rows as through the format's reader, and the same errors."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zermelo.errors import DataError
from zermelo.feedback import Feedback, leaves, read_groups
from zermelo.feedback.shapes import ShapedRows

ASPECTS = ("helpfulness", "honesty")


def completion(rng: random.Random, i: int) -> dict[str, Any]:
    rating = rng.choice(["1", "2", "3", "5", "4.5", "N/A", None])
    annotations = {aspect: {"Rating": rng.choice([rating, "3"]), "Rationale": "why"} for aspect in ASPECTS}
    return {
        "model": rng.choice(["gpt-4", "llama", None]),
        "response": f"text {i} é {rng.random()}",
        "annotations": annotations,
        "overall_score": rng.choice([None, 7.5, 1.0]),
        "critique": rng.choice([None, "poor"]),
    }


def ultrafeedback(n: int, *, seed: int = 0, ids: bool = False) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            **({"id": f"own-{i}"} if ids else {}),
            "source": "evol",
            "instruction": f"prompt {i} {rng.random()}",
            "completions": [completion(rng, k) for k in range(rng.choice([1, 2, 4]))],
        }
        for i in range(n)
    ]


def pairs(n: int, *, numbers: bool = True) -> list[dict[str, Any]]:
    rng = random.Random(1)
    rows: list[dict[str, Any]] = [{"prompt": f"p{i}", "chosen": f"c{i}", "rejected": f"r{i}"} for i in range(n)]
    for row in rows if numbers else []:
        row |= {"margin": rng.choice([None, 0.5]), "score_chosen": rng.choice([None, 8.0]), "score_rejected": 2}
    return rows


def written(path: Path, rows: list[dict[str, Any]], **settings: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7, **settings)
    return path


CASES = {
    "ultrafeedback": ultrafeedback(40),
    "ultrafeedback with ids": ultrafeedback(20, ids=True),
    "pairs": pairs(30),
    "bare pairs": pairs(30, numbers=False),
}


@pytest.mark.parametrize("rows", CASES.values(), ids=CASES)
class TestEveryShape:
    def test_views_equal_those_of_the_readers_groups(self, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
        path = written(tmp_path / "x.parquet", rows)
        shaped, plain = Feedback.read(path), Feedback.of(read_groups(path))
        assert isinstance(shaped.source, ShapedRows)
        for name in ("ratings", "battles", "labels", "outcomes"):
            assert getattr(shaped, name)().arrow().to_pylist() == getattr(plain, name)().arrow().to_pylist(), name
        for settings in ({}, {"ratings": "all"}, {"ratings": "best_worst", "margin": 1.0}):
            ours, theirs = shaped.pairs(**settings), plain.pairs(**settings)
            assert sorted(map(str, ours.arrow().to_pylist())) == sorted(map(str, theirs.arrow().to_pylist()))
            assert ours.dropped == theirs.dropped

    def test_groups_ids_keys_and_texts_are_the_readers(self, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
        path = written(tmp_path / "x.parquet", rows)
        shaped, plain = Feedback.read(path), Feedback.of(read_groups(path))
        assert list(shaped) == list(plain)
        assert len(shaped) == len(plain)
        assert (shaped.ids(), shaped.keys()) == (plain.ids(), plain.keys())
        texts = [[row for batch in feedback.texts() for row in batch.to_pylist()] for feedback in (shaped, plain)]
        assert texts[0] == texts[1]
        assert shaped.at([3, 11]) == plain.at([3, 11])
        assert (
            shaped.pairs(ratings="all").text([0, -1]).to_pylist()
            == plain.pairs(ratings="all").text([0, -1]).to_pylist()
        )

    def test_selections_and_several_files(self, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
        one, two = written(tmp_path / "1.parquet", rows[:9]), written(tmp_path / "2.parquet", rows[9:])
        shaped, plain = Feedback.read([one, two]), Feedback.of(read_groups([one, two]))
        some = [feedback.sample(6, seed=1) for feedback in (shaped, plain)]
        assert list(some[0]) == list(some[1])
        assert some[0].pairs(ratings="all").arrow().to_pylist() == some[1].pairs(ratings="all").arrow().to_pylist()


def test_views_of_ratings_and_ids_read_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zermelo.feedback import shapes

    path = written(tmp_path / "x.parquet", ultrafeedback(20))
    feedback = Feedback.read(path)
    asked: list[str] = []
    read = leaves.read_leaves
    monkeypatch.setattr(shapes, "read_leaves", lambda p, c, **k: (asked.extend(c), read(p, c, **k))[1])
    feedback.ratings().sql("SELECT source, avg(value) FROM view GROUP BY ALL")
    assert feedback.ids()[0] == "x.parquet:1"
    assert asked and not any("response" in name or name == "completions" for name in asked)


@pytest.mark.parametrize(
    ("place", "bad", "said"),
    [
        ("Rating", "11", r"x.parquet:30: .*Rating|x.parquet:30: .*11"),
        ("Rating", "great", r"x.parquet:30"),
        ("response", None, r"x.parquet:30: .*response"),
        ("overall_score", 99.0, r"x.parquet:30: .*overall"),
    ],
)
def test_a_bad_row_is_named_as_the_reader_names_it(tmp_path: Path, place: str, bad: Any, said: str) -> None:
    rows = ultrafeedback(40)
    item = rows[29]["completions"][0]
    if place == "Rating":
        item["annotations"]["honesty"]["Rating"] = bad
    else:
        item[place] = bad
    feedback = Feedback.read(written(tmp_path / "x.parquet", rows))
    with pytest.raises(DataError, match=said):
        feedback.ratings().arrow()
    good = Feedback.read(tmp_path / "x.parquet", skip_bad=True)
    assert len(good) == 39
    assert good.ratings().count() > 50


def test_files_whose_statistics_cannot_vouch_go_through_the_reader(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", ultrafeedback(20), write_statistics=False)
    feedback = Feedback.read(path)
    assert not isinstance(feedback.source, ShapedRows)
    assert feedback.ratings().arrow()["value"].to_pylist() == [
        j.value for group in read_groups(path) for j in group.judgements if j.kind == "rating"
    ]


def test_a_repeated_id_is_still_refused(tmp_path: Path) -> None:
    rows = ultrafeedback(20, ids=True)
    rows[11]["id"] = rows[3]["id"]
    with pytest.raises(DataError, match=r"x.parquet:12.*own-3"):
        Feedback.read(written(tmp_path / "x.parquet", rows)).ratings().arrow()


def test_conversations_go_through_the_reader(tmp_path: Path) -> None:
    turn = [{"role": "assistant", "content": "x"}]
    rows = [{"prompt": [{"role": "user", "content": "p"}], "chosen": turn, "rejected": turn}] * 3
    assert not isinstance(Feedback.read(written(tmp_path / "x.parquet", rows)).source, ShapedRows)
