"""`Page`: a report in one HTML file. No script, no network, all text from data escaped.

page = Page("Arithmetic, 600 held-out prompts", subtitle="seed 0")
page.section("Accuracy", "Exact answers, sampled at temperature 1.")
page.figures([Figure("after DPO", accuracy, percent=True)])
page.plot(line_plot(...))
page.write("report.html")
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from zermelo.report.escape import html_text, shorten
from zermelo.report.numbers import number, percent
from zermelo.report.svg import Svg, css, write_text
from zermelo.stats.estimate import Estimate

__all__ = ["Answer", "Cell", "Column", "Figure", "Page", "Sample"]

Cell: TypeAlias = str | int | float | bool | Estimate | None
Tone: TypeAlias = Literal["plain", "good", "bad"]
LONGEST = 4000  # characters of one text; a response of 10 MB must not make a page of 10 MB


@dataclass(frozen=True)
class Figure:
    """One number as a tile.

    Args:
        label: What it is.
        value: Number, estimate with interval, or text.
        percent: The value is a fraction, shown in percent.
        signed: With a plus.
        note: One short line below.
        tone: `good` or `bad` colours the number.
    """

    label: str
    value: Cell
    percent: bool = False
    signed: bool = False
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        key: Key of each row.
        title: Heading; default the key.
        percent: Values are fractions, shown in percent.
        digits: Decimals.
        signed: With a plus.
    """

    key: str
    title: str | None = None
    percent: bool = False
    digits: int | None = None
    signed: bool = False


@dataclass(frozen=True)
class Answer:
    """One answer of a sample.

    Args:
        name: Who gave it.
        text: The answer.
        right: Marks it right or wrong; None leaves it unmarked.
        note: Score, length, …
    """

    name: str
    text: str
    right: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """A prompt with answers side by side."""

    prompt: str
    answers: Sequence[Answer]


