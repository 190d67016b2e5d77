"""The canvas that plots draw on: scales, ticks, axes, marks. Colours are CSS classes: one picture for both themes."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from zermelo.report.escape import html_text
from zermelo.report.numbers import number, percent

__all__ = ["Canvas", "Scale", "Svg", "fit", "ticks", "write_text"]

CHARACTER = 6.3  # mean width of a character at 12 units
COLOURS = 6  # classes c1 … c6 of page.css


@dataclass(frozen=True)
class Svg:
    """A finished picture.

    Args:
        body: The `<svg>` element; its colours come from the page around it.
        title: Its accessible name.
        description: What it shows, in words, for those who cannot see it.
    """

    body: str
    title: str
    description: str

    def alone(self) -> str:
        """The picture with its own colours, for a file of its own."""
        head, _, rest = self.body.partition(">")
        return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{css("picture")}</style>{rest}'

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture alone, beside and renamed."""
        return write_text(path, self.alone())


@cache
def css(part: Literal["page", "picture"]) -> str:
    """The style sheet, or the part of it that pictures need."""
    text = (files("zermelo.report") / "page.css").read_text(encoding="utf-8")
    if part == "page":
        return text
    kept, inside = [], False
    for line in text.splitlines():
        inside = (inside or "picture:begin" in line) and "picture:end" not in line
        if inside:
            kept.append(line)
    return "\n".join(kept)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a whole file beside its place and rename it, so that no reader ever sees half of it."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    return target


