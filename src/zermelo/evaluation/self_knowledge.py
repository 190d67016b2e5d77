"""Does a model know what it knows? Probabilities of options, P(True) of its own answers, P(IK) of a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Page
from zermelo.report.plots import reliability_plot
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.calibration import Reliability, calibration_error, reliability_curve
from zermelo.stats.estimate import Estimate
from zermelo.stats.roc import auroc

__all__ = ["KnownRate", "PIKHead", "SelfKnowledge", "SelfKnowledgeResult", "option_probabilities", "p_true"]

Floats = NDArray[np.float64]


def option_probabilities(logprobs: ArrayLike, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """Probabilities of the options alone, and the mass that leaked to other tokens.

        p_k = exp(ℓ_k / T) / Σ_j exp(ℓ_j / T),      leaked = 1 − Σ_j exp(ℓ_j)

    Args:
        logprobs: ℓ, log-probability of each option's letter (or text) where the answer is due, nat. [N, K]
        temperature: T; policies trained on rewards need one above 1 (about 2.5) to be calibrated again.
    Returns:
        [N, K] and [N].
    Raises:
        DataError: not [N, K] with K ≥ 2, a value that is NaN or above 0 by more than rounding.
    Source: "Language Models (Mostly) Know What They Know", 2022, arXiv 2207.05221.
    """
    logs = np.asarray(logprobs, dtype=np.float64)
    if logs.ndim != 2 or logs.shape[1] < 2 or np.isnan(logs).any() or (logs > 1e-6).any():
        raise DataError("bad-shape", f"logprobs must be [N, K], K ≥ 2, log-probabilities in nat. Got {logs.shape}")
    if not temperature > 0:
        raise SettingError("bad-setting", f"temperature must be a positive number. Got {temperature!r}")
    hot = logs / temperature
    top = hot.max(axis=1, keepdims=True)
    weight = np.exp(hot - np.where(np.isfinite(top), top, 0.0))
    total = weight.sum(axis=1, keepdims=True)
    # no mass on any option says nothing about which: equal shares
    shares = np.where(total > 0, weight / np.where(total > 0, total, 1.0), 1 / logs.shape[1])
    return shares, np.clip(1 - np.exp(logs).sum(axis=1), 0.0, 1.0)


def p_true(log_true: ArrayLike, log_false: ArrayLike) -> Floats:
    """P(True) = p(A) / (p(A) + p(B)) = σ(ℓ_A − ℓ_B), from the log-probabilities of "(A) True" and "(B) False". [N]

    Source: "Language Models (Mostly) Know What They Know", 2022, arXiv 2207.05221.
    """
    gap = np.asarray(log_true, dtype=np.float64) - np.asarray(log_false, dtype=np.float64)
    return np.asarray(1 / (1 + np.exp(-np.clip(gap, -700, 700))))


@dataclass(frozen=True)
class SelfKnowledgeResult:
    """What a model's own probability says about its answers.

    Args:
        auroc: P(a right answer has the higher probability than a wrong one).
        brier: Mean (p − y)².
        error: Expected calibration error, bins of equal mass.
        accuracy: Share right, of all answers.
        accuracy_believed: Share right among those with p > ½; NaN where there is none.
        believed: Share with p > ½.
        curve: Reliability.
        n: Answers.
    """

    auroc: Estimate
    brier: Estimate
    error: Estimate
    accuracy: Estimate
    accuracy_believed: Estimate
    believed: Estimate
    curve: Reliability
    n: int

    def table(self) -> list[dict[str, Cell]]:
        """One row a figure."""
        names = ("auroc", "brier", "error", "accuracy", "accuracy_believed", "believed")
        return [{"figure": name.replace("_", " "), "value": getattr(self, name)} for name in names]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {str(row["figure"]).replace(" ", "_"): plain(row["value"]) for row in self.table()} | {"n": self.n}

    def show(self, page: Page) -> Page:
        """Picture and table on a page."""
        return page.plot(reliability_plot(self.curve, title="Self-evaluation against truth")).table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Does the model know what it knows?")


@dataclass(frozen=True)
class SelfKnowledge:
    """P(True), P(IK) or the probability of the chosen option, against what was right.

    Args:
        bins: Of equal mass, because confidences crowd.
        level: Coverage.
        resamples: Of the bootstrap over questions.
        seed: Of the resamples.
    Source: "Language Models (Mostly) Know What They Know", 2022, arXiv 2207.05221.
    """

    bins: int = 10
    level: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(
        self, probability: ArrayLike, right: ArrayLike, *, question: ArrayLike | None = None
    ) -> SelfKnowledgeResult:
        """Compare.

        Args:
            probability: The model's own, of being right; NaN = missing. [N]
            right: 1 right, 0 wrong. [N]
            question: Question of each answer, where several were sampled. [N]
        Raises:
            SettingError: nothing to measure, different numbers, a probability outside [0, 1], labels other than 0, 1.
        """
        p, y = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
        if p.shape != y.shape or p.ndim != 1:
            raise SettingError("bad-shape", f"probabilities are {p.shape}, outcomes {y.shape}; expected the same [N]")
        known = ~np.isnan(p) & ~np.isnan(y)
        p, y = p[known], y[known]
        unit = None if question is None else np.asarray(question)[known]
        curve = reliability_curve(p, y, bins=self.bins, binning="mass", level=self.level)
        how = {"cluster": unit, "level": self.level, "resamples": self.resamples, "seed": self.seed}
        area = auroc(p, y, **how)  # type: ignore[arg-type]
        error = calibration_error(p, y, bins=self.bins, binning="mass", **how)  # type: ignore[arg-type]
        columns = [(p - y) ** 2, y, np.where(p > 0.5, y, np.nan), (p > 0.5) * 1.0]
        boot = bootstrap_mean(np.stack(columns, axis=1), **how)  # type: ignore[arg-type]
        brier, accuracy, among, believed = (boot.estimate(i) for i in range(4))
        return SelfKnowledgeResult(area, brier, error, accuracy, among, believed, curve, len(p))


@dataclass(frozen=True)
class KnownRate:
    """A fitted P(IK) head: P = σ(features · weights + bias).

    Args:
        weights: [D]
        bias: Intercept, logits.
        centre: Subtracted from features. [D]
        spread: Features are divided by it. [D]
        loss: Mean cross-entropy on the training questions, nat.
    """

    weights: Floats
    bias: float
    centre: Floats
    spread: Floats
    loss: float

    def predict(self, features: ArrayLike) -> Floats:
        """P(IK) of questions. [N, D] → [N]"""
        x = (np.asarray(features, dtype=np.float64) - self.centre) / self.spread
        return np.asarray(1 / (1 + np.exp(-np.clip(x @ self.weights + self.bias, -700, 700))))


@dataclass(frozen=True)
class PIKHead:
    """P(IK), "I know": how likely the model is to answer a question right, before it answers.

        min  mean_q [ −r_q log P_q − (1 − r_q) log (1 − P_q) ] + ½ ridge ‖w‖²,     P_q = σ(w · x_q + b)

    r is the share right of the samples (30 at temperature 1 in the paper): the same minimiser as one label a sample.
    x are features of the question alone, such as the hidden state of its last token; they are standardised here.

    Args:
        ridge: Penalty on the weights, per question.
    Source: "Language Models (Mostly) Know What They Know", 2022, arXiv 2207.05221.
    """

    ridge: float = 1e-3

    def __post_init__(self) -> None:
        positive(self, "ridge")

    def fit(self, features: ArrayLike, rate: ArrayLike) -> KnownRate:
        """Fit to questions.

        Args:
            features: Of the questions. [N, D]
            rate: Share of right samples, in [0, 1]. [N]
        Raises:
            DataError: shapes do not match, a rate outside [0, 1], a feature that is no number.
        """
        x, r = np.asarray(features, dtype=np.float64), np.asarray(rate, dtype=np.float64)
        if x.ndim != 2 or r.shape != x.shape[:1] or not len(x):
            raise DataError("bad-shape", f"features must be [N, D] and rate [N]. Got {x.shape} and {r.shape}")
        if not ((r >= 0) & (r <= 1)).all() or not np.isfinite(x).all():
            raise DataError("off-scale", "P(IK): rates lie in [0, 1] and features are numbers")
        centre, spread = x.mean(axis=0), x.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        design = np.concatenate([(x - centre) / spread, np.ones((len(x), 1))], axis=1)
        penalty = np.full(design.shape[1], self.ridge)
        penalty[-1] = 1e-9  # where every rate is 0, or 1, the best bias is infinite: this keeps it finite
        w = np.zeros(design.shape[1])

        def cost(at: Floats) -> float:
            z = design @ at
            return float((np.logaddexp(0, z) - r * z).mean() + 0.5 * penalty @ at**2)

        for _ in range(100):
            p = 1 / (1 + np.exp(-np.clip(design @ w, -700, 700)))
            gradient = design.T @ (p - r) / len(x) + penalty * w
            if np.abs(gradient).max() < 1e-9:
                break
            hessian = (design * (p * (1 - p))[:, None]).T @ design / len(x) + np.diag(penalty)
            move, step = np.linalg.solve(hessian, gradient), 1.0
            while cost(w - step * move) > cost(w) and step > 1e-6:
                step /= 2
            w = w - step * move
        z = design @ w
        loss = float((np.logaddexp(0, z) - r * z).mean())
        return KnownRate(w[:-1], float(w[-1]), centre, spread, loss)
