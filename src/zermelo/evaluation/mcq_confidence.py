"""Does reasoning make a model surer of its choice, and with what right? Option probabilities without and with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Page
from zermelo.report.plots import histogram
from zermelo.report.svg import Svg
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.calibration import calibration_error
from zermelo.stats.estimate import Estimate

__all__ = ["ReasoningConfidence", "ReasoningConfidenceResult"]

Floats = NDArray[np.float64]
FIGURES = (
    "accuracy_direct",
    "accuracy_reasoned",
    "confidence_direct",
    "confidence_reasoned",
    "over_direct",
    "over_reasoned",
    "rise",
    "rise_right",
    "rise_wrong",
)


@dataclass(frozen=True)
class ReasoningConfidenceResult:
    """Confidence in multiple choice, direct and after reasoning.

    Args:
        figures: Name → estimate: `accuracy_…`, `confidence_…` (mean probability of the chosen option), `over_…`
            (confidence − accuracy), `rise` (confidence reasoned − direct), `rise_right` and `rise_wrong` (the same for
            questions whose reasoned answer is right, wrong; NaN where there is none).
        error_direct: Expected calibration error of the direct confidence.
        error_reasoned: The same after reasoning.
        switches: How many questions went `right→right`, `right→wrong`, `wrong→right`, `wrong→wrong` (same wrong
            option), `wrong→other wrong`, and their mean rise.
        confidence: Direct and reasoned, each question. [N, 2]
        right: Of the direct and the reasoned answer. [N, 2]
        n: Questions.
    """

    figures: dict[str, Estimate]
    error_direct: Estimate
    error_reasoned: Estimate
    switches: dict[str, tuple[int, float]]
    confidence: Floats
    right: NDArray[np.bool_]
    n: int

    def table(self) -> list[dict[str, Cell]]:
        """One row a figure."""
        rows: list[dict[str, Cell]] = [
            {"figure": name.replace("_", " "), "value": value} for name, value in self.figures.items()
        ]
        rows.append({"figure": "calibration error direct", "value": self.error_direct})
        return [*rows, {"figure": "calibration error reasoned", "value": self.error_reasoned}]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            **{name: plain(value) for name, value in self.figures.items()},
            "error_direct": plain(self.error_direct),
            "error_reasoned": plain(self.error_reasoned),
            "switches": {name: {"n": n, "rise": plain(rise)} for name, (n, rise) in self.switches.items()},
            "n": self.n,
        }

    def plot(self) -> Svg:
        """Confidence in wrong answers, direct and reasoned."""
        wrong = {
            name: self.confidence[~self.right[:, side], side] for side, name in enumerate(("direct", "after reasoning"))
        }
        return histogram(wrong, title="Confidence in wrong answers", percent_x=True)

    def show(self, page: Page) -> Page:
        """Picture and table on a page."""
        if not self.right.all():
            page.plot(self.plot())
        rows: list[dict[str, Cell]] = [
            {"switch": name, "questions": n, "mean rise": rise} for name, (n, rise) in self.switches.items()
        ]
        return page.table(self.table()).table(rows)

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Reasoning and confidence")


@dataclass(frozen=True)
class ReasoningConfidence:
    """Option probabilities read at the same cue, once directly and once after free reasoning.

        confidence = max_k p_k,   rise = confidence(reasoned) − confidence(direct)

    A rise needs no knowledge gained: where direct answers average over reasonings, P(a | q) = E_r P(a | q, r), the mean
    of the maxima is at least the maximum of the mean (Jensen); with one reasoning a question, on average only.

    Args:
        bins: Of the calibration errors, of equal mass.
        level: Coverage.
        resamples: Of the bootstrap over questions.
        seed: Of the resamples.
    Source: "Multiple Choice Questions: Reasoning Makes LLMs More Self-Confident Even When They Are Wrong", 2025,
        arXiv 2501.09775.
    """

    bins: int = 10
    level: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(
        self, direct: ArrayLike, reasoned: ArrayLike, right: ArrayLike, *, topic: ArrayLike | None = None
    ) -> ReasoningConfidenceResult:
        """Compare.

        Args:
            direct: Probabilities of the options, renormalised (`option_probabilities`). [N, K]
            reasoned: After one reasoning [N, K], or after each of R [N, R, K]: then confidence is averaged over them,
                and the answer is the option with the greatest mean probability.
            right: Index of the right option. [N]
            topic: Independent unit of each question. [N]
        Raises:
            DataError: shapes do not match, probabilities that do not sum to 1, an index that is no option.
            SettingError: no question.
        """
        p, q, key = np.asarray(direct, dtype=np.float64), np.asarray(reasoned, dtype=np.float64), np.asarray(right)
        q = q[:, None, :] if q.ndim == 2 else q
        if p.ndim != 2 or q.ndim != 3 or q.shape[::2] != p.shape or key.shape != p.shape[:1]:
            raise DataError(
                "bad-shape", f"expected [N, K], [N, K] or [N, R, K], [N]. Got {p.shape}, {q.shape}, {key.shape}"
            )
        if not len(p):
            raise SettingError("nothing-to-measure", "reasoning and confidence: there is no question")
        for table in (p, q):
            if not ((table >= 0).all() and np.allclose(table.sum(axis=-1), 1, atol=1e-6)):
                raise DataError("off-scale", "probabilities of options must be ≥ 0 and sum to 1", hint=HINT)
        if not ((key >= 0) & (key < p.shape[1])).all():
            raise DataError("off-scale", f"the right option is an index from 0 to {p.shape[1] - 1}")
        chosen = np.stack([p.argmax(axis=1), q.mean(axis=1).argmax(axis=1)], axis=1)
        sure = np.stack([p.max(axis=1), q.max(axis=2).mean(axis=1)], axis=1)
        hit = chosen == key[:, None]
        rise = sure[:, 1] - sure[:, 0]
        columns = [hit[:, 0], hit[:, 1], sure[:, 0], sure[:, 1], sure[:, 0] - hit[:, 0], sure[:, 1] - hit[:, 1], rise]
        columns += [np.where(hit[:, 1], rise, np.nan), np.where(hit[:, 1], np.nan, rise)]
        how: dict[str, Any] = {"cluster": topic, "level": self.level, "resamples": self.resamples, "seed": self.seed}
        boot = bootstrap_mean(np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1), **how)
        error_direct, error_reasoned = (
            calibration_error(sure[:, side], hit[:, side].astype(np.float64), bins=self.bins, binning="mass", **how)
            for side in (0, 1)
        )
        figures = {name: boot.estimate(i) for i, name in enumerate(FIGURES)}
        switches = _switches(chosen, hit, rise)
        return ReasoningConfidenceResult(figures, error_direct, error_reasoned, switches, sure, hit, len(p))


HINT = "`option_probabilities` renormalises log-probabilities and tells how much mass leaked"


def _switches(chosen: NDArray[np.int64], hit: NDArray[np.bool_], rise: Floats) -> dict[str, tuple[int, float]]:
    """Questions and mean rise of each pattern."""
    before, after = hit.T
    same = chosen[:, 0] == chosen[:, 1]
    patterns = {
        "right→right": before & after,
        "right→wrong": before & ~after,
        "wrong→right": ~before & after,
        "wrong→wrong": ~before & ~after & same,
        "wrong→other wrong": ~before & ~after & ~same,
    }
    return {
        name: (int(rows.sum()), float(rise[rows].mean()) if rows.any() else float("nan"))
        for name, rows in patterns.items()
    }
