"""The catalogue is true: 165 methods, every name resolves, every test and claim exists, names are unique."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from zermelo.catalogue import Entry, catalogue, resolve
from zermelo.errors import SettingError

ROOT = Path(__file__).parent.parent
FILLED = [entry for entry in catalogue().values() if entry.status != "missing"]


def test_lists_all_165_published_methods() -> None:
    numbered = [entry.id for entry in catalogue().values() if not entry.base]
    assert numbered == [f"M{number:03d}" for number in range(1, 166)]
    assert all(entry.title and entry.source for entry in catalogue().values())


def test_names_are_unique() -> None:
    raw = tomllib.loads((files("zermelo") / "catalogue.toml").read_text(encoding="utf-8"))
    seen: dict[str, str] = {}
    for key, entry in raw.items():
        for name in entry.get("names", {}):
            assert name not in seen, f"{name} belongs to {seen[name]} and to {key}"
            seen[name] = key


@pytest.mark.parametrize("entry", FILLED, ids=lambda entry: entry.id)
class TestEveryFilledEntry:
    def test_its_names_resolve_and_have_a_docstring_with_the_source(self, entry: Entry) -> None:
        for target in entry.names.values():
            module, _, attribute = target.partition(":")
            value = getattr(importlib.import_module(f"zermelo.{module}"), attribute)
            doc = inspect.getdoc(value) or ""
            assert "Source:" in doc, f"zermelo.{target}: the docstring names no source"

    def test_its_test_exists(self, entry: Entry) -> None:
        if not entry.test:
            return
        path, _, name = entry.test.partition("::")
        text = (ROOT / path).read_text()
        assert all(re.search(rf"(def|class) {re.escape(part)}\b", text) for part in name.split("::") if part)

    def test_its_claim_exists(self, entry: Entry) -> None:
        if entry.claim:
            assert (ROOT / "src" / "zermelo" / "claims" / f"{entry.claim}.py").exists()


def test_the_command_prints_a_json_list_of_165() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "zermelo", "methods", "--json"], capture_output=True, text=True, check=True
    ).stdout
    rows = json.loads(out)
    assert len(rows) == 165
    assert set(rows[0]) == {"id", "title", "source", "status", "names", "test", "claim"}


def test_ones_own_name_is_found_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_losses.py").write_text("cautious = 7\n")
    monkeypatch.setattr("sys.path", list(sys.path))
    with pytest.raises(SettingError, match="No module named"):
        resolve("my_own_losses:cautious")
    monkeypatch.chdir(tmp_path)
    assert resolve("my_own_losses:cautious") == 7
    with pytest.raises(SettingError, match="No module named"):
        resolve("my_other_losses:cautious")
