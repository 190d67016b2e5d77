"""The benchmark harness: entries mean what they say, and the page shows them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import harness  # noqa: E402


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(harness, "render", lambda: None)
    return tmp_path


def test_an_entry_is_replaced_and_its_ratios_are_theirs_over_ours_in_time(elsewhere: Path) -> None:
    for ours in (9.0, 2.0):
        harness.keep("b", peer="numpy", ours=ours, theirs=8.0, ours_mb=100, theirs_mb=400, conditions="x")
    harness.keep("a", peer=None, ours=1.0, theirs=None, conditions="y")
    first, second = json.loads((elsewhere / "results.json").read_text())
    assert (first["name"], first["ratio"], first["memory_ratio"]) == ("a", None, None)
    assert (second["name"], second["ratio"], second["memory_ratio"]) == ("b", 4.0, 0.25)


def test_a_rate_is_a_ratio_of_times_too(elsewhere: Path) -> None:
    assert harness.keep("b", peer="numpy", ours=400, theirs=100, unit="tests/s", conditions="x").ratio == 4.0


def test_sides_that_disagree_are_not_timed() -> None:
    same, other = (harness.Run(1, 1, {"result": value}) for value in (1, 2))
    harness.check_equal("race", same, same)
    with pytest.raises(SystemExit, match="outputs differ"):
        harness.check_equal("race", same, other)


def test_the_table_stands_between_its_markers_and_the_rest_of_the_page_stays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results.json")
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Ours\n\nbefore\n\n{harness.MARKERS[0]}\nold\n{harness.MARKERS[1]}\n\nafter\n")
    entry = harness.Entry("x", "numpy", "2", 1.0, 8.0, "s", 8.0, 0.5, "c")
    (tmp_path / "results.json").write_text(json.dumps([entry.__dict__]))
    harness.render(page)
    text = page.read_text()
    assert "old" not in text and "before" in text and text.endswith("after\n")
    assert "**8×**" in text


def test_every_kept_result_has_all_fields_and_the_page_shows_it() -> None:
    results = harness.read_results()
    page = harness.PAGE.read_text() if harness.PAGE.exists() else ""
    for item in results:
        assert set(harness.Entry.__dataclass_fields__) <= set(item), item["name"]
        assert f"| {item['name']} |" in page