@dataclass(frozen=True)
class Scale:
    """Data → picture units along one axis.

    Args:
        low: Data at the start.
        high: Data at the end.
        start: Picture unit of `low`.
        stop: Picture unit of `high`.
        log: Logarithmic.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (
            (math.log(self.low), math.log(self.high), math.log(value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (self.stop - self.start) * ((at - low) / (high - low))

    def inside(self, value: float) -> bool:
        """Whether the value can be drawn within the axis."""
        slack = 1e-9 * (self.high - self.low)
        return math.isfinite(value) and self.low - slack <= value <= self.high + slack


def ticks(low: float, high: float, *, about: int = 5, log: bool = False) -> list[float]:
    """Round numbers within low…high: steps of 1, 2, 2.5 or 5 · 10^k, or powers of 2 or 10."""
    if log:
        base = 2 if high / low < 2000 else 10
        first, last = math.ceil(math.log(low, base) - 1e-9), math.floor(math.log(high, base) + 1e-9)
        stride = max(1, math.ceil((last - first) / max(about, 1)))
        return [float(base) ** power for power in range(first, last + 1, stride)]
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(step * i, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def fit(
    values: Sequence[float], *, log: bool = False, include: Sequence[float] = (), pad: float = 0.04
) -> tuple[float, float]:
    """Limits of an axis: the finite values and `include`, a little air, never of zero width."""
    # the width of an axis must be a float too
    known = [float(v) for v in [*values, *include] if abs(v) < 1e300 and (not log or v > 0)]
    if not known:
        return (1.0, 2.0) if log else (0.0, 1.0)
    low, high = min(known), max(known)
    if log:
        return (low, high) if high > low else (low / 2, high * 2)
    if high - low <= 1e-9 * max(abs(high), abs(low)):
        air = max(abs(high), abs(low)) * 0.1 or 1.0
        return low - air, high + air
    air = pad * (high - low)
    return low - air, high + air


@dataclass
class Canvas:
    """A picture in the making; `mark` adds an element, `finish` gives the `Svg`.

    Args:
        width: Picture units; text is 12 units high.
        height: Picture units.
        left: Margin.
        right: Margin.
        top: Margin.
        bottom: Margin.
    """

    width: float = 420
    height: float = 270
    left: float = 48
    right: float = 20
    top: float = 12
    bottom: float = 42
    parts: list[str] = field(default_factory=list)

    def x_scale(self, low: float, high: float, *, log: bool = False) -> Scale:
        """Left to right."""
        return Scale(low, high, self.left, self.width - self.right, log)

    def y_scale(self, low: float, high: float, *, log: bool = False) -> Scale:
        """Bottom to top."""
        return Scale(low, high, self.height - self.bottom, self.top, log)

    def mark(self, tag: str, css: str = "", text: str | None = None, **attributes: float | str) -> None:
        """An element; underscores of attribute names become hyphens, numbers get two decimals."""
        shown = [f'class="{css}"'] if css else []
        for key, value in attributes.items():
            plain = _unit(value) if isinstance(value, int | float) else html_text(value)
            shown.append(f'{key.replace("_", "-")}="{plain}"')
        inner = "/>" if text is None else f">{html_text(text, lines=False)}</{tag}>"
        self.parts.append(f"<{tag} {' '.join(shown)}{inner}")

    def path(self, css: str, points: Sequence[tuple[float, float]], *, close: bool = False) -> None:
        """A line through points; where one is not finite the line is broken."""
        pieces, pen = [], "M"
        for x, y in points:
            if math.isfinite(x) and math.isfinite(y):
                pieces.append(f"{pen}{_unit(x)} {_unit(y)}")
                pen = "L"
            else:
                pen = "M"
        if pieces:
            self.mark("path", css, d="".join(pieces) + ("Z" if close else ""))

    def axes(
        self,
        x: Scale,
        y: Scale,
        *,
        x_label: str = "",
        y_label: str = "",
        x_percent: bool = False,
        y_percent: bool = False,
        x_ticks: Sequence[float] | None = None,
    ) -> None:
        """Horizontal grid, ticks and labels of both axes."""
        for value in ticks(y.low, y.high, log=y.log):
            self.mark("line", "grid", x1=x.start, x2=x.stop, y1=y(value), y2=y(value))
            self.mark("text", "tick end", tick_text(value, y_percent), x=x.start - 6, y=y(value) + 4)
        self.x_axis(x, base=y.start, label=x_label, percent=x_percent, at=x_ticks)
        if y_label:
            middle = (y.start + y.stop) / 2
            self.mark("text", "label mid", y_label, x=0, y=0, transform=f"translate(12 {_unit(middle)}) rotate(-90)")

    def x_axis(
        self, x: Scale, *, base: float, label: str = "", percent: bool = False, at: Sequence[float] | None = None
    ) -> None:
        """The lower axis at height `base`."""
        self.mark("line", "axis", x1=x.start, x2=x.stop, y1=base, y2=base)
        for value in at if at is not None else ticks(x.low, x.high, log=x.log):
            self.mark("line", "axis", x1=x(value), x2=x(value), y1=base, y2=base + 4)
            self.mark("text", "tick mid", tick_text(value, percent), x=x(value), y=base + 17)
        if label:
            self.mark("text", "label mid", label, x=(x.start + x.stop) / 2, y=base + 35)

    def legend(self, names: Sequence[str]) -> float:
        """Names with their line marks, above the plot; returns the height it took. Call before scales are made."""
        x, y = self.left, self.top + 4
        for index, name in enumerate(names):
            shown = shorten_label(name, 34)
            width = 24 + CHARACTER * len(shown) + 14
            if x + width > self.width - self.right + 14 and x > self.left:
                x, y = self.left, y + 17
            self.mark("line", f"line {colour(index)}", x1=x, x2=x + 18, y1=y, y2=y)
            self.mark("text", "tick", shown, x=x + 23, y=y + 4)
            x += width
        taken = y + 14 - self.top
        self.top += taken
        return taken

    def finish(self, title: str, description: str) -> Svg:
        """The picture with its accessible name and description."""
        head = (
            f'<svg class="picture" viewBox="0 0 {_unit(self.width)} {_unit(self.height)}" role="img" '
            f'aria-label="{html_text(title, lines=False)}">'
        )
        named = f"<title>{html_text(title, lines=False)}</title><desc>{html_text(description, lines=False)}</desc>"
        return Svg(head + named + "".join(self.parts) + "</svg>", title, description)


def colour(index: int) -> str:
    """CSS classes of the index-th series; after six the dashes change too."""
    return f"c{index % COLOURS + 1}" + (" dashed" if index >= COLOURS else "")


def tick_text(value: float, as_percent: bool) -> str:
    """The label of a tick."""
    if as_percent:
        return percent(value, digits=0 if abs(value * 100 - round(value * 100)) < 1e-6 else 1)
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f"{value:.3g}".replace("-", "−")
    return number(value, digits=_decimals(value))


def shorten_label(text: str, limit: int) -> str:
    """A name that fits; the middle is cut, because both ends tell names apart."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-(limit - 1 - half) :]}"


def _decimals(value: float) -> int:
    return next((digits for digits in range(6) if abs(round(value, digits) - value) < 1e-9), 6)


def _unit(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"
