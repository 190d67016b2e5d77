"""How every result of this room shows itself: plain JSON, and a page of one section."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from zermelo.errors import SettingError
from zermelo.report.page import Page
from zermelo.stats.estimate import Estimate

__all__ = ["Shown", "by_prompt", "check_settings", "one_page", "plain"]


class Shown(Protocol):
    """A result that can add itself to a page."""

    def show(self, page: Page) -> Page: ...


def one_page(result: Shown, title: str) -> str:
    """The result as an HTML page of its own."""
    return result.show(Page(title).section("Result")).html()


def plain(value: Any) -> Any:
    """Estimates, arrays and NumPy numbers as JSON knows them; NaN and infinities become null."""
    if isinstance(value, Estimate):
        return value.to_json()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def check_settings(owner: object) -> None:
    """`level` in (0, 1), `resamples` a positive whole number."""
    level, resamples = getattr(owner, "level", 0.95), getattr(owner, "resamples", 1)
    if not 0 < level < 1:
        raise SettingError("bad-setting", f"{type(owner).__name__}.level must be between 0 and 1. Got {level!r}")
    if not isinstance(resamples, int) or resamples < 1:
        raise SettingError(
            "bad-setting", f"{type(owner).__name__}.resamples must be a whole number ≥ 1. Got {resamples!r}"
        )


def by_prompt(values: Any, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values as [G, N], one row a prompt; [G] means one sample each."""
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2:
        raise SettingError("bad-shape", f"{what} must be [G, N], NaN where there is no sample. Got {table.shape}")
    return table
