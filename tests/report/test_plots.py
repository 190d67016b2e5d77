from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.report import (
    Line,
    Svg,
    bar_plot,
    histogram,
    interval_plot,
    line_plot,
    reliability_plot,
    scatter_plot,
)
from zermelo.report.svg import Canvas, fit, ticks
from zermelo.stats import Estimate, reliability_curve

NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.integers(-5, 5).map(float), max_size=8)
EVIL = '"><script>x</script>\x1b'


def well_formed(picture: Svg) -> ET.Element:
    root = ET.fromstring(picture.body)
    assert root.find("title") is not None and root.find("desc") is not None
    for element in root.iter():
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "r"):
            if name in element.attrib:
                assert np.isfinite(float(element.attrib[name]))
        assert not re.search("nan|inf", element.attrib.get("d", ""))
    return root


@given(NUMBERS)
def test_every_plot_survives_any_numbers(values: list[float]) -> None:
    x = list(range(len(values)))
    well_formed(line_plot([Line("a", x, values, low=values, high=values)], title="t"))
    well_formed(interval_plot([("a", Estimate(v, v, v)) for v in values], title="t", reference=0))
    well_formed(bar_plot([str(i) for i in x], {"a": values}, title="t"))
    well_formed(histogram({"a": values}, title="t"))
    well_formed(scatter_plot(values, values, title="t", diagonal=True, labels=[str(i) for i in x]))


def test_every_plot_shows_hostile_names_as_text() -> None:
    pictures = [
        line_plot([Line(EVIL, [1, 2], [1, 2]), Line("b", [1], [1])], title=EVIL, x_label=EVIL, y_label=EVIL),
        interval_plot([(EVIL, Estimate(1, 0, 2))], title=EVIL, x_label=EVIL),
        bar_plot([EVIL], {EVIL: [1], "b": [2]}, title=EVIL, x_label=EVIL),
        histogram({EVIL: [1, 2], "b": [1]}, title=EVIL, x_label=EVIL),
        scatter_plot([1], [1], title=EVIL, labels=[EVIL]),
        reliability_plot(reliability_curve([0.1, 0.9], [0, 1]), title=EVIL, x_label=EVIL),
    ]
    for picture in pictures:
        root = well_formed(picture)
        assert not [e for e in root.iter() if e.tag.endswith("script")]
        assert "\x1b" not in picture.body


def test_a_line_goes_where_the_numbers_say() -> None:
    root = well_formed(line_plot([Line("a", [0, 10], [0, 1])], title="t", y_range=(0, 1)))
    dots = [(float(e.attrib["cx"]), float(e.attrib["cy"])) for e in root.iter("circle")]
    canvas = Canvas(left=56)
    assert dots == [(56.0, canvas.height - canvas.bottom), (canvas.width - canvas.right, canvas.top)]


def test_missing_numbers_break_a_line_instead_of_joining_over_the_gap() -> None:
    root = well_formed(line_plot([Line("a", [0, 1, 2, 3, 4], [0, 1, np.nan, 1, 0])], title="t"))
    lines = [e.attrib["d"] for e in root.iter("path")]
    assert lines[0].count("M") == 2


def test_long_lines_are_thinned_without_losing_a_spike() -> None:
    y = np.zeros(100_000)
    y[77_777] = 9.0
    picture = line_plot([Line("a", np.arange(len(y)), y)], title="t", y_range=(0, 10))
    assert len(picture.body) < 20_000
    spike = Canvas(left=56).y_scale(0, 10)(9.0)
    assert f" {spike:.2f}".rstrip("0").rstrip(".") in picture.body


def test_the_description_says_the_numbers() -> None:
    found = interval_plot([("dpo", Estimate(0.105, 0.06, 0.15))], title="gain", percent_x=True)
    assert "dpo 10.5 % [6.0, 15.0]" in found.description
    curve = reliability_curve(np.repeat([0.25, 0.75], 50), np.repeat([0, 1], 50))
    assert "stated 25.0 %, observed 0.0 % of 50" in reliability_plot(curve, title="t").description


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [(0, 1, False, [0, 0.2, 0.4, 0.6, 0.8, 1]), (1, 16, True, [1, 2, 4, 8, 16]), (-0.03, 0.11, False, [0, 0.05, 0.1])],
)
def test_ticks_are_round(low: float, high: float, log: bool, expected: list[float]) -> None:
    assert ticks(low, high, log=log) == pytest.approx(expected)


def test_an_axis_never_has_zero_width() -> None:
    assert fit([3.0, 3.0]) == (2.7, 3.3)
    assert fit([0.0]) == (-1.0, 1.0) and fit([]) == (0.0, 1.0) and fit([4.0], log=True) == (2.0, 8.0)


def test_a_picture_alone_carries_its_colours(tmp_path: Path) -> None:
    path = line_plot([Line("a", [1, 2], [1, 2])], title="t").write(tmp_path / "a.svg")
    text = path.read_text()
    ET.fromstring(text)
    assert "--c1" in text and "prefers-color-scheme" in text and "table" not in text
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_series_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingError, match="2 labels"):
        bar_plot(["a", "b"], {"x": [1.0]}, title="t")
    with pytest.raises(SettingError, match="line 'a'"):
        line_plot([Line("a", [1, 2], [1])], title="t")
