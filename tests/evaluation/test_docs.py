"""The code of the pages runs, and prints what the comments say."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["evaluation.md", "report.md", "doctor.md"])
def test_the_code_of_the_page_runs_and_prints_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.S):
        out = io.StringIO()
        with redirect_stdout(out):
            exec(compile(code, page, "exec"), names)
        said = [line.split("  # ")[1] for line in code.splitlines() if line.startswith("print(") and "  # " in line]
        printed = out.getvalue().splitlines()
        assert [line for line in printed if line in said] == said
