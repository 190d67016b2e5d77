"""`Estimate`: a number with its interval, and how it was got."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Args:
        value: The estimate; NaN where there was nothing to estimate from.
        low: Lower end of the interval.
        high: Upper end of the interval.
        level: Coverage that the interval aims at.
        n: Independent units behind it (prompts, when samples of a prompt are clustered).
        method: How the interval was got (`wilson`, `bootstrap (percentile, 2,000)`, …).
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    level: float = 0.95
    n: int = 0
    method: str = ""

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside the interval; False where there is none."""
        return value < self.low or value > self.high

    def scaled(self, factor: float) -> Estimate:
        """The estimate in another unit; a negative factor swaps the ends."""
        low, high = (self.low, self.high) if factor >= 0 else (self.high, self.low)
        return Estimate(self.value * factor, low * factor, high * factor, self.level, self.n, self.method)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; NaN becomes null, because JSON has none."""
        return {
            "value": _plain(self.value),
            "ci_low": _plain(self.low),
            "ci_high": _plain(self.high),
            "level": self.level,
            "n": self.n,
            "method": self.method,
        }

    def format(self, *, percent: bool = False, digits: int | None = None, signed: bool = False) -> str:
        """`61.3 % [57.2, 65.3]`, `0.412 [0.380, 0.445]`, `–` where there is no value."""
        if math.isnan(self.value):
            return "–"
        places = (1 if percent else 3) if digits is None else digits
        factor, unit = (100.0, " %") if percent else (1.0, "")
        sign = "+" if signed else ""

        def show(number: float) -> str:
            return f"{number * factor:{sign}.{places}f}".replace("-", "−")

        if math.isnan(self.low) or math.isnan(self.high):
            return show(self.value) + unit
        return f"{show(self.value)}{unit} [{show(self.low)}, {show(self.high)}]"

    def __str__(self) -> str:
        return self.format()


def _plain(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
