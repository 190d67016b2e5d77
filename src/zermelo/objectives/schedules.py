"""Schedules: any number of an objective may be one. Progress in [0, 1] → value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from zermelo.errors import SettingError

__all__ = ["SCHEDULES", "Cosine", "Exponential", "Linear", "Steps"]


@dataclass(frozen=True)
class Linear:
    """start + (end − start)·progress, reached at `until` and held from there on."""

    start: float
    end: float
    until: float = 1.0

    def __call__(self, progress: float) -> float:
        return self.start + (self.end - self.start) * min(1.0, progress / self.until)


@dataclass(frozen=True)
class Cosine:
    """end + (start − end)·(1 + cos(π·progress))/2."""

    start: float
    end: float

    def __call__(self, progress: float) -> float:
        return self.end + (self.start - self.end) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


@dataclass(frozen=True)
class Exponential:
    """start·(end/start)^progress; both of one sign, none zero."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if self.start * self.end <= 0:
            raise SettingError("bad-setting", f"Exponential: two numbers of one sign. Got {self.start}, {self.end}")

    def __call__(self, progress: float) -> float:
        return self.start * (self.end / self.start) ** min(1.0, progress)


@dataclass(frozen=True)
class Steps:
    """values[i] from progress at[i−1] on: `Steps(at=(0.5,), values=(0.1, 0.01))`."""

    at: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", tuple(self.at))
        object.__setattr__(self, "values", tuple(self.values))
        if len(self.values) != len(self.at) + 1 or list(self.at) != sorted(self.at):
            raise SettingError("bad-setting", "Steps needs ascending places and one value more than places")

    def __call__(self, progress: float) -> float:
        return self.values[sum(progress >= place for place in self.at)]


SCHEDULES: dict[str, Callable[..., Callable[[float], float]]] = {
    "linear": Linear,
    "cosine": Cosine,
    "exponential": Exponential,
    "steps": Steps,
}