class Page:
    """A report in the making; every method adds below what is there and returns the page.

    Args:
        title: Heading and window title.
        subtitle: One or two sentences below it.
        footer: Versions, seed, date: whatever tells how it was made.
    """

    def __init__(self, title: str, subtitle: str = "", *, footer: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self.footer = footer
        self._sections: list[tuple[str, str]] = []  # anchor, title
        self._parts: list[str] = []

    def section(self, title: str, text: str = "") -> Page:
        """A new section; blank lines in `text` part paragraphs."""
        if self._sections:
            self._parts.append("</section>")
        anchor = _anchor(title, [known for known, _ in self._sections])
        self._sections.append((anchor, title))
        self._parts.append(
            f'<section id="{anchor}" aria-labelledby="{anchor}-h"><h2 id="{anchor}-h">{_line(title)}</h2>'
        )
        return self.text(text)

    def heading(self, title: str) -> Page:
        """A heading within the section."""
        self._parts.append(f"<h3>{_line(title)}</h3>")
        return self

    def text(self, text: str) -> Page:
        """Paragraphs of plain text; blank lines part them."""
        self._parts += [f'<p dir="auto">{html_text(part)}</p>' for part in text.split("\n\n") if part.strip()]
        return self

    def note(self, text: str, *, warning: bool = False) -> Page:
        """A remark set apart; a warning says so in words too, not by colour alone."""
        mark = "<strong>Warning.</strong> " if warning else ""
        self._parts.append(f'<p class="note{" warning" if warning else ""}" role="note">{mark}{html_text(text)}</p>')
        return self

    def figures(self, figures: Sequence[Figure]) -> Page:
        """Numbers as tiles."""
        tiles = "".join(_tile(figure) for figure in figures)
        self._parts.append(f'<div class="tiles">{tiles}</div>')
        return self

    def table(
        self,
        rows: Sequence[Mapping[str, Cell]],
        columns: Sequence[Column | str] | None = None,
        *,
        caption: str = "",
    ) -> Page:
        """A table; numbers go to the right, estimates show their interval, the first column names the row.

        Args:
            rows: Dictionaries.
            columns: Keys or `Column`s; default the keys of the first row.
            caption: Above the table.
        """
        known = [c if isinstance(c, Column) else Column(c) for c in columns or list(rows[0] if rows else [])]
        numeric = [all(_is_number(row.get(c.key)) for row in rows) and bool(rows) for c in known]
        head = "".join(
            f'<th scope="col"{_num(n)}>{_line(c.title if c.title is not None else c.key)}</th>'
            for c, n in zip(known, numeric, strict=True)
        )
        body = []
        for row in rows:
            cells = []
            for index, (column, right) in enumerate(zip(known, numeric, strict=True)):
                shown = _cell(row.get(column.key), column)
                if index == 0:
                    cells.append(f'<th scope="row"{_num(right)}>{shown}</th>')
                else:
                    cells.append(f"<td{_num(right) or TEXT}>{shown}</td>")
            body.append(f"<tr>{''.join(cells)}</tr>")
        label = _line(caption or "Table")
        titled = f"<caption>{_line(caption)}</caption>" if caption else ""
        self._parts.append(
            f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>{titled}'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        )
        return self

    def plot(self, *plots: Svg, notes: Sequence[str] = ()) -> Page:
        """Pictures, side by side where there is room.

        Args:
            plots: From `report.plots`.
            notes: One line under the title of each, in order.
        """
        figures = []
        for index, picture in enumerate(plots):
            small = f"<small>{_line(notes[index])}</small>" if index < len(notes) and notes[index] else ""
            figures.append(f"<figure><figcaption>{_line(picture.title)}{small}</figcaption>{picture.body}</figure>")
        self._parts.append(f'<div class="plots">{"".join(figures)}</div>')
        return self

    def samples(self, samples: Sequence[Sample]) -> Page:
        """Prompts with answers side by side, right and wrong marked in words and colour."""
        for sample in samples:
            answers = []
            for answer in sample.answers:
                mark = "" if answer.right is None else _RIGHT if answer.right else _WRONG
                note = f" · {_line(answer.note)}" if answer.note else ""
                text = html_text(shorten(answer.text, LONGEST)) or "<em>empty</em>"
                answers.append(f'<div><h4>{_line(answer.name)}{mark}{note}</h4><div dir="auto">{text}</div></div>')
            prompt = html_text(shorten(sample.prompt, LONGEST))
            self._parts.append(
                f'<article class="sample"><p class="prompt" dir="auto">{prompt}</p>'
                f'<div class="answers">{"".join(answers)}</div></article>'
            )
        return self

    def details(self, summary: str, text: str, *, opened: bool = False) -> Page:
        """Long text behind a summary (a recipe, versions, a log); opens by mouse or keyboard, prints open."""
        state = " open" if opened else ""
        self._parts.append(
            f'<details{state}><summary>{_line(summary)}</summary><pre tabindex="0">{html_text(text)}</pre></details>'
        )
        return self

    def html(self) -> str:
        """The whole page."""
        end = "</section>" if self._sections else ""
        links = "".join(f'<li><a href="#{anchor}">{_line(title)}</a></li>' for anchor, title in self._sections)
        nav = f'<nav aria-label="Sections"><ul>{links}</ul></nav>' if len(self._sections) > 2 else ""
        subtitle = f'<p class="subtitle" dir="auto">{html_text(self.subtitle)}</p>' if self.subtitle else ""
        footer = f"<footer>{html_text(self.footer)}</footer>" if self.footer else "<footer></footer>"
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f'<meta name="color-scheme" content="light dark"><title>{_line(self.title)}</title>'
            f"<style>{css('page')}</style></head><body>"
            '<a class="skip" href="#main">Skip to the content</a>'
            f'<header><p class="maker">Zermelo</p><h1 dir="auto">{_line(self.title)}</h1>{subtitle}{nav}</header>'
            f'<main id="main">{"".join(self._parts)}{end}</main>{footer}</body></html>\n'
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page beside its place and rename it; returns the path."""
        return write_text(path, self.html())


TEXT = ' class="text"'
_RIGHT = ' <span class="mark good">✓ right</span>'
_WRONG = ' <span class="mark bad">✗ wrong</span>'


def _line(text: str) -> str:
    return html_text(text, lines=False)


def _num(right: bool) -> str:
    return ' class="num"' if right else ""


def _is_number(value: Cell) -> bool:
    return value is None or (isinstance(value, int | float | Estimate) and not isinstance(value, bool))


def _cell(value: Cell, column: Column) -> str:
    if isinstance(value, Estimate):
        return "<span>{}</span>{}".format(*_parts(value, column.percent, column.digits, column.signed))
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value, column.percent, column.digits, column.signed)
    return html_text(shorten(str(value), LONGEST))


def _number(value: float, as_percent: bool, digits: int | None, signed: bool) -> str:
    if as_percent:
        return percent(value, digits=1 if digits is None else digits, signed=signed)
    return number(value, digits=digits, signed=signed)


def _parts(value: Estimate, as_percent: bool, digits: int | None, signed: bool) -> tuple[str, str]:
    """The number, and its interval in small type."""
    shown = _number(value.value, as_percent, digits, signed)
    if math.isnan(value.low) or math.isnan(value.high):
        return shown, ""
    low, high = (_number(end, as_percent, digits, signed).removesuffix(" %") for end in (value.low, value.high))
    return shown, f'<span class="range">{low} to {high}</span>'


def _tile(figure: Figure) -> str:
    if isinstance(figure.value, Estimate):
        shown, span = _parts(figure.value, figure.percent, None, figure.signed)
        tip = f"{figure.value.level:.0%} interval".replace("%", " %")
        span = span.replace("<span", f'<span title="{_line(tip)}"', 1)
    else:
        shown, span = _cell(figure.value, Column("", None, figure.percent, None, figure.signed)), ""
    remark = f'<span class="remark">{_line(figure.note)}</span>' if figure.note else ""
    tone = "" if figure.tone == "plain" else f" {figure.tone}"
    return f'<dl class="tile{tone}"><dt>{_line(figure.label)}</dt><dd><b>{shown}</b>{span}{remark}</dd></dl>'


def _anchor(title: str, taken: Sequence[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
    anchor, n = base, 2
    while anchor in taken or anchor == "main":
        anchor, n = f"{base}-{n}", n + 1
    return anchor
