"""Plots as small inline SVG: numbers in, a picture with a description in words out. No plotting library is imported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import SettingError
from zermelo.report.numbers import number, percent
from zermelo.report.svg import CHARACTER, Canvas, Svg, colour, fit, shorten_label
from zermelo.stats.calibration import Reliability
from zermelo.stats.estimate import Estimate

__all__ = ["Line", "bar_plot", "histogram", "interval_plot", "line_plot", "reliability_plot", "scatter_plot"]

MOST_POINTS = 400  # of a drawn line; longer ones are thinned, keeping extremes


@dataclass(frozen=True)
class Line:
    """One series of a line plot.

    Args:
        name: For the legend.
        x: Positions, ascending. [N]
        y: Heights; NaN breaks the line. [N]
        low: Lower edge of the band. [N]
        high: Upper edge of the band. [N]
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None


def line_plot(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    log_x: bool = False,
    y_percent: bool = False,
    y_range: tuple[float, float] | None = None,
    level: float | None = None,
) -> Svg:
    """Lines with bands.

    Args:
        lines: Series; a legend appears where there are several.
        title: Accessible name.
        x_label: With unit.
        y_label: With unit.
        log_x: Logarithmic x, powers of 2 as ticks.
        y_percent: y is a fraction, shown in percent.
        y_range: Fixed limits of y.
        level: A horizontal line for comparison (chance, the start).
    """
    drawn = [_thinned(line) for line in lines]
    canvas = Canvas(left=56)
    if len(lines) > 1:
        canvas.legend([line.name for line in lines])
    xs = [v for x, *_ in drawn for v in x]
    ys = [v for _, *columns in drawn for column in columns if column is not None for v in column]
    x = canvas.x_scale(*fit(xs, log=log_x, pad=0.0), log=log_x)
    y = canvas.y_scale(*(y_range or fit(ys, include=[] if level is None else [level])))
    canvas.axes(x, y, x_label=x_label, y_label=y_label, y_percent=y_percent)
    if level is not None and y.inside(level):
        canvas.mark("line", "mute dashed", x1=x.start, x2=x.stop, y1=y(level), y2=y(level))

    def place(px: Sequence[float], py: Sequence[float]) -> list[tuple[float, float]]:
        return [
            (x(a), min(max(y(b), y.stop), y.start)) if math.isfinite(b) else (math.nan, math.nan)
            for a, b in zip(px, py, strict=True)
        ]

    for index, (px, _, low, high) in enumerate(drawn):
        if low is not None and high is not None:
            both = [i for i in range(len(px)) if math.isfinite(low[i]) and math.isfinite(high[i])]
            up = place([px[i] for i in both], [high[i] for i in both])
            down = place([px[i] for i in both], [low[i] for i in both])
            canvas.path(f"band {colour(index)}", [*up, *reversed(down)], close=True)
    for index, (px, py, _, _) in enumerate(drawn):
        points = place(px, py)
        canvas.path(f"line {colour(index)}", points)
        if len(px) <= 24:
            for a, b in points:
                if math.isfinite(b):
                    canvas.mark("circle", f"dot {colour(index)}", cx=a, cy=b, r=2.6)
    show = percent if y_percent else number
    told = [
        f"{line.name}: from {show(ends[0][1])} at {number(ends[0][0])} to {show(ends[-1][1])} at {number(ends[-1][0])}"
        for line, (px, py, _, _) in zip(lines, drawn, strict=True)
        if (ends := [(a, b) for a, b in zip(px, py, strict=True) if math.isfinite(b)])
    ]
    return canvas.finish(title, f"{y_label or 'Value'} against {x_label or 'x'}. " + "; ".join(told) + ".")


