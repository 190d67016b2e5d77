"""Is a judge led by what should not matter? The same questions with and without a cue, and in both orders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Page
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["CueBias", "CueBiasResult", "PositionBias", "PositionBiasResult", "read_choice"]

Floats = NDArray[np.float64]


def read_choice(text: str, options: Sequence[str] = ("A", "B")) -> str | None:
    """The option that a judge's text names: after "answer is", "verdict:" or "choose", else one that stands alone.

    The last such phrase counts, because judges that think aloud end with their verdict. Standing alone, exactly one of
    the options must; otherwise None: an unparsed verdict is left out and counted, never guessed.
    """
    any_of = "|".join(re.escape(option) for option in options)
    said = re.findall(
        rf"(?:answer|verdict|choice|choose|winner|better)\b(?: (?:is|would be))?\s*:?\s*(?:option|answer|response)?\s*"
        rf"[\[(*\"']*({any_of})\b",
        text,
        re.IGNORECASE,
    )
    known = {option.lower(): option for option in options}
    if said:
        return known[said[-1].lower()]
    alone = set(re.findall(rf"(?<![\w'’])({any_of})(?![\w'’])", text))
    return alone.pop() if len(alone) == 1 else None


@dataclass(frozen=True)
class CueBiasResult:
    """What a cue does to a judge's verdicts. Shares of the items with both verdicts.

    Args:
        plain: Accuracy without the cue.
        cued: Accuracy with it.
        change: cued − plain = helpful − harmful.
        robust: Share of items whose verdict did not change.
        harmful: Right without, wrong with the cue.
        helpful: Wrong without, right with it.
        neutral: From one wrong option to another.
        pull: Share that chose the option the cue points at, with the cue minus without.
        harm: P(wrong with the cue | right without): what the change hides where the judge was wrong anyway.
        unrest: Share that changed between two askings without a cue; NaN where it was asked once. A judge sampled at a
            temperature changes its mind without any cue.
        n: Items.
        left_out: Items with an unparsed verdict.
    """

    plain: Estimate
    cued: Estimate
    change: Estimate
    robust: Estimate
    harmful: Estimate
    helpful: Estimate
    neutral: Estimate
    pull: Estimate
    harm: Estimate
    unrest: Estimate
    n: int
    left_out: int

    def table(self) -> list[dict[str, Cell]]:
        """One row a figure."""
        return [{"figure": name, "share": getattr(self, name)} for name in FIGURES]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {name: plain(getattr(self, name)) for name in FIGURES} | {"n": self.n, "left_out": self.left_out}

    def show(self, page: Page) -> Page:
        """The table on a page."""
        return page.table(self.table(), ["figure", Column("share", percent=True)])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "What a cue does to the judge")


FIGURES = ("plain", "cued", "change", "robust", "harmful", "helpful", "neutral", "pull", "harm", "unrest")


@dataclass(frozen=True)
class CueBias:
    """A judge's verdicts on the same items without and with a cue.

    Cues are, for instance, bandwagon ("90 % of people believe …"), authority (a citation beside an option), distraction
    (an irrelevant sentence about it) and superficial reflection ("wait, let me think"): the item, the order of options
    and everything else stay as they were.

    Args:
        level: Coverage.
        resamples: Of the bootstrap over items.
        seed: Of the resamples.
    Source: "Assessing Judging Bias in Large Reasoning Models: An Empirical Study", 2025, arXiv 2504.09946.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(
        self,
        plain: ArrayLike,
        cued: ArrayLike,
        right: ArrayLike,
        points_at: ArrayLike,
        *,
        again: ArrayLike | None = None,
        cluster: ArrayLike | None = None,
    ) -> CueBiasResult:
        """Compare verdicts.

        Args:
            plain: Option chosen without the cue, any number as its code; NaN = unparsed. [N]
            cued: Option chosen with the cue. [N]
            right: The right option. [N]
            points_at: The option that the cue points at. [N]
            again: A second asking without the cue. [N]
            cluster: Independent unit of each item. [N]
        Raises:
            DataError: different numbers.
            SettingError: no item has both verdicts.
        """
        columns = [np.asarray(c, dtype=np.float64) for c in (plain, cued, right, points_at)]
        columns.append(columns[0] if again is None else np.asarray(again, dtype=np.float64))
        if len({c.shape for c in columns}) != 1 or columns[0].ndim != 1:
            raise DataError("bad-shape", f"verdicts and keys differ in number: {[c.shape for c in columns]}")
        known = ~np.isnan(np.stack(columns[:4])).any(axis=0)
        if not known.any():
            raise SettingError("nothing-to-measure", "judge bias: no item has a verdict with and without the cue")
        before, after, key, target, second = (c[known] for c in columns)
        was, now = before == key, after == key
        moved = before != after
        harm = np.where(was, (~now).astype(float), np.nan)
        unrest = (
            np.where(np.isnan(second), np.nan, second != before) if again is not None else np.full(len(was), np.nan)
        )
        columns = [was, now, now * 1.0 - was, ~moved, was & ~now, ~was & now, moved & ~was & ~now]
        columns += [(after == target) * 1.0 - (before == target), harm, unrest]
        boot = bootstrap_mean(
            np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1),
            cluster=None if cluster is None else np.asarray(cluster)[known],
            level=self.level,
            resamples=self.resamples,
            seed=self.seed,
        )
        found = dict(zip(FIGURES, (boot.estimate(i) for i in range(len(FIGURES))), strict=True))
        return CueBiasResult(**found, n=int(known.sum()), left_out=int((~known).sum()))


