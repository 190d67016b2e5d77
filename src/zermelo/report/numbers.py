"""Numbers as people read them: a real minus, thousands apart, as many digits as mean something."""

from __future__ import annotations

import math

__all__ = ["number", "percent", "seconds"]


def number(value: float | int | None, *, digits: int | None = None, signed: bool = False) -> str:
    """`1,234`, `0.412`, `−3.20e−6`, `–` for nothing.

    Args:
        value: None or NaN prints as `–`.
        digits: Decimals; by default 3 significant ones for small numbers, none for whole ones.
        signed: With a plus.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    sign = "+" if signed else ""
    if digits is not None:
        text = f"{value:{sign},.{digits}f}"
    elif value == int(value) and abs(value) < 1e15:
        text = f"{int(value):{sign},}"
    elif abs(value) < 1e-3 or abs(value) >= 1e15:
        text = f"{value:{sign}.2e}"
    elif abs(value) < 10:
        text = f"{value:{sign}.3f}"
    else:
        text = f"{value:{sign},.{1 if abs(value) < 1000 else 0}f}"
    return text.replace("-", "−")


def percent(share: float | None, *, digits: int = 1, signed: bool = False) -> str:
    """A fraction as `61.3 %`."""
    if share is None or math.isnan(share):
        return "–"
    return number(100 * share, digits=digits, signed=signed) + " %"


def seconds(value: float | None) -> str:
    """`41 ms`, `3.2 s`, `4 min 05 s`, `2 h 03 min`."""
    if value is None or math.isnan(value):
        return "–"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
