"""Over-optimisation made visible: best-of-n by a proxy, and what the truth says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.evaluation.present import by_prompt, check_settings, one_page, plain
from zermelo.report.page import Cell, Figure, Page
from zermelo.report.plots import Line, line_plot
from zermelo.report.svg import Svg
from zermelo.search.selection import best_of_n_kl
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate
from zermelo.stats.subsets import best_of_n_curve

__all__ = ["Overoptimisation", "OveroptimisationResult"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class OveroptimisationResult:
    """Best-of-n by the proxy, on the proxy's own scale and by the truth.

    Args:
        n: Samples to choose from. [C]
        kl: Upper bound of the KL to the policy, nat. [C]
        proxy: Proxy score of the chosen sample. [C]
        gold: True value of the chosen sample. [C]
        oracle: True value had the truth chosen: what n samples hold. [C]
        fall: gold at the largest n − gold at its best n, paired by prompt; below 0: over-optimised.
        n_prompts: Prompts with enough samples for the largest n.
    """

    n: tuple[int, ...]
    kl: Floats
    proxy: tuple[Estimate, ...]
    gold: tuple[Estimate, ...]
    oracle: tuple[Estimate, ...]
    fall: Estimate
    n_prompts: int

    @property
    def best(self) -> int:
        """The n at which the true value is highest."""
        return self.n[int(np.argmax([e.value for e in self.gold]))]

    def table(self) -> list[dict[str, Cell]]:
        """One row for each n."""
        return [
            {"n": n, "KL bound, nat": float(kl), "proxy": p, "true": g, "oracle": o}
            for n, kl, p, g, o in zip(self.n, self.kl, self.proxy, self.gold, self.oracle, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "n": list(self.n),
            "kl": plain(self.kl),
            "proxy": plain(self.proxy),
            "gold": plain(self.gold),
            "oracle": plain(self.oracle),
            "best_n": self.best,
            "fall": plain(self.fall),
            "n_prompts": self.n_prompts,
        }

    def plot(self) -> Svg:
        """True value of the chosen sample against n, below what an oracle would reach."""
        lines = [_line("chosen by the proxy", self.n, self.gold), _line("chosen by the truth", self.n, self.oracle)]
        return line_plot(lines, title="Best of n: true value", x_label="n", y_label="true value", log_x=True)

    def plots(self) -> tuple[Svg, Svg]:
        """Proxy and truth against the KL bound, and the true value against n."""
        if len(self.n) < 2:
            return self.plot(), self.plot()
        lines = [_standard("proxy", self.kl, self.proxy), _standard("truth", self.kl, self.gold)]
        together = line_plot(
            lines,
            title="Proxy and truth, each from 0 at n = 1",
            x_label="KL bound, nat",
            y_label="share of the best rise",
        )
        return self.plot(), together

    def show(self, page: Page) -> Page:
        """Tiles, pictures and table on a page."""
        page.figures(
            [
                Figure("true value at n = 1", self.gold[0]),
                Figure(f"at n = {self.n[-1]}", self.gold[-1]),
                Figure("best n", self.best),
                Figure(
                    "fall from the best n",
                    self.fall,
                    signed=True,
                    tone="bad" if self.fall.high < 0 else "plain",
                    note="below 0: over-optimised",
                ),
            ]
        )
        return page.plot(*self.plots()).table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Best of n and over-optimisation")


@dataclass(frozen=True)
class Overoptimisation:
    """Best-of-n curves of proxy and truth by the unbiased estimator over all subsets of n of N samples.

    The same prompts stand behind every n (those with at least max(n) samples), so the curve has no steps from a
    change of prompts. Intervals are bootstraps over prompts; subsets of one prompt are no independent data.

    Args:
        n: Sizes; those above the samples at hand are left out.
        level: Coverage.
        resamples: Of the bootstrap.
        seed: Of the resamples.
    Source: Gao et al., "Scaling Laws for Reward Model Overoptimization", 2022, arXiv 2210.10760.
    """

    n: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.n or min(self.n) < 1:
            raise SettingError("bad-setting", f"Overoptimisation.n must be sizes of at least 1. Got {self.n!r}")

    def measure(self, proxy: ArrayLike, gold: ArrayLike) -> OveroptimisationResult:
        """The curves.

        Args:
            proxy: Score that chooses, NaN = no sample. [G, N]
            gold: True value of the same samples. [G, N]
        Raises:
            SettingError: shapes differ, or no prompt has a sample with both.
        """
        p, g = by_prompt(proxy, "proxy"), by_prompt(gold, "gold")
        if p.shape != g.shape:
            raise SettingError("bad-shape", f"proxy is {p.shape}, gold is {g.shape}; expected the same [G, N]")
        counts = (~np.isnan(p) & ~np.isnan(g)).sum(axis=1)
        if not counts.any():
            raise SettingError("nothing-to-measure", "best of n: no sample has both proxy and true value")
        # the largest size that at least half of the prompts can fill; a few long prompts must not decide alone
        reach = int(np.median(counts[counts > 0]))
        sizes = sorted({int(size) for size in self.n if size <= reach})
        if not sizes:
            raise SettingError(
                "bad-setting", f"the samples at hand ({reach} a prompt) are fewer than every n: {self.n}"
            )
        rows = counts >= sizes[-1]
        p, g = p[rows], g[rows]
        p, g = np.where(np.isnan(g), np.nan, p), np.where(np.isnan(p), np.nan, g)
        gold_curve = best_of_n_curve(p, g, sizes)
        best = int(gold_curve.mean(axis=0).argmax())
        columns = np.concatenate(
            [
                best_of_n_curve(p, p, sizes),
                gold_curve,
                best_of_n_curve(g, g, sizes),
                gold_curve[:, -1:] - gold_curve[:, best : best + 1],
            ],
            axis=1,
        )
        boot = bootstrap_mean(columns, level=self.level, resamples=self.resamples, seed=self.seed)
        found = [boot.estimate(i) for i in range(columns.shape[1])]
        size = len(sizes)
        return OveroptimisationResult(
            tuple(sizes),
            best_of_n_kl(sizes),
            tuple(found[:size]),
            tuple(found[size : 2 * size]),
            tuple(found[2 * size : 3 * size]),
            found[-1],
            int(rows.sum()),
        )


def _line(name: str, x: Sequence[float] | Floats, estimates: Sequence[Estimate]) -> Line:
    return Line(name, x, [e.value for e in estimates], [e.low for e in estimates], [e.high for e in estimates])


def _standard(name: str, x: Floats, estimates: Sequence[Estimate]) -> Line:
    """The curve moved to 0 at n = 1 and divided by its largest rise, so that two scales fit one picture."""
    value = np.array([e.value for e in estimates])
    rise = float(np.max(np.abs(value - value[0]))) or 1.0
    low, high = np.array([e.low for e in estimates]), np.array([e.high for e in estimates])
    return Line(name, x, (value - value[0]) / rise, (low - value[0]) / rise, (high - value[0]) / rise)