@dataclass(frozen=True)
class PositionBiasResult:
    """What the order of two answers does to a judge's verdicts. Shares of the items.

    Args:
        flips: Share of items whose winner changes with the order.
        first: P(the answer shown first wins) − ½, over both orders; above 0 the judge likes what it reads first.
        accuracy: Mean over both orders; NaN without a key.
        both_right: Right in both orders; NaN without a key.
        by_place: Accuracy where the better answer stood first minus where it stood last; NaN without a key.
        n: Items.
        left_out: Items with an unparsed verdict.
    """

    flips: Estimate
    first: Estimate
    accuracy: Estimate
    both_right: Estimate
    by_place: Estimate
    n: int
    left_out: int

    def table(self) -> list[dict[str, Cell]]:
        """One row a figure."""
        return [{"figure": name.replace("_", " "), "share": getattr(self, name)} for name in PLACES]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {name: plain(getattr(self, name)) for name in PLACES} | {"n": self.n, "left_out": self.left_out}

    def show(self, page: Page) -> Page:
        """The table on a page."""
        return page.table(self.table(), ["figure", Column("share", percent=True)])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "What the order does to the judge")


PLACES = ("flips", "first", "accuracy", "both_right", "by_place")


@dataclass(frozen=True)
class PositionBias:
    """A judge's verdicts on the same two answers in both orders.

    Args:
        level: Coverage.
        resamples: Of the bootstrap over items.
        seed: Of the resamples.
    Source: "Assessing Judging Bias in Large Reasoning Models: An Empirical Study", 2025, arXiv 2504.09946.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(
        self,
        a_first: ArrayLike,
        b_first: ArrayLike,
        *,
        right: ArrayLike | None = None,
        cluster: ArrayLike | None = None,
    ) -> PositionBiasResult:
        """Compare verdicts.

        Args:
            a_first: P(a ≻ b) when a was shown first: 1, 0, ½ for a tie; NaN = unparsed. [N]
            b_first: P(a ≻ b) when b was shown first. [N]
            right: 1 where a is the better answer, 0 where b is. [N]
            cluster: Independent unit of each item. [N]
        Raises:
            DataError: different numbers, or a verdict outside [0, 1].
            SettingError: no item has both verdicts.
        """
        columns = [np.asarray(c, dtype=np.float64) for c in (a_first, b_first)]
        columns.append(np.full(columns[0].shape, np.nan) if right is None else np.asarray(right, dtype=np.float64))
        if len({c.shape for c in columns}) != 1 or columns[0].ndim != 1:
            raise DataError("bad-shape", f"verdicts and keys differ in number: {[c.shape for c in columns]}")
        if any(((c < 0) | (c > 1)).any() for c in columns):
            raise DataError("off-scale", "a verdict is P(a ≻ b): 1, 0, ½ for a tie, or a probability")
        known = ~(np.isnan(columns[0]) | np.isnan(columns[1]))
        if not known.any():
            raise SettingError("nothing-to-measure", "judge bias: no item has a verdict in both orders")
        one, two, key = (c[known] for c in columns)
        good_one, good_two = np.where(key == 1, one, 1 - one), np.where(key == 1, two, 1 - two)
        nothing = np.isnan(key)
        good_one[nothing], good_two[nothing] = np.nan, np.nan
        shares = [
            np.sign(one - 0.5) != np.sign(two - 0.5),
            (one + 1 - two) / 2 - 0.5,
            (good_one + good_two) / 2,
            np.where(nothing, np.nan, (good_one > 0.5) & (good_two > 0.5)),
            np.where(key == 1, good_one - good_two, good_two - good_one),
        ]
        boot = bootstrap_mean(
            np.stack([np.asarray(c, dtype=np.float64) for c in shares], axis=1),
            cluster=None if cluster is None else np.asarray(cluster)[known],
            level=self.level,
            resamples=self.resamples,
            seed=self.seed,
        )
        found = dict(zip(PLACES, (boot.estimate(i) for i in range(len(PLACES))), strict=True))
        return PositionBiasResult(**found, n=int(known.sum()), left_out=int((~known).sum()))
