from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from zermelo.report import Answer, Column, Figure, Line, Page, Sample, line_plot
from zermelo.stats import Estimate

EVIL = "<img src=x onerror=alert(1)>\x1b[31m\u202e \"'&"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def everything(text: str) -> Page:
    page = Page(text, text, footer=text)
    page.section(text, text).heading(text).text(text).note(text, warning=True)
    page.figures([Figure(text, text, note=text), Figure("n", Estimate(0.5, 0.4, 0.6), percent=True, tone="good")])
    page.table([{text: text, "b": Estimate(0.5, 0.4, 0.6), "c": None, "d": 1}], caption=text)
    page.plot(line_plot([Line(text, [1, 2], [1, 2])], title=text), notes=[text])
    page.samples([Sample(text, [Answer(text, text, right=True, note=text), Answer(text, "")])])
    page.section(text).details(text, text).section(text)
    return page


def parsed(page: Page) -> Balanced:
    found = Balanced()
    found.feed(page.html())
    found.close()
    assert found.open == []
    return found


def test_text_from_data_is_text_everywhere() -> None:
    hostile, plain = parsed(everything(EVIL)), parsed(everything("plain"))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert "\x1b" not in everything(EVIL).html() and "\u202e" not in everything(EVIL).html()
    assert any("<img src=x onerror=alert(1)>\\x1b[31m\\u202e" in text for text in hostile.text)


def test_the_page_needs_no_network_and_runs_no_script() -> None:
    found = parsed(everything("plain"))
    assert not {"script", "link", "iframe", "img"} & {tag for tag, _ in found.tags}
    assert not re.search(r"https?://|url\(|@import", everything("plain").html())
    assert any("default-src 'none'" in (a.get("content") or "") for tag, a in found.tags if tag == "meta")


def test_every_link_of_the_contents_has_its_target_once() -> None:
    found = parsed(everything("same title"))
    targets = [a["id"] for _, a in found.tags if "id" in a]
    links = [(a["href"] or "")[1:] for tag, a in found.tags if tag == "a"]
    assert len(targets) == len(set(targets)) and set(links) <= set(targets) and len(links) == 4


def test_the_keyboard_reaches_what_scrolls_and_what_opens() -> None:
    found = parsed(everything("plain"))
    assert [a.get("tabindex") for tag, a in found.tags if a.get("role") == "region"] == ["0"]
    assert {"details", "summary"} <= {tag for tag, _ in found.tags}
    assert all(a.get("scope") for tag, a in found.tags if tag == "th")
    assert [a.get("lang") for tag, a in found.tags if tag == "html"] == ["en"]


def test_pictures_have_names_and_descriptions() -> None:
    html = everything("plain").html()
    assert 'role="img" aria-label="plain"' in html and "<desc>" in html


def test_estimates_show_their_interval_and_shares_their_percent() -> None:
    html = Page("t").table([{"a": "x", "b": Estimate(0.613, 0.572, 0.653)}], ["a", Column("b", percent=True)]).html()
    assert '61.3 %</span><span class="range">57.2 to 65.3</span>' in html
    html = Page("t").figures([Figure("gain", -0.1, percent=True, signed=True)]).html()
    assert "<b>−10.0 %</b>" in html


def test_right_and_wrong_are_said_in_words() -> None:
    html = Page("t").samples([Sample("p", [Answer("a", "1", True), Answer("b", "2", False)])]).html()
    assert "✓ right" in html and "✗ wrong" in html


def test_a_response_of_ten_megabytes_does_not_make_a_page_of_ten_megabytes() -> None:
    page = Page("t").samples([Sample("p", [Answer("a", "x" * 10_000_000)])]).table([{"a": "y" * 10_000_000}])
    assert len(page.html()) < 40_000 and "characters]" in page.html()


def test_the_file_is_written_beside_and_renamed(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    assert Page("t").write(path) == path
    assert path.read_text().startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("zermelo.report.svg.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        Page("t").write(path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
