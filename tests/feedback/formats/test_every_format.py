"""One suite for every format: a fixture in its shape is detected, read, written and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from zermelo.feedback import Group, detect, prompt_key, read_groups, write_groups
from zermelo.feedback.formats import FORMATS, load_format
from zermelo.feedback.protocol import Format, Writer
from zermelo.feedback.reading import ReadReport

FIXTURES = sorted((Path(__file__).parent / "fixtures").iterdir())
BY_NAME = {path.stem: path for path in FIXTURES}


def format_of(path: Path) -> str:
    """`arena-bare.jsonl` is a fixture of `arena`; `alpacaeval-outputs` is a format of its own."""
    return path.stem if path.stem in FORMATS else path.stem.split("-")[0]


def bare(group: Group) -> tuple[object, ...]:
    """What must survive a round trip: all but ids that are places, and a prompt's form (text or one user turn)."""
    return (
        prompt_key(group.prompt),
        [replace(response, prompt=None) for response in group.responses],
        [json.dumps(repr(judgement)) for judgement in group.judgements],
        group.meta,
    )


def groups_of(path: Path) -> list[Group]:
    return list(read_groups(path, quiet=True))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
class TestEveryFormat:
    def test_is_detected_from_its_fields(self, path: Path) -> None:
        assert detect(path).name == format_of(path)

    def test_is_read_without_a_bad_or_suspicious_row(self, path: Path) -> None:
        report = ReadReport()
        groups = list(read_groups(path, report=report))
        assert groups and report.n_bad == 0
        assert report.n_suspicious == 0

    def test_survives_its_own_round_trip(self, path: Path, tmp_path: Path) -> None:
        groups = groups_of(path)
        again = tmp_path / path.name
        report = write_groups(groups, again, format=format_of(path))
        assert [bare(group) for group in groups_of(again)] == [bare(group) for group in groups]
        assert detect(again).name == format_of(path)
        kept = {key for key in report.lost if not key.startswith(("probabilities", "columns of"))}
        assert kept <= {"annotators of judgements", "ids"}

    def test_survives_the_native_file(self, path: Path, tmp_path: Path) -> None:
        groups = groups_of(path)
        for name in ("g.parquet", "g.arrow", "g.jsonl.zst"):
            write_groups(groups, tmp_path / name)
            again = groups_of(tmp_path / name)
            assert repr(again) == repr(groups)  # repr: NaN step labels equal themselves

    def test_refuses_a_row_without_its_fields(self, path: Path, tmp_path: Path) -> None:
        from zermelo.errors import DataError

        empty = tmp_path / "empty.jsonl"
        empty.write_text('{"unrelated": 1}\n')
        with pytest.raises(DataError, match=r"empty.jsonl:1: "):
            list(read_groups(empty, format=format_of(path)))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_table_reads_and_writes(name: str) -> None:
    found = load_format(name)
    assert isinstance(found, Format)
    assert found.name == name
    assert name == "columns" or isinstance(found, Writer)


def test_every_format_but_the_named_columns_has_a_fixture() -> None:
    assert {format_of(path) for path in FIXTURES} == set(FORMATS) - {"columns", "native"}
