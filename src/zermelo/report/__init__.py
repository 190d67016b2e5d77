"""Reports: one HTML file without scripts or network; small SVG pictures; tables for the terminal.

page.py       Page: sections, figures, tables, plots, samples, details; written beside and renamed
page.css      its look: phone to desk, light and dark, print
plots.py      lines with bands, intervals, bars, reliability, histogram, scatter
svg.py        the canvas that they draw on: scales, ticks, axes
terminal.py   tables on a terminal (markdown.py: in Markdown)
escape.py     text from data shown as text: HTML, markup and control codes
numbers.py    numbers as people read them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.report.escape import html_text
    from zermelo.report.markdown import markdown_table
    from zermelo.report.page import Answer, Column, Figure, Page, Sample
    from zermelo.report.plots import (
        Line,
        bar_plot,
        histogram,
        interval_plot,
        line_plot,
        reliability_plot,
        scatter_plot,
    )
    from zermelo.report.svg import Svg
    from zermelo.report.terminal import print_table, terminal_table

_WHERE = {
    "escape": ["html_text"],
    "markdown": ["markdown_table"],
    "page": ["Answer", "Column", "Figure", "Page", "Sample"],
    "plots": ["Line", "bar_plot", "histogram", "interval_plot", "line_plot", "reliability_plot", "scatter_plot"],
    "svg": ["Svg"],
    "terminal": ["print_table", "terminal_table"],
}

__all__ = [
    "Answer",
    "Column",
    "Figure",
    "Line",
    "Page",
    "Sample",
    "Svg",
    "bar_plot",
    "histogram",
    "html_text",
    "interval_plot",
    "line_plot",
    "markdown_table",
    "print_table",
    "reliability_plot",
    "scatter_plot",
    "terminal_table",
]

__getattr__, __dir__ = attach(__name__, {name: module for module, names in _WHERE.items() for name in names})
