"""How far has the policy moved? KL to a reference from the log-probabilities of the policy's own samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Figure, Page
from zermelo.report.plots import histogram
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["Divergence", "DivergenceResult"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class DivergenceResult:
    """KL(π ‖ π_ref) per answer, nat.

    Args:
        k1: Mean log-ratio: unbiased, noisy, may be negative.
        k2: Half the mean square of the log-ratio: biased, always positive.
        k3: Mean of e^{−r} − 1 + r: unbiased and never negative.
        per_token: k1 per token: Σ log-ratio / Σ tokens.
        exact: From the full distributions at each token, where they were given.
        log_ratios: Of each answer, nat. [N]
        lengths: Tokens of each answer. [N]
        level: `token` or `sequence`: what k2 and k3 were taken over.
    """

    k1: Estimate
    k2: Estimate
    k3: Estimate
    per_token: Estimate
    exact: Estimate | None
    log_ratios: Floats
    lengths: NDArray[np.int64]
    level: Literal["token", "sequence"]

    @property
    def kl(self) -> Estimate:
        """The best there is: exact, else k3 over tokens, else k1."""
        return self.exact if self.exact is not None else self.k3 if self.level == "token" else self.k1

    def table(self) -> list[dict[str, Cell]]:
        """One row for each estimator."""
        rows: list[dict[str, Cell]] = [
            {"estimator": "k1", "nat per answer": self.k1},
            {"estimator": "k2", "nat per answer": self.k2},
            {"estimator": "k3", "nat per answer": self.k3},
        ]
        return rows if self.exact is None else [*rows, {"estimator": "exact", "nat per answer": self.exact}]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "kl": plain(self.kl.value),
            "k1": plain(self.k1),
            "k2": plain(self.k2),
            "k3": plain(self.k3),
            "per_token": plain(self.per_token),
            "exact": plain(self.exact),
            "n_answers": len(self.log_ratios),
            "mean_tokens": plain(float(self.lengths.mean())),
            "level": self.level,
        }

    def plot(self) -> Svg:
        """Distribution of the log-ratio over answers."""
        return histogram({"answers": self.log_ratios}, title="Log-ratio to the reference", x_label="nat per answer")

    def show(self, page: Page) -> Page:
        """Tiles, picture and table on a page."""
        page.figures(
            [
                Figure("KL to the reference", self.kl, note="nat per answer"),
                Figure("per token", self.per_token, note="nat"),
            ]
        )
        return page.plot(self.plot()).table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Divergence from the reference")


@dataclass(frozen=True)
class Divergence:
    """KL(π ‖ π_ref) = E_{y∼π} Σ_t [log π(y_t) − log π_ref(y_t)] from samples of π.

        r_t = log π(y_t) − log π_ref(y_t);   k1 = r,  k2 = r²/2,  k3 = e^{−r} − 1 + r

    `over="token"` (default) sums k over the tokens of an answer: by the chain rule k1 and k3 stay unbiased for the
    KL of whole answers, and e^{−r} of one token has a small variance. `over="sequence"` takes k of the summed
    log-ratio, as often written; its k3 is dominated by rare answers and can overflow. Samples must come from π itself
    at temperature 1; otherwise no estimator is right.

    Args:
        over: `token` or `sequence`.
        level: Coverage.
        resamples: Of the bootstrap over prompts.
        seed: Of the resamples.
    Source: Schulman, "Approximating KL Divergence", 2020 (joschu.net/blog/kl-approx.html).
    """

    over: Literal["token", "sequence"] = "token"
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)
        if self.over not in ("token", "sequence"):
            raise SettingError("bad-setting", f"Divergence.over must be 'token' or 'sequence'. Got {self.over!r}")

    def measure(
        self,
        logps: Sequence[ArrayLike],
        ref_logps: Sequence[ArrayLike],
        *,
        prompt: ArrayLike | None = None,
        exact: Sequence[ArrayLike] | None = None,
    ) -> DivergenceResult:
        """KL from per-token log-probabilities.

        Args:
            logps: log π of the tokens of each answer, nat, the end token included. [N][tokens]
            ref_logps: log π_ref of the same tokens. [N][tokens]
            prompt: Prompt of each answer; default: each its own. [N]
            exact: KL of the full distributions at each token, nat. [N][tokens]
        Raises:
            SettingError: no answers, or lengths differ.
        """
        if not len(logps) or len(logps) != len(ref_logps):
            raise SettingError(
                "bad-shape", f"{len(logps)} answers and {len(ref_logps)} of the reference; expected as many"
            )
        ratios = [_ratio(own, other, i) for i, (own, other) in enumerate(zip(logps, ref_logps, strict=True))]
        total = np.array([float(r.sum()) for r in ratios])
        lengths = np.array([len(r) for r in ratios], dtype=np.int64)
        parts = ratios if self.over == "token" else [np.array([t]) for t in total]
        # e^700 is the end of floats; an answer that far off has no finite k3 anyway
        k3 = np.array([float((np.expm1(np.minimum(-r, 700.0)) + r).sum()) for r in parts])
        k2 = np.array([float((r**2).sum()) / 2 for r in parts])
        columns = [total, k2, k3]
        if exact is not None:
            if len(exact) != len(total):
                raise SettingError("bad-shape", f"{len(total)} answers and {len(exact)} exact KLs; expected as many")
            columns.append(np.array([float(np.sum(np.asarray(kl, dtype=np.float64))) for kl in exact]))
        settings: dict[str, Any] = {"level": self.level, "resamples": self.resamples, "seed": self.seed}
        boot = bootstrap_mean(np.stack(columns, axis=1), cluster=prompt, **settings)
        token = bootstrap_mean(total / np.maximum(lengths, 1), weight=lengths, cluster=prompt, **settings)
        return DivergenceResult(
            boot.estimate(0),
            boot.estimate(1),
            boot.estimate(2),
            token.estimate(),
            boot.estimate(3) if exact is not None else None,
            total,
            lengths,
            self.over,
        )


def _ratio(own: ArrayLike, other: ArrayLike, index: int) -> Floats:
    a, b = np.asarray(own, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise SettingError("bad-shape", f"answer {index}: {a.shape} log-probabilities, reference {b.shape}")
    return a - b