def interval_plot(
    rows: Sequence[tuple[str, Estimate]],
    *,
    title: str,
    x_label: str = "",
    percent_x: bool = False,
    reference: float | None = None,
    x_range: tuple[float, float] | None = None,
) -> Svg:
    """One estimate with its interval in each row, best read against a reference line.

    Args:
        rows: (name, estimate), top to bottom.
        title: Accessible name.
        x_label: With unit.
        percent_x: Estimates are fractions, shown in percent.
        reference: A vertical line (0, ½, the start).
        x_range: Fixed limits.
    """
    names = [shorten_label(name, 26) for name, _ in rows]
    left = 16 + CHARACTER * max((len(name) for name in names), default=0)
    right = 60 if rows else 14
    bottom = 42 if x_label else 24
    canvas = Canvas(height=14 + bottom + 26 * max(len(rows), 1), left=min(left, 180), right=right, top=8, bottom=bottom)
    ends = [v for _, e in rows for v in (e.value, e.low, e.high)]
    x = canvas.x_scale(*(x_range or fit(ends, include=[] if reference is None else [reference])))
    base = canvas.height - canvas.bottom
    canvas.x_axis(x, base=base, label=x_label, percent=percent_x)
    if reference is not None and x.inside(reference):
        canvas.mark("line", "mute dashed", x1=x(reference), x2=x(reference), y1=canvas.top, y2=base)
    show = percent if percent_x else number
    for index, (name, (_, estimate)) in enumerate(zip(names, rows, strict=True)):
        y = canvas.top + 18 + 26 * index
        canvas.mark("text", "tick end", name, x=canvas.left - 8, y=y + 4)
        if math.isfinite(estimate.low) and math.isfinite(estimate.high):
            edges = [min(max(end, x.low), x.high) for end in (estimate.low, estimate.high)]
            canvas.mark("line", "line c1", x1=x(edges[0]), x2=x(edges[1]), y1=y, y2=y)
        if x.inside(estimate.value):
            canvas.mark("circle", "dot c1", cx=x(estimate.value), cy=y, r=4)
        canvas.mark("text", "value", show(estimate.value), x=canvas.width - right + 8, y=y + 4)
    told = "; ".join(f"{name} {e.format(percent=percent_x)}" for name, e in rows)
    return canvas.finish(title, f"{x_label or 'Estimate'} with intervals. {told}.")


def bar_plot(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    x_label: str = "",
    percent_x: bool = False,
) -> Svg:
    """Horizontal bars, one group of bars for each label; horizontal because names are long and phones narrow.

    Args:
        labels: Of the groups. [L]
        series: Name → heights; NaN has no bar. [L]
        title: Accessible name.
        x_label: With unit.
        percent_x: Values are fractions, shown in percent.
    """
    for name, values in series.items():
        if len(values) != len(labels):
            raise SettingError("bad-shape", f"bar_plot: {len(labels)} labels, but {name!r} has {len(values)} values")
    names = [shorten_label(label, 26) for label in labels]
    left = min(16 + CHARACTER * max((len(name) for name in names), default=0), 180)
    thick, gap = (18, 10) if len(series) == 1 else (13, 12)
    group = thick * len(series) + gap
    canvas = Canvas(left=left, right=60, top=8, bottom=42 if x_label else 24)
    if len(series) > 1:
        canvas.legend(list(series))
    canvas.height = canvas.top + group * len(labels) + canvas.bottom + 4
    finite = [v for values in series.values() for v in values if abs(v) < 1e300]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    x = canvas.x_scale(low, high if high > low else low + 1)
    base = canvas.height - canvas.bottom
    canvas.x_axis(x, base=base, label=x_label, percent=percent_x)
    show = percent if percent_x else number
    for row, name in enumerate(names):
        top = canvas.top + group * row + gap / 2
        canvas.mark("text", "tick end", name, x=left - 8, y=top + thick * len(series) / 2 + 4)
        for index, values in enumerate(series.values()):
            value, y = values[row], top + thick * index
            if abs(value) < 1e300:
                ends = sorted((x(0), x(value)))
                canvas.mark(
                    "rect",
                    f"bar {colour(index)}",
                    x=ends[0],
                    y=y + 1,
                    width=ends[1] - ends[0],
                    height=thick - 2,
                    rx=1.5,
                )
                canvas.mark("text", "value", show(value), x=ends[1] + 5, y=y + thick / 2 + 4)
    told = "; ".join(
        f"{label}: " + ", ".join(f"{name} {show(values[row])}" for name, values in series.items())
        for row, label in enumerate(labels)
    )
    return canvas.finish(title, f"Bars. {told}.")


