"""Files to groups: containers, compression, globs, folders, standard input, joined rows, prompts of transcripts."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from zermelo.errors import SettingError
from zermelo.feedback import Message, Rejects, detect, read_groups, write_groups
from zermelo.feedback.files import expand
from zermelo.feedback.reading import ReadReport

ROWS = [{"prompt": f"Ask {i}", "chosen": f"good {i}", "rejected": f"bad {i} ü"} for i in range(600)]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def arrow_stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(path, table.schema) as sink:
        sink.write_table(table, max_chunksize=50)


def two_frames(data: bytes) -> bytes:
    half = len(data) // 2
    return zstandard.compress(data[:half]) + zstandard.compress(data[half:])


CONTAINERS = {
    "a.jsonl": lambda path: path.write_bytes(jsonl(ROWS)),
    "bom.jsonl": lambda path: path.write_bytes(b"\xef\xbb\xbf" + jsonl(ROWS)),
    "crlf.jsonl": lambda path: path.write_bytes(jsonl(ROWS).replace(b"\n", b"\r\n")),
    "spaced.jsonl": lambda path: path.write_bytes(jsonl(ROWS).replace(b"\n", b"\n\n")),
    "lines.json": lambda path: path.write_bytes(jsonl(ROWS)),
    "array.json": lambda path: path.write_text(json.dumps(ROWS)),
    "pretty.json": lambda path: path.write_text("\ufeff" + json.dumps(ROWS, indent=2), encoding="utf-8"),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(jsonl(ROWS))),
    "gzip-without-suffix.jsonl": lambda path: path.write_bytes(gzip.compress(jsonl(ROWS))),
    "a.jsonl.zst": lambda path: path.write_bytes(two_frames(jsonl(ROWS))),
    "a.json.gz": lambda path: path.write_bytes(gzip.compress(json.dumps(ROWS).encode())),
    "a.csv": lambda path: write_csv(path, ","),
    "semicolon.csv": lambda path: write_csv(path, ";"),
    "a.tsv": lambda path: write_csv(path, "\t"),
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(csv_text(",").encode())),
    "a.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=70),
    "a.arrow": arrow_stream,
    "a.feather": lambda path: pa.feather.write_feather(pa.Table.from_pylist(ROWS), str(path)),
}


def csv_text(mark: str) -> str:
    return "\n".join(mark.join(row) for row in (["prompt", "chosen", "rejected"], *(list(r.values()) for r in ROWS)))


def write_csv(path: Path, mark: str) -> None:
    path.write_text(csv_text(mark), encoding="utf-8")


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_groups(name: str, tmp_path: Path) -> None:
    import pyarrow.feather  # noqa: F401

    path = tmp_path / name
    CONTAINERS[name](path)
    groups = list(read_groups(path))
    assert [(group.prompt, *(side.text for side in group.responses)) for group in groups] == [
        tuple(row.values()) for row in ROWS
    ]
    step = {"spaced.jsonl": 2}.get(name, 1)
    first = 2 if ".csv" in name or ".tsv" in name else 1
    assert [group.id for group in groups[:3]] == [f"{name}:{first + step * index}" for index in range(3)]


def test_standard_input_is_a_file_named_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (jsonl(ROWS), gzip.compress(jsonl(ROWS)), parquet_bytes()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
        groups = list(read_groups("-"))
        assert len(groups) == 600 and groups[0].id == "stdin:1"


def parquet_bytes() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


def test_globs_and_folders_name_their_files_in_order_and_skip_what_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.jsonl", "deep/a.jsonl"):
        (tmp_path / name).write_bytes(jsonl(ROWS[:1]))
    for name in ("README.md", "a.jsonl.rejects.jsonl", "dataset_info.json", ".hidden.jsonl"):
        (tmp_path / name).write_text("no data")
    names = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl", "deep/a.jsonl")]
    assert expand(tmp_path) == names
    assert expand(f"{tmp_path}/?.jsonl") == names[:2]
    ids = [group.id for group in read_groups(tmp_path, quiet=True)]
    assert len(set(ids)) == 3  # files of one name are told apart by their folder


def test_adjacent_rows_with_equal_prompts_form_a_group_and_others_do_not(tmp_path: Path) -> None:
    rows = [{"prompt": prompt, "completion": str(i), "label": i % 2 == 0} for i, prompt in enumerate("aabba")]
    path = tmp_path / "kto.jsonl"
    path.write_bytes(jsonl(rows))
    groups = list(read_groups(path))
    assert [(group.prompt, len(group.responses)) for group in groups] == [("a", 2), ("b", 2), ("a", 1)]
    assert [(item.on, item.value) for item in groups[1].judgements] == [((0,), 1.0), ((1,), 0.0)]


def test_a_prompt_of_two_transcripts_leaves_each_side_its_last_reply(tmp_path: Path) -> None:
    path = tmp_path / "hh.jsonl"
    start = "\n\nHuman: a\n\nAssistant: b"
    rows = [
        {"chosen": start, "rejected": start + "\n\nHuman: c\n\nAssistant: d"},  # one side goes on
        {"chosen": "\n\nHuman: a\n\nAssistant: x", "rejected": "\n\nHuman: a\n\nAssistant: y"},
    ]
    path.write_bytes(jsonl(rows))
    first, second = read_groups(path, quiet=True)
    assert first.prompt == (Message("user", "a"),)
    assert [side.content for side in first.responses] == ["b", "b\n\nc\n\nd"]
    assert first.meta["suspicious"] == ["differing-prompts"]
    assert "suspicious" not in second.meta


def test_columns_are_named_by_role_with_joins_constants_and_several_annotators(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    rows = [{"task": "T", "more": "M", "left text": "l", "right": "r", "ann1": "left text", "ann2": 0, "n": 7}]
    path.write_bytes(jsonl(rows))
    where = {"prompt": "task+more", "a": "left text", "b": "right", "winner": "ann1+ann2", "source_b": "'gpt-4'"}
    (group,) = read_groups(path, columns=where)
    assert group.prompt == "T\n\nM"
    assert [item.source for item in group.responses] == [None, "gpt-4"]
    assert [(item.by, item.outcome, item.value) for item in group.judgements] == [
        ("ann1", "first", 1.0),
        ("ann2", "tie", 0.5),
    ]
    assert group.meta == {"n": 7}


@pytest.mark.parametrize(
    "columns",
    [
        {"promt": "task"},
        {"prompt": "tsk"},
        {"a": "task"},
        {"a": "task", "b": "right"},
        {"a": "task+right", "b": "right"},
    ],
)
def test_columns_that_are_not_there_are_refused_with_a_suggestion(columns: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_bytes(jsonl([{"task": "T", "right": "r"}]))
    with pytest.raises(SettingError) as found:
        list(read_groups(path, columns=columns))
    assert found.value.code == "unknown-column"


def test_a_report_counts_missing_values_of_a_format(tmp_path: Path) -> None:
    report = ReadReport()
    fixture = Path(__file__).parent / "formats" / "fixtures" / "ultrafeedback.jsonl"
    list(read_groups(fixture, report=report))
    assert report.missing == {"annotations.honesty": 1}
    report = ReadReport()
    list(read_groups(fixture.with_name("listwise.jsonl"), report=report))
    assert report.missing == {"scores[]": 1}


def test_killed_writers_leave_no_half_file(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_groups(read_groups(jsonl_file(tmp_path)), out)
    before = out.read_bytes()

    def failing() -> Any:
        yield from list(read_groups(jsonl_file(tmp_path)))[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_groups(failing(), out)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.parquet"]


ENDLESS = """
import itertools, sys
from zermelo.feedback import Group, Response, write_groups
write_groups((Group(str(i), "p", (Response("x" * 9000),)) for i in itertools.count()), sys.argv[1])
"""


def test_kill_9_in_the_middle_of_a_write_loses_nothing_and_the_next_write_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_groups(read_groups(jsonl_file(tmp_path)), out)
    before = out.read_bytes()
    with subprocess.Popen([sys.executable, "-c", ENDLESS, str(out)]) as writer:
        while not any(path.stat().st_size for path in tmp_path.glob(".*.partial")):
            time.sleep(0.02)
        writer.kill()
    assert out.read_bytes() == before
    write_groups(read_groups(out), tmp_path / "next.parquet")
    assert len(list(read_groups(tmp_path / "next.parquet"))) == 600
    assert expand(tmp_path) == sorted(str(tmp_path / name) for name in ("in.jsonl", "next.parquet", "out.parquet"))


def jsonl_file(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_bytes(jsonl(ROWS))
    return path


def test_rejects_of_an_earlier_run_do_not_outlive_it(tmp_path: Path) -> None:
    path = tmp_path / "out.rejects.jsonl"
    path.write_text("old\n")
    with Rejects(path):
        pass
    assert not path.exists()


def test_detection_says_which_format(tmp_path: Path) -> None:
    assert detect(jsonl_file(tmp_path)).name == "trl"


def test_groups_stream_in_constant_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "long.jsonl"
    with path.open("wb") as sink:
        for i in range(4000):
            sink.write(jsonl([{"prompt": f"{i}", "chosen": "x" * 5000, "rejected": "y"}]))
    tracemalloc.start()
    report = write_groups(read_groups(path), tmp_path / "out.jsonl", format="trl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.rows == 4000
    assert peak < 8 << 20  # the file is 20 MB
