"""The rows and the code shown in the docs are what they say they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from zermelo.feedback import detect, read_groups
from zermelo.feedback.formats import FORMATS
from zermelo.feedback.formats.columns import ROLES

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "formats.md").read_text(encoding="utf-8")
SECTIONS = {
    name: text for name, text in re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S) if name in FORMATS
}
ROWS = [(name, row) for name, text in SECTIONS.items() for row in re.findall(r"```json\n(.*?)\n```", text, re.S)]


def test_every_format_has_a_section_and_every_role_a_line() -> None:
    assert set(SECTIONS) == set(FORMATS)
    assert set(re.findall(r"^\| `(\w+)` \|", SECTIONS["columns"], re.M)) == set(ROLES)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[name for name, _ in ROWS])
def test_an_example_row_is_of_the_format_it_stands_under(name: str, row: str, tmp_path: Path) -> None:
    path = tmp_path / "example.jsonl"
    path.write_text(json.dumps(json.loads(row)) + "\n", encoding="utf-8")
    assert detect(path).name == name
    assert len(list(read_groups(path, quiet=True))) == 1


@pytest.mark.parametrize("page", ["formats.md", "records.md"])
def test_the_code_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.jsonl").write_text('{"prompt": "p", "chosen": "a", "rejected": "b"}\n')
    for code in re.findall(r"```python\n(.*?)\n```", (DOCS / page).read_text(encoding="utf-8"), re.S):
        exec(compile(code, page, "exec"), {})
    assert capsys.readouterr().out
