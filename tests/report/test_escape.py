from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from zermelo.report import Column, html_text, print_table
from zermelo.report.escape import shorten
from zermelo.report.numbers import number, percent, seconds
from zermelo.stats import Estimate

HOSTILE = [
    "<script>alert(1)</script>",
    "[red]x[/red] [/]",
    "\x1b[31mred\x07",
    "\u202eabc",
    "\ud800",
    "a\x00b",
    "\x9b2J",
]


def test_control_codes_are_shown_and_not_sent() -> None:
    assert html_text("\x1b[31m") == "\\x1b[31m"
    assert html_text("\u202eabc\ud800") == "\\u202eabc\\ud800"
    assert html_text("one\r\ntwo\tthree") == "one\ntwo\tthree"
    assert html_text("one\ntwo", lines=False) == "one⏎two"
    assert html_text("👩\u200d💻 عربي") == "👩\u200d💻 عربي"


@given(st.text())
def test_no_text_keeps_a_control_code_or_a_tag(text: str) -> None:
    shown = html_text(text)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
    assert "<" not in shown and ">" not in shown and '"' not in shown
    shown.encode("utf-8")


@given(st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_a_terminal_table_prints_any_text_without_acting_on_it(texts: list[str]) -> None:
    out = io.StringIO()
    print_table([{"text": t, "n": 1} for t in texts], file=out)
    assert "\x1b" not in out.getvalue() and "\x07" not in out.getvalue()


def test_rich_markup_is_text_in_cells_and_headings() -> None:
    out = io.StringIO()
    print_table([{"[bold]h": text} for text in HOSTILE], title="[blink]t", file=out)
    assert all(mark in out.getvalue() for mark in ("[red]x[/red] [/]", "[bold]h", "[blink]t", "\\x1b[31mred\\x07"))


def test_tables_show_estimates_shares_and_nothing() -> None:
    out = io.StringIO()
    rows = [
        {"a": "x", "b": Estimate(0.5, 0.4, 0.6), "c": 0.25, "d": True},
        {"a": "y", "b": None, "c": None, "d": False},
    ]
    print_table(rows, ["a", Column("b", percent=True), Column("c", "share", percent=True, signed=True), "d"], file=out)
    assert "50.0 % [40.0, 60.0]" in out.getvalue() and "+25.0 %" in out.getvalue() and "–" in out.getvalue()


def test_numbers_read_as_people_write_them() -> None:
    assert [number(v) for v in (1234, 0.4123, -3.2e-6, 12.34, 1234.5, None, float("inf"))] == [
        "1,234", "0.412", "−3.20e−06", "12.3", "1,234", "–", "∞",
    ]  # fmt: skip
    assert percent(0.6125) == "61.3 %" and percent(-0.01, signed=True) == "−1.0 %" and percent(None) == "–"
    assert [seconds(v) for v in (0.041, 3.21, 59.97, 245, 7380)] == [
        "41 ms",
        "3.2 s",
        "1 min 00 s",
        "4 min 05 s",
        "2 h 03 min",
    ]
    assert shorten("abcdef", 3) == "abc…[+3 characters]" and shorten("abc", 3) == "abc"