def reliability_plot(curve: Reliability, *, title: str, x_label: str = "stated probability") -> Svg:
    """Observed share against stated probability, with limits, the diagonal, and how many items each bin has.

    Args:
        curve: From `stats.reliability_curve`.
        title: Accessible name.
        x_label: What the probability is of.
    """
    canvas = Canvas(height=330, left=56, bottom=42)
    foot = canvas.height - canvas.bottom
    x = canvas.x_scale(0, 1)
    y = canvas.y_scale(0, 1)
    y = type(y)(0, 1, foot - 62, canvas.top)
    canvas.axes(x, y, y_label="observed share", y_percent=True, x_ticks=[])
    canvas.mark("line", "mute dashed", x1=x(0), y1=y(0), x2=x(1), y2=y(1))
    for stated, low, high in zip(curve.stated, curve.low, curve.high, strict=True):
        canvas.mark("line", "line c1 thin", x1=x(stated), x2=x(stated), y1=y(low), y2=y(high))
    canvas.path("line c1", [(x(a), y(b)) for a, b in zip(curve.stated, curve.observed, strict=True)])
    for stated, observed in zip(curve.stated, curve.observed, strict=True):
        canvas.mark("circle", "dot c1", cx=x(stated), cy=y(observed), r=3.4)
    most = max(int(curve.count.max()), 1)
    used = np.clip(np.searchsorted(curve.edges, curve.stated, side="right") - 1, 0, len(curve.edges) - 2)
    for index, count in zip(used, curve.count, strict=True):
        left, right = x(curve.edges[index]), x(curve.edges[index + 1])
        height = 44 * float(count) / most
        canvas.mark(
            "rect", "bar mute", x=left + 0.8, y=foot - height, width=max(right - left - 1.6, 0.5), height=height
        )
    canvas.mark("text", "tick end", number(most), x=x.start - 6, y=foot - 38)
    canvas.x_axis(x, base=foot, label=x_label, percent=True, at=[0, 0.25, 0.5, 0.75, 1])
    told = "; ".join(
        f"stated {percent(a)}, observed {percent(b)} of {number(int(n))}"
        for a, b, n in zip(curve.stated, curve.observed, curve.count, strict=True)
    )
    return canvas.finish(title, f"Expected calibration error {number(curve.error)}. {told}.")


def histogram(
    series: Mapping[str, ArrayLike], *, title: str, x_label: str = "", bins: int = 24, percent_x: bool = False
) -> Svg:
    """Shares of one or several sets of numbers in common bins; several are drawn as outlines.

    Args:
        series: Name → numbers, NaN left out. The outer percent of a long tail is gathered in the last bin.
        title: Accessible name.
        x_label: With unit.
        bins: Number of bins.
        percent_x: Values are fractions, shown in percent.
    """
    known = {name: _finite(values) for name, values in series.items()}
    together = np.concatenate(list(known.values())) if known else np.zeros(0)
    canvas = Canvas(left=56)
    if len(known) > 1:
        canvas.legend(list(known))
    ends = [float(together.min()), float(np.quantile(together, 0.995))] if len(together) else []
    low, high = fit(ends, pad=0.0)
    edges = np.linspace(low, high, bins + 1)
    shares = {}
    for name, values in known.items():
        counts, _ = np.histogram(np.clip(values, low, high), bins=edges)
        shares[name] = counts / max(len(values), 1)
    x = canvas.x_scale(low, high)
    top = max([float(share.max()) for share in shares.values()], default=1.0) or 1.0
    y = canvas.y_scale(0, top * 1.05)
    canvas.axes(x, y, x_label=x_label, y_label="share", y_percent=True, x_percent=percent_x)
    for index, share in enumerate(shares.values()):
        outline = [(x(low), y(0))]
        for left, right, value in zip(edges[:-1], edges[1:], share, strict=True):
            outline += [(x(left), y(value)), (x(right), y(value))]
        outline.append((x(high), y(0)))
        canvas.path(f"band {colour(index)}", outline, close=True)
        canvas.path(f"line {colour(index)}", outline)
    show = percent if percent_x else number
    told = "; ".join(
        f"{name}: {len(v):,} values, median {show(float(np.median(v)))}, 5–95 % {show(float(np.quantile(v, 0.05)))} to "
        f"{show(float(np.quantile(v, 0.95)))}"
        for name, v in known.items()
        if len(v)
    )
    return canvas.finish(title, f"Distribution of {x_label or 'values'}. {told}.")


