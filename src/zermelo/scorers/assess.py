"""How good predicted preferences are: accuracy, log-loss, calibration, beside length alone and habit alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.calibration import calibration_error
from zermelo.stats.estimate import Estimate
from zermelo.stats.proper_scores import log_loss

__all__ = ["Assessment", "assess", "gain"]


@dataclass(frozen=True)
class Assessment:
    """Predicted preferences against stated ones. Intervals are bootstraps over prompts.

    Args:
        name: Whose predictions.
        pairs: M.
        prompts: Different prompts (near-duplicates count once).
        accuracy: Share of pairs whose preferred side got the higher probability; ½ where both got the same.
        log_loss: Mean, nat; 0.693 is a coin.
        calibration_error: Expected calibration error of the surer side, ten bins from ½ to 1.
    """

    name: str
    pairs: int
    prompts: int
    accuracy: Estimate
    log_loss: Estimate
    calibration_error: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        out = asdict(self)
        for name in ("accuracy", "log_loss", "calibration_error"):
            out[name] = getattr(self, name).to_json()
        return out

    def row(self) -> tuple[str, str, str, str]:
        """Name, accuracy, log-loss and calibration error as text."""
        return (
            self.name,
            self.accuracy.format(percent=True),
            self.log_loss.format(),
            self.calibration_error.format(),
        )


def assess(
    name: str, predicted: ArrayLike, stated: ArrayLike, cluster: ArrayLike, *, level: float = 0.95, seed: int = 0
) -> Assessment:
    """Assess predictions P(first ≻ second) against stated preferences.

    Args:
        name: Whose they are.
        predicted: In [0, 1]. [M]
        stated: P(first ≻ second) as stated; which side of ½ counts for accuracy. [M]
        cluster: Prompt of each pair. [M]
        level: Of the intervals.
        seed: Of the bootstrap.
    """
    p, y = np.asarray(predicted, dtype=np.float64), np.asarray(stated, dtype=np.float64)
    unit: NDArray[Any] = np.asarray(cluster)
    right = _right(p, y)
    loss = log_loss(p, y, clip=1e-6)
    accuracy, mean_loss = (
        bootstrap_mean(values, cluster=unit, level=level, seed=seed).estimate() for values in (right, loss)
    )
    sure = np.maximum(p, 1 - p)
    outcome = np.where(p >= 0.5, y, 1 - y)
    error = calibration_error(sure, outcome, bins=20, cluster=unit, level=level, seed=seed)
    return Assessment(name, len(p), len(np.unique(unit)), accuracy, mean_loss, error)


def gain(
    predicted: ArrayLike,
    baseline: ArrayLike,
    stated: ArrayLike,
    cluster: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Accuracy of predictions minus that of a baseline on the same pairs, paired, with a bootstrap over prompts.

    Args:
        predicted: P(first ≻ second). [M]
        baseline: The same by the baseline. [M]
        stated: As stated. [M]
        cluster: Prompt of each pair. [M]
        level: Of the interval.
        seed: Of the bootstrap.
    """
    y = np.asarray(stated, dtype=np.float64)
    better = _right(np.asarray(predicted, dtype=np.float64), y) - _right(np.asarray(baseline, dtype=np.float64), y)
    return bootstrap_mean(better, cluster=cluster, level=level, seed=seed).estimate()


def _right(p: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(p == 0.5, 0.5, (p > 0.5) == (y > 0.5))
