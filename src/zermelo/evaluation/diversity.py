"""How different are the samples of one prompt? Sharpening a policy is often paid for here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zermelo.errors import SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Figure, Page
from zermelo.report.plots import interval_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.diversity import distinct_n, jaccard_diversity, self_bleu, unique_share
from zermelo.stats.estimate import Estimate

__all__ = ["Diversity", "DiversityResult"]


@dataclass(frozen=True)
class DiversityResult:
    """Diversity among the samples of a prompt, mean over prompts.

    Args:
        unique: Different texts / texts.
        distinct_1: Different words / words.
        distinct_2: Different word pairs / word pairs.
        jaccard: Mean distance of the word sets of two samples.
        self_bleu: BLEU of each sample against the others; *low* is diverse.
        n_prompts: Prompts with at least two samples.
    """

    unique: Estimate
    distinct_1: Estimate
    distinct_2: Estimate
    jaccard: Estimate
    self_bleu: Estimate
    n_prompts: int

    def table(self) -> list[dict[str, Cell]]:
        """One row for each measure."""
        return [
            {"measure": "unique texts", "mean over prompts": self.unique},
            {"measure": "distinct-1", "mean over prompts": self.distinct_1},
            {"measure": "distinct-2", "mean over prompts": self.distinct_2},
            {"measure": "word-set distance", "mean over prompts": self.jaccard},
            {"measure": "self-BLEU (low is diverse)", "mean over prompts": self.self_bleu},
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        names = ("unique", "distinct_1", "distinct_2", "jaccard", "self_bleu")
        return {**{name: plain(getattr(self, name)) for name in names}, "n_prompts": self.n_prompts}

    def plot(self) -> Svg:
        """All measures with their intervals."""
        rows = [(str(row["measure"]), row["mean over prompts"]) for row in self.table()]
        return interval_plot(rows, title="Diversity of the samples", x_range=(0.0, 1.0))  # type: ignore[arg-type]

    def show(self, page: Page) -> Page:
        """Tiles, picture and table on a page."""
        page.figures([Figure("unique texts", self.unique, percent=True), Figure("self-BLEU", self.self_bleu)])
        return page.plot(self.plot()).table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Diversity")


@dataclass(frozen=True)
class Diversity:
    """Diversity among the samples of each prompt, with bootstrap intervals over prompts.

    Args:
        most: At most so many samples of a prompt enter (the first ones): the measures depend on their number, so
            systems are compared at equal numbers.
        level: Coverage.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    """

    most: int = 8
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        if self.most < 2:
            raise SettingError("bad-setting", f"Diversity.most must be at least 2. Got {self.most!r}")

    def measure(self, texts: Sequence[Sequence[str]]) -> DiversityResult:
        """Diversity of one system.

        Args:
            texts: Samples of each prompt. [G][N]
        Raises:
            SettingError: no prompt has two samples.
        """
        rows = [of_texts(list(samples)[: self.most]) for samples in texts if len(samples) >= 2]
        return self.measure_rows(np.array(rows).reshape(len(rows), 5))

    def measure_rows(self, rows: np.ndarray[Any, np.dtype[np.float64]]) -> DiversityResult:
        """The same from `of_texts` of each prompt, for data that is read as a stream. [G, 5]"""
        if not len(rows):
            raise SettingError("nothing-to-measure", "diversity: no prompt has two samples")
        boot = bootstrap_mean(rows, level=self.level, resamples=self.resamples, seed=self.seed)
        a, b, c, d, e = (boot.estimate(i) for i in range(5))
        return DiversityResult(a, b, c, d, e, len(rows))


def of_texts(texts: Sequence[str]) -> tuple[float, float, float, float, float]:
    """unique, distinct-1, distinct-2, Jaccard distance and self-BLEU of the samples of one prompt."""
    return (
        unique_share(texts),
        distinct_n(texts, n=1),
        distinct_n(texts, n=2),
        jaccard_diversity(texts),
        self_bleu(texts),
    )