def scatter_plot(
    x: ArrayLike,
    y: ArrayLike,
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    labels: Sequence[str] | None = None,
    diagonal: bool = False,
) -> Svg:
    """Points; names beside them where there are at most 24.

    Args:
        x: [N]
        y: [N]
        title: Accessible name.
        x_label: With unit.
        y_label: With unit.
        labels: Names of the points; the tooltip of each. [N]
        diagonal: Draw y = x.
    """
    px, py = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if px.shape != py.shape:
        raise SettingError("bad-shape", f"scatter_plot: x is {px.shape}, y is {py.shape}")
    canvas = Canvas(left=56)
    both = list(px) + list(py) if diagonal else []
    sx, sy = canvas.x_scale(*fit([*px, *both])), canvas.y_scale(*fit([*py, *both]))
    canvas.axes(sx, sy, x_label=x_label, y_label=y_label)
    if diagonal:
        low, high = max(sx.low, sy.low), min(sx.high, sy.high)
        canvas.mark("line", "mute dashed", x1=sx(low), y1=sy(low), x2=sx(high), y2=sy(high))
    across, up = px.tolist(), py.tolist()
    known = [i for i in range(len(px)) if abs(across[i]) < 1e300 and abs(up[i]) < 1e300]
    size = 3.4 if len(known) <= 200 else 1.8
    for i in known:
        canvas.mark("circle", "dot c1 soft", cx=sx(across[i]), cy=sy(up[i]), r=size)
    if labels is not None and len(known) <= 24:
        for i in known:
            near_edge = sx(across[i]) > canvas.width - 90
            canvas.mark(
                "text",
                "tick end" if near_edge else "tick",
                shorten_label(labels[i], 18),
                x=sx(across[i]) + (-7 if near_edge else 7),
                y=sy(up[i]) - 5,
            )
    return canvas.finish(title, f"{y_label or 'y'} against {x_label or 'x'}, {len(known):,} points.")


def _finite(values: ArrayLike) -> np.ndarray:
    x = np.asarray(values, dtype=np.float64).ravel()
    return x[np.abs(x) < 1e300]  # the width of an axis must be a float too


Columns = tuple[list[float], list[float], list[float] | None, list[float] | None]


def _thinned(line: Line) -> Columns:
    """At most MOST_POINTS of a line: of each stretch the lowest and the highest point stay, so no spike is lost."""
    x, y = np.asarray(line.x, dtype=np.float64), np.asarray(line.y, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise SettingError("bad-shape", f"line {line.name!r}: x is {x.shape}, y is {y.shape}; expected the same [N]")
    kept = np.arange(len(x))
    if len(x) > MOST_POINTS:
        pieces = np.array_split(kept, MOST_POINTS // 2)
        filled = np.where(np.isfinite(y), y, np.nanmedian(y) if np.isfinite(y).any() else 0.0)
        kept = np.unique([i for p in pieces for i in (p[filled[p].argmin()], p[filled[p].argmax()])])
    low = None if line.low is None else np.asarray(line.low, dtype=np.float64)[kept].tolist()
    high = None if line.high is None else np.asarray(line.high, dtype=np.float64)[kept].tolist()
    return x[kept].tolist(), y[kept].tolist(), low, high
