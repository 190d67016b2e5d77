"""pass@k: the chance that at least one of k samples is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from zermelo.errors import SettingError
from zermelo.evaluation.present import by_prompt, check_settings, one_page, plain
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import Line, line_plot
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate
from zermelo.stats.subsets import pass_at_k

__all__ = ["PassAtK", "PassAtKResult"]


@dataclass(frozen=True)
class PassAtKResult:
    """pass@k for several k.

    Args:
        k: Samples that may be tried. [C]
        share: pass@k, mean over prompts. [C]
        n_prompts: Prompts with at least max(k) samples.
        n_samples: Samples of these.
    """

    k: tuple[int, ...]
    share: tuple[Estimate, ...]
    n_prompts: int
    n_samples: int

    def table(self) -> list[dict[str, Cell]]:
        """One row for each k."""
        return [{"k": k, "pass@k": share} for k, share in zip(self.k, self.share, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "k": list(self.k),
            "pass_at_k": plain(self.share),
            "n_prompts": self.n_prompts,
            "n_samples": self.n_samples,
        }

    def plot(self) -> Svg:
        """pass@k against k."""
        line = Line("", self.k, *([getattr(e, part) for e in self.share] for part in ("value", "low", "high")))
        return line_plot([line], title="pass@k", x_label="k", y_label="share solved", log_x=True, y_percent=True)

    def show(self, page: Page) -> Page:
        """Tiles, picture and table on a page."""
        page.figures([Figure(f"pass@{k}", share, percent=True) for k, share in zip(self.k, self.share, strict=True)])
        return page.plot(self.plot()).table(self.table(), ["k", Column("pass@k", percent=True)])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "pass@k")


@dataclass(frozen=True)
class PassAtK:
    """Unbiased pass@k = mean over prompts of 1 − C(N−c, k)/C(N, k), with a bootstrap interval over prompts.

    Args:
        k: Sizes; those above the samples at hand are left out.
        level: Coverage.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    Source: Chen et al., "Evaluating Large Language Models Trained on Code", 2021, arXiv 2107.03374.
    """

    k: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.k or min(self.k) < 1:
            raise SettingError("bad-setting", f"PassAtK.k must be sizes of at least 1. Got {self.k!r}")

    def measure(self, correct: ArrayLike) -> PassAtKResult:
        """pass@k of one system.

        Args:
            correct: 1 right, 0 wrong, NaN = no sample. [G, N]
        Raises:
            SettingError: nothing to measure, or values other than 0 and 1.
        """
        table = by_prompt(correct, "correct")
        known = ~np.isnan(table)
        if not np.isin(table[known], (0, 1)).all():
            raise SettingError("bad-setting", "pass@k takes outcomes 0 and 1")
        total, right = known.sum(axis=1), np.nansum(table, axis=1).astype(np.int64)
        if not total.any():
            raise SettingError("nothing-to-measure", "pass@k: there is no outcome")
        # the same prompts stand behind every k: those that fill the largest size which half of them can
        reach = int(np.median(total[total > 0]))
        sizes = sorted({int(k) for k in self.k if k <= reach})
        if not sizes:
            raise SettingError(
                "bad-setting", f"the samples at hand ({reach} a prompt) are fewer than every k: {self.k}"
            )
        rows = total >= sizes[-1]
        share = pass_at_k(total[rows][:, None], right[rows][:, None], np.array(sizes)[None, :])
        boot = bootstrap_mean(share, level=self.level, resamples=self.resamples, seed=self.seed)
        found = tuple(boot.estimate(i) for i in range(len(sizes)))
        return PassAtKResult(tuple(sizes), found, int(rows.sum()), int(total[rows].sum()))
